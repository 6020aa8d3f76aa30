"""What ``benchmarks.cluster`` runs: a cluster of two nodes, commands with what they write, and videos."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from attcell._ray import cluster as ray_cluster
from attcell._spread import Site, Work, at_site
from attcell.cli.app import main as attcell
from attcell.config.recipe import check_recipe
from attcell.inference.model import Model
from attcell.models.build import build_network
from benchmarks.machine import data_folder

Words = list[str | Path]


@contextmanager
def two_nodes() -> Iterator[Any]:
    """A cluster of two nodes with a core each, on the loopback."""
    more = {**ray_cluster._HERE, **ray_cluster._ON_LOOPBACK, **ray_cluster._AS_IMPORTANT}
    with patch.dict(os.environ, more):
        from ray.cluster_utils import Cluster

        node: dict[str, Any] = {"num_cpus": 1, "node_ip_address": "127.0.0.1"}
        nodes = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        nodes.add_node(**node)
        try:
            yield nodes
        finally:
            nodes.shutdown()


class OneProcess:
    """Video by video, in this process alone."""

    def results(self, work: Work[Any, Any]) -> Iterator[Any]:
        for item in work.items:
            yield from work.function([item])


class Counted:
    """A site that writes down the path of each video as it is done, and tells how many have come.

    Args:
        site: where the work is done.
        log: the file.
        come: called with how many results have come.
    """

    def __init__(self, site: Site, log: Path, come: Callable[[int], None] = lambda number: None) -> None:
        self._site, self._log, self._come = site, log, come

    def results(self, work: Work[Any, Any]) -> Iterator[Any]:
        counted = partial(_counted, function=work.function, path_of=work.path_of, log=self._log)
        results = self._site.results(replace(work, function=counted))
        for number, result in enumerate(results, 1):
            yield result
            self._come(number)


def _counted(
    items: Sequence[Any],
    function: Callable[[Sequence[Any]], Iterable[Any]],
    path_of: Callable[[Any], Path],
    log: Path,
) -> Iterator[Any]:
    for item, result in zip(items, function(items), strict=True):
        with log.open("a") as file:  # appended at once
            file.write(f"{path_of(item)}\n")
        yield result


def clips_in(folder: Path, most: int) -> Path:
    """60 real clips, or fewer: of Weizmann, UT-Interaction and ``odd/``, as links in a folder each."""
    data = data_folder()
    if data is None:
        sys.exit("no real clips: set $ATTCELL_DATA")
    named = {"weizmann": "weizmann", "interaction": "ut_interaction_set1", "odd": "odd"}
    if folder.exists():
        shutil.rmtree(folder)
    odd = [path for path in sorted((data / "odd").iterdir()) if path.suffix != ".json"]
    of_each = {"odd": odd[: most // 4]}
    left = most - len(of_each["odd"])
    for label, count in (("weizmann", left // 2), ("interaction", left - left // 2)):
        paths = sorted((data / named[label]).rglob("*.avi"))
        of_each[label] = paths[:: max(1, len(paths) // count)][:count]
    for label, paths in of_each.items():
        (folder / label).mkdir(parents=True)
        for path in paths:
            (folder / label / path.name).symlink_to(path)
    return folder


def many_of(folder: Path, clips: Path, count: int) -> Path:
    """The same clips under other names again and again, until there are so many."""
    if folder.exists():
        shutil.rmtree(folder)
    paths = sorted(clips.glob("*/*"))
    for number in range(count):
        path = paths[number % len(paths)]
        link = folder / path.parent.name / f"{number // len(paths):02}-{path.name}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())
    return folder


def write_model(folder: Path, videos: Path) -> Path:
    """A small network with random weights, of the classes that the folder has."""
    labels = tuple(sorted(path.name for path in videos.iterdir()))
    stream = {"backbone": "small", "weights": "none", "conv6_channels": 64, "train_from": "none"}
    values = {
        "data": {"train": str(videos), "workers": 1},
        "input": {"size": 112, "short_side": 120},
        "segments": {"test": 10},
        "model": {"kind": "stan", "streams": {"frame": stream}, "lstm_hidden": 64},
        "train": {"iterations": 1},
    }
    recipe = check_recipe(values, source="benchmark")
    torch.manual_seed(0)
    network = build_network(recipe, len(labels), load_weights=False).eval()
    Model(network, labels, recipe).save_pretrained(folder)
    return folder


def commands(videos: Path, model: Path, out: Path) -> dict[str, Words]:
    """Each command that walks a list, over these videos, writing into ``out``."""
    paths = sorted(path for path in videos.rglob("*") if not path.is_dir())
    return {
        "data check": ["data", "check", videos, "--json", out / "check.json"],
        "extract flow": ["extract", "flow", videos, out / "flow", "--method", "fast", "--short-side", "64"],
        "extract features": [
            *("extract", "features", videos, out / "features", "--model", model, "--format", "npy"),
        ],
        "test": ["test", model, "--data", videos, "--out", out / "test"],
        "predict": ["predict", *paths, "--model", model, "--json", out / "predict.jsonl"],
        "detect": ["detect", *paths, "--model", model, "--json", out / "detect.jsonl", "--every", "10"],
    }  # fmt: skip


def run(words: Words, site: Site | None, out: Path) -> tuple[int, str]:
    """A command's exit status, and the digest of all that it wrote into ``out``, which is emptied first."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    return call(words, site), digest(out)


def call(words: Words, site: Site | None) -> int:
    """A command's exit status, in this process."""
    said = io.StringIO()
    with (
        at_site(site),
        patch.object(sys, "argv", ["attcell", *map(str, words)]),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        try:
            attcell()
        except SystemExit as ended:
            status = int(ended.code or 0)
            if status > 1:
                sys.exit(said.getvalue())
            return status
    return 0


def digest(folder: Path) -> str:
    """Of all files of a folder, by their names and content."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(f"{path.relative_to(folder)}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:12]
