"""Every command over a list: here and on a cluster, what it writes and how long it takes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from attcell import on_ray
from attcell._spread import _SITE, Site, at_site
from benchmarks.cluster_world import (
    OneProcess,
    call,
    clips_in,
    commands,
    many_of,
    run,
    two_nodes,
    write_model,
)
from benchmarks.walls import videos_in

CLIPS, SHORT = 60, 500
TURNS = 3  # but one alone where it takes longer than
LONG = 90  # seconds


@contextmanager
def connected(address: str) -> Iterator[Site]:
    """A cluster as a site to work, while this process itself works here."""
    with on_ray(address):
        site = _SITE.get()
        assert site is not None
        with at_site(None):
            yield site


def equal(out: Path, most: int | None) -> list[str]:
    """Equal results in one process, on all cores and on two nodes."""
    videos = clips_in(out / "clips", most or CLIPS)
    model = write_model(out / "model", videos)
    lines = [
        f"{sum(1 for _ in videos.glob('*/*'))} clips of Weizmann, UT-Interaction and odd/; seconds on the "
        "clock, those of the cluster with the start of its workers.",
        "",
        "| command | exit status | one process | all cores | two nodes | written |",
        "|---|---|---|---|---|---|",
    ]
    with two_nodes() as nodes, connected(nodes.address) as cluster:
        for name, words in commands(videos, model, out / "written").items():
            seconds, found = [], []
            for site in (OneProcess(), None, cluster):
                begun = time.perf_counter()
                found.append(run(words, site, out / "written"))
                seconds.append(f"{time.perf_counter() - begun:.1f}")
            same = "the same bytes" if len(set(found)) == 1 else f"**not the same: {found}**"
            lines.append(f"| {name} | {found[0][0]} | {' | '.join(seconds)} | {same} |")
            print(lines[-1], flush=True)
    return lines


def overhead(out: Path, most: int | None) -> list[str]:
    """What a cluster costs beside all local cores."""
    count = most or SHORT
    few = videos_in(out / "few", ["0.mp4", "1.mp4"])
    real = many_of(out / "clips", clips_in(out / "60", CLIPS), count)
    made = videos_in(out / "made", [f"{number:04}.mp4" for number in range(count)])
    lines = [
        f"{count} short videos: the {CLIPS} real clips again and again under other names, and one made clip "
        f"of 50 frames of 160×120, which takes some milliseconds. Seconds, the least of {TURNS} turns, or of "
        f"one where that takes {LONG} s. *Start*: the same command over two clips, which starts the workers; "
        "the cluster itself was started before, and took {start}.",
        "",
        "| videos | command | all cores | two nodes | ratio | start |",
        "|---|---|---|---|---|---|",
    ]
    begun = time.perf_counter()
    with two_nodes() as nodes, connected(nodes.address) as cluster:
        started = time.perf_counter() - begun
        for kind, videos in (("real", real), ("made", made)):
            model = write_model(out / "model", videos)
            for name in commands(videos, model, out):
                timed = partial(_timed, name, model=model, out=out)
                start = timed(few, cluster)
                turns: list[tuple[float, float]] = []
                while not turns or (len(turns) < TURNS and sum(turns[0]) < LONG):
                    turns.append((timed(videos, None), timed(videos, cluster)))
                here, there = (min(turn[way] for turn in turns) for way in (0, 1))
                figures = f"{here:.1f} | {there:.1f} | {there / here:.3f} | {start:.1f}"
                lines.append(f"| {kind} | {name} | {figures} |")
                print(lines[-1], flush=True)
    for folder in out.glob("written-*"):
        shutil.rmtree(folder)
    lines[0] = lines[0].replace("{start}", f"{started:.1f} s")
    return lines


def _timed(name: str, videos: Path, site: Site | None, model: Path, out: Path) -> float:
    """Seconds of a command that writes into a new folder: ext4 is slow to make files where many have just
    been removed.
    """
    written = Path(mkdtemp(dir=out, prefix="written-"))
    begun = time.perf_counter()
    call(commands(videos, model, written)[name], site)
    return time.perf_counter() - begun
