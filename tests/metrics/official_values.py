"""Makes ``official_values.json``: what the official programs give of 30 random files each.

    python -m tests.metrics.official_values [--thumos FOLDER] [--activitynet FOLDER]

The values come from the plain re-statements in ``reference_detection.py``. With the programs themselves at
hand, each file is judged by them too, and a difference above 1e-12 ends the script: ``--thumos`` names a
folder with TH14evalDet_Updated.m and intervaloverlapvalseconds.m, which Octave runs; ``--activitynet`` one
with eval_detection.py and utils.py in Python 3, which need pandas. The numbers that are committed were
compared so: with Octave 7.3 on a copy of THUMOS's program that counts kinds of errors beside, and with
ActivityNet's program of commit 82304fa, its Python 2 words replaced. The sort of the latter is stable for
the 16 detections of a class that a file here holds, where NumPy uses no vector instructions:
NPY_DISABLE_CPU_FEATURES="X86_V4 X86_V3 AVX512_ICL AVX512_SPR".
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from attcell.types import ActionInstance, Detection
from tests.metrics.reference_detection import average_precision

VALUES = Path(__file__).with_suffix(".json")
NUM_FILES = 30
NUMBERS = {"BaseballPitch": 7, "BasketballDunk": 9, "Billiards": 12}
LABELS = tuple(NUMBERS)
BARS = (0.1, 0.3, 0.5, 0.7)
VIDEOS = tuple(f"video_test_{number:07d}" for number in (4, 11, 62, 188))
ELSEWHERE = "video_test_0000007"  # without a true action


@dataclass(frozen=True)
class Case:
    """A random truth and a random file of detections."""

    truths: list[ActionInstance]
    ambiguous: list[ActionInstance]
    detections: list[Detection]


def random_case(seed: int) -> Case:
    """Times in tenths, so that overlaps are equal or at a threshold but for rounding, and few scores."""
    drawn = random.Random(seed).random  # of all of this class, the one that never changes

    def one_of(values: tuple) -> object:
        return values[int(drawn() * len(values))]

    def times() -> tuple[float, float]:
        start, length = int(drawn() * 60), 1 + int(drawn() * 20)
        return start / 10, (start + length) / 10

    truths = [ActionInstance(one_of(VIDEOS), label, *times()) for label in LABELS for _ in range(7)]
    ambiguous = [ActionInstance(one_of(VIDEOS), "Ambiguous", *times()) for _ in range(3)]
    found = []
    for number in range(len(LABELS) * 16):
        label = LABELS[number % len(LABELS)]
        near = [of for of in truths if of.label == label][int(drawn() * 7)]
        video, (start, end) = near.video_id, (near.start_seconds, near.end_seconds)
        kind = drawn()
        if kind < 0.3:
            start, end = (
                round(start + int(drawn() * 5 - 2) / 10, 1),
                round(end + int(drawn() * 5 - 2) / 10, 1),
            )
        elif kind < 0.6:
            end = round(start + (end - start) * (0.5, 0.3, 0.7)[int(drawn() * 3)], 3)
        elif kind < 0.8:
            video, (start, end) = one_of((*VIDEOS, ELSEWHERE)), times()
        start, end = max(0.0, min(start, end)), max(start, end)
        found.append(Detection(label, start, end, (1 + int(drawn() * 5)) / 8, video))
    return Case(truths, ambiguous, found)


def write_thumos(case: Case, folder: Path) -> Path:
    """The official files of a truth in ``folder/truth``; the file of detections is given."""
    (folder / "truth").mkdir(parents=True)
    (folder / "truth" / "detclasslist.txt").write_text(
        "".join(f"{n} {name}\n" for name, n in NUMBERS.items())
    )
    for label in (*LABELS, "Ambiguous"):
        own = [of for of in (*case.truths, *case.ambiguous) if of.label == label]
        lines = (f"{of.video_id} {of.start_seconds} {of.end_seconds}\n" for of in own)
        (folder / "truth" / f"{label}_test.txt").write_text("".join(lines))
    lines = (
        f"{of.video_id}.mp4 {of.start_seconds} {of.end_seconds} {NUMBERS[of.label]} {of.score}\n"
        for of in case.detections
    )
    (folder / "found.txt").write_text("".join(lines))
    return folder / "found.txt"


def write_activitynet(case: Case, folder: Path) -> Path:
    """A truth.json; the found.json beside it is given."""
    folder.mkdir(parents=True)
    database = {
        video: {
            "subset": "validation",
            "annotations": [
                {"segment": [of.start_seconds, of.end_seconds], "label": of.label}
                for of in case.truths
                if of.video_id == video
            ],
        }
        for video in VIDEOS
    }
    truth = {"version": "1", "taxonomy": [], "database": database}
    (folder / "truth.json").write_text(json.dumps(truth))
    results = {
        video: [
            {"segment": [of.start_seconds, of.end_seconds], "label": of.label, "score": of.score}
            for of in case.detections
            if of.video_id == video
        ]
        for video in (*VIDEOS, ELSEWHERE)
    }
    found = {"version": "1", "external_data": {}, "results": results}
    (folder / "found.json").write_text(json.dumps(found))
    return folder / "found.json"


def in_the_files_order(case: Case) -> list[Detection]:
    """The detections as ActivityNet's JSON has them: video by video."""
    return [of for video in (*VIDEOS, ELSEWHERE) for of in case.detections if of.video_id == video]


