"""Is the choice of ``attcell train FOLDER`` good, and are its metrics true? On folders whose truth is known.

    uv run python -m benchmarks.own_folder generated [--seeds 0 1 2]
    uv run python -m benchmarks.own_folder weizmann
    uv run python -m benchmarks.own_folder ut_interaction

*generated*: 300 clips of two classes in 44 groups, each with a scene of its own that tells of the class, and
a quarter of the groups for the test. The command with groups and without; beside it the best of all
candidates on the test, each trained on all training videos. *weizmann*, *ut_interaction*: each actor or
sequence is the test once, and the command sees the others alone, with groups: the choice is nested. The
candidates' settings come from experience with these clips, which is not.

Run again to go on after a stop. The table of all that is done goes to results/own_folder.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from attcell._files import write_json, write_text
from attcell._log import logger, messages_on_stderr, minutes, track
from attcell._parallel import as_they_end, process_pool
from attcell.choosing.call import FolderCall, train_folder
from attcell.choosing.candidates import candidate_names, candidates, weights_at_hand
from attcell.choosing.crossing import right_of
from attcell.choosing.videos import own_videos
from attcell.data.groups import groups_of
from attcell.data.known_sets import KNOWN_SETS, set_listing
from attcell.flow import num_cores
from attcell.metrics.statistics import accuracy_interval
from attcell.report.lines import interval_words
from attcell.research.driver import PlannedRun, train_and_test_with_log
from attcell.results.tables import markdown_table
from attcell.synth.grouped import CLIPS, GROUPS, write_grouped
from benchmarks.machine import data_folder, machine

RESULTS = Path(__file__).parent / "results"
REAL = {"weizmann": ("weizmann", r"/([a-z]+)_"), "ut_interaction": ("ut_interaction_set1", r"_(\d+)_")}
OF_GENERATED = r"(g\d+)_"


@dataclass(frozen=True)
class Case:
    """One call of the command.

    Attributes:
        name: of its files.
        call: its options.
    """

    name: str
    call: FolderCall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["generated", *REAL])
    parser.add_argument("overrides", nargs="*", help="KEY=VALUE over all candidates")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--splits", type=int, nargs="+", help="some actors or sequences alone")
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--groups", type=int, default=GROUPS)
    parser.add_argument("--weights", help="of SqueezeNet; by default those beside the real clips")
    parser.add_argument("--out", type=Path, default=Path("runs/own_folder"))
    given = parser.parse_intermixed_args()
    out = given.out.absolute()
    with messages_on_stderr():
        for case in _cases(given, out):
            file = out / "cases" / f"{case.name}.json"
            if not file.is_file():
                write_json(str(file), _measured(case))
    text = _text(out / "cases")
    write_text(RESULTS / "own_folder.md", text)
    sys.stdout.write(text)


def _cases(given: argparse.Namespace, out: Path) -> Iterator[Case]:
    data = data_folder()
    weights = given.weights
    if weights is None and data is not None:
        weights = str(data / "squeezenet1_0_imagenet.safetensors")
    if given.what == "generated":
        for (kind, groups), seed in product((("groups", OF_GENERATED), ("random", None)), given.seeds):
            videos = out / "videos" / f"generated-{given.clips}-seed{seed}"
            write_grouped(videos, seed=seed, groups=given.groups, clips=given.clips)
            name = f"generated-{kind}-seed{seed}"
            overrides = [*given.overrides, f"train.seed={seed}"]
            yield Case(name, _call(videos, out, name, groups, weights, overrides))
        return
    assert data is not None, "the real clips are not there; set $ATTCELL_DATA"
    folder, expression = REAL[given.what]
    for split in given.splits or range(1, KNOWN_SETS[given.what].splits + 1):
        name = f"{given.what}-{split:02d}"
        videos = _links(given.what, data / folder, split, out / "videos" / name)
        yield Case(name, _call(videos, out, name, expression, weights, given.overrides))


def _call(
    videos: Path, out: Path, name: str, groups: str | None, weights: str | None, overrides: Sequence[str]
) -> FolderCall:
    return FolderCall(
        videos, out / name, groups=groups, overrides=overrides, weights=weights, cache=out / "features"
    )


def _links(real: str, root: Path, split: int, folder: Path) -> Path:
    """A folder of train and test of one split, as links."""
    for part in ("train", "test"):
        listing = set_listing(real, root, None, split, part)
        for record in listing.records:
            link = folder / part / listing.labels[record.label] / record.path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(record.path)
    return folder


def _measured(case: Case) -> dict[str, Any]:
    """The command, and then every candidate on the test; without groups the training videos are the same, and
    so are all candidates but what an SVM chooses.
    """
    call, is_resumed = case.call, case.call.out.exists()
    logger.info(f"--- {case.name}")
    start = time.monotonic()
    outcome = train_folder(call)
    seconds = time.monotonic() - start
    seed = next((int(one.partition("=")[2]) for one in call.overrides if one.startswith("train.seed=")), 0)
    videos = own_videos(call.folder, call.test, call.groups, seed)
    crossing = call.crossing(videos, videos.folds(seed))
    names = [outcome.choice.taken.name] if call.groups is None else candidate_names()
    runs = [
        PlannedRun(crossing.recipe(candidate, None), call.out.absolute() / candidate.name)
        for candidate in candidates(names, call.overrides, weights_at_hand(call.weights))
    ]
    with process_pool(num_cores(), threads=1) as pool:
        done = as_they_end(pool, train_and_test_with_log, runs, num_cores())
        for _ in track(done, len(runs), "candidates on all training videos"):
            pass
    return {
        "taken": outcome.choice.taken.name,
        "seconds": seconds,
        "is_resumed": is_resumed,
        "feature_seconds": sum(outcome.crossed.feature_seconds.values()),
        "num_train": len(videos.train),
        "crossed": {one.name: one.right.tolist() for one in outcome.crossed.results},
        "crossed_groups": videos.groups,
        "tested": {run.folder.name: right_of(run.scores).tolist() for run in runs},
        "groups": [Path(record.id).name.split("_")[0] for record in videos.test]
        if call.groups is None
        else groups_of(videos.test),
    }


# The tables


def _text(cases: Path) -> str:
    read = {file.stem: json.loads(file.read_text()) for file in sorted(cases.glob("*.json"))}
    parts = [
        "# The choice of attcell train FOLDER",
        (__doc__ or "").split("\n\n")[2],
        f"Machine: {machine()}.",
    ]
    generated = {name: one for name, one in read.items() if name.startswith("generated")}
    if generated:
        parts += ["## Generated clips in groups", _generated_table(generated)]
    for real in REAL:
        of_set = {name: one for name, one in read.items() if name.startswith(real)}
        if of_set:
            parts += [f"## {real}, nested", *_nested(real, of_set)]
    return "\n\n".join(parts) + "\n"


def _generated_table(cases: dict[str, Any]) -> str:
    head = ["call", "taken", "cross-validated", "its interval", "test", "its interval", "best on the test",
            "taken − best", "time"]  # fmt: skip
    rows = []
    for name, one in cases.items():
        crossed, tested = np.array(one["crossed"][one["taken"]]), np.array(one["tested"][one["taken"]])
        shares = {
            candidate: float(np.mean(right))
            for candidate, right in cases.get(name.replace("random", "groups"), one)["tested"].items()
        }
        best, most = max(shares.items(), key=lambda of: of[1])
        rows.append(
            [
                name.removeprefix("generated-"),
                one["taken"],
                f"{100 * crossed.mean():.1f}",
                interval_words(accuracy_interval(crossed, one["crossed_groups"])),
                f"{100 * tested.mean():.1f}",
                interval_words(accuracy_interval(tested, one["groups"])),
                f"{best} {100 * most:.1f}",
                f"{100 * (tested.mean() - most):+.1f}",
                _time(one),
            ]
        )
    return markdown_table(head, rows, [False, False, *[True] * 4, False, True, True])


def _nested(real: str, cases: dict[str, Any]) -> list[str]:
    """A row for the choice, and one for each candidate, over all outer folds."""
    ones = list(cases.values())
    groups = [group for one in ones for group in one["groups"]]
    taken = Counter(one["taken"] for one in ones)
    rows = [["**the choice**", *_outer([one["tested"][one["taken"]] for one in ones], groups), "", ""]]
    for name in ones[0]["tested"]:
        inner = np.mean([np.mean(one["crossed"][name]) for one in ones if name in one["crossed"]])
        right = [one["tested"][name] for one in ones]
        rows.append([name, *_outer(right, groups), f"{100 * inner:.1f}", str(taken[name] or "")])
    head = ["", "accuracy", "95 % interval", "inside, mean", "times taken"]
    times = ", ".join(_time(one) for one in ones)
    said = (
        f"{len(ones)} of {KNOWN_SETS[real].splits} outer folds, {len(groups)} videos tested. Time of each "
        f"command: {times}; features are computed in the first alone."
    )
    return [said, markdown_table(head, rows, [False, True, True, True, True])]


def _outer(right: list[list[bool]], groups: list[str]) -> list[str]:
    joined = np.array([one for of in right for one in of])
    return [f"{100 * joined.mean():.1f}", interval_words(accuracy_interval(joined, groups))]


def _time(one: dict[str, Any]) -> str:
    again = " (gone on with)" if one["is_resumed"] else ""
    return f"{minutes(one['seconds'])}, of it features {minutes(one['feature_seconds'])}{again}"


if __name__ == "__main__":
    main()
