"""Generated features with known actions in time, and what detection by chance is on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from attcell.metrics import detection_map
from attcell.types import ActionInstance, Detection

CLASSES = ("jump", "throw", "turn")
DIM = 16
ROW_SECONDS = 16 / 25


def write_given(folder: Path, seed: int = 0, train: int = 12, test: int = 6) -> None:
    """Untrimmed videos as features, in ``train/CLASS`` and ``test/CLASS``; actions in ``truth.json``.

    A row is one of 4 backgrounds or its video's class, each a fixed vector of random numbers, and noise half
    as strong. A video of 50 to 90 rows has one or two actions of 6 to 13 rows.
    """
    rng = np.random.default_rng(seed)
    shown = dict(zip(CLASSES, rng.normal(size=(len(CLASSES), DIM)), strict=True))
    others, database = rng.normal(size=(4, DIM)), {}
    for part, label in ((part, label) for part in ("train", "test") for label in CLASSES):
        for number in range(train if part == "train" else test):
            rows = others[rng.integers(len(others), size=rng.integers(50, 91))]
            actions = []
            for _ in range(rng.integers(1, 3)):
                length = int(rng.integers(6, 14))
                start = int(rng.integers(0, len(rows) - length))
                rows[start : start + length] = shown[label]
                actions.append([start * ROW_SECONDS, (start + length) * ROW_SECONDS])
            path = folder / part / label / f"{part}_{label}_{number}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, (rows + 0.5 * rng.normal(size=rows.shape)).astype(np.float32))
            if part == "test":
                database[path.stem] = {
                    "subset": "validation",
                    "duration": len(rows) * ROW_SECONDS,
                    "annotations": [{"segment": action, "label": label} for action in actions],
                }
    (folder / "truth.json").write_text(json.dumps({"database": database}))


def chance(truth: Path, found: Path, threshold: float, seeds: int = 10) -> float:
    """The mAP of as many intervals as were found in each video, of any class, place and length: a mean."""
    database = json.loads(truth.read_text())["database"]
    counts = {Path(of["video"]).stem: len(of["detections"]) for of in json.loads(found.read_text())["videos"]}
    truths = [
        ActionInstance(video, of["label"], *of["segment"])
        for video, entry in database.items()
        for of in entry["annotations"]
    ]
    means = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        guesses = []
        for video, count in counts.items():
            for _ in range(count):
                start, end = np.sort(rng.uniform(0, database[video]["duration"], size=2))
                label = CLASSES[rng.integers(len(CLASSES))]
                guesses.append(Detection(label, float(start), float(end), float(rng.random()), video))
        means.append(detection_map(truths, guesses, [threshold], protocol="thumos").mean_ap[0])
    return float(np.mean(means))