def restated(case: Case, protocol: str) -> list[list[float]]:
    """AP by class and threshold."""
    found = case.detections if protocol == "thumos" else in_the_files_order(case)
    return [
        [average_precision(case.truths, found, case.ambiguous, label, bar, protocol) for bar in BARS]
        for label in LABELS
    ]


def by_octave(program: Path, folder: Path) -> list[list[float]]:
    """AP by class and threshold, of TH14evalDet_Updated.m on the files of :func:`write_thumos`."""
    calls = "".join(
        f"[p, a, m] = TH14evalDet_Updated('{folder}/found.txt', '{folder}/truth', 'test', {bar}); "
        "printf('VALUES %.17g %.17g %.17g\\n', a);"
        for bar in BARS
    )
    words = ["octave-cli", "--quiet", "--path", str(program), "--eval", calls]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    columns = [line.split()[1:] for line in said.splitlines() if line.startswith("VALUES")]
    return [[float(column[row]) for column in columns] for row in range(len(LABELS))]


def by_eval_detection(program: Path, folder: Path) -> list[list[float]]:
    """AP by class and threshold, of eval_detection.py on the files of :func:`write_activitynet`."""
    sys.path.insert(0, str(program))
    from eval_detection import ANETdetection  # type: ignore[import-not-found]

    judge = ANETdetection(
        f"{folder}/truth.json", f"{folder}/found.json", tiou_thresholds=list(BARS), check_status=False
    )
    judge.evaluate()
    return [judge.ap[:, judge.activity_index[label]].tolist() for label in LABELS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--thumos", type=Path)
    parser.add_argument("--activitynet", type=Path)
    given = parser.parse_args()
    values: dict[str, list[list[list[float]]]] = {"thumos": [], "activitynet": []}
    for seed in range(NUM_FILES):
        case = random_case(seed)
        for protocol, found in values.items():
            found.append(restated(case, protocol))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if given.thumos is not None:
                write_thumos(case, folder / "t")
                _compare(by_octave(given.thumos, folder / "t"), values["thumos"][-1], seed)
            if given.activitynet is not None:
                write_activitynet(case, folder / "a")
                _compare(by_eval_detection(given.activitynet, folder / "a"), values["activitynet"][-1], seed)
    VALUES.write_text(json.dumps(values, separators=(",", ":")).replace("]],[[", "]],\n[[") + "\n")


def _compare(official: list[list[float]], restatement: list[list[float]], seed: int) -> None:
    for one, other in zip(official, restatement, strict=True):
        if any(abs(a - b) > 1e-12 for a, b in zip(one, other, strict=True)):
            sys.exit(f"file {seed}: the program gives {one}, its re-statement {other}")


if __name__ == "__main__":
    main()
