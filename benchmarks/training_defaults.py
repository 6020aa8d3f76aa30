"""What mirror images do to classes that differ by a direction alone, and what balancing and mixing do where
one class has twenty times the videos of another.

All videos are generated: a smooth texture that drifts. ``python -m benchmarks.training_defaults [OUT]``
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from attcell import load_recipe, train
from attcell._files import write_text
from attcell.inference.model import Model
from attcell.results.tables import markdown_table
from benchmarks.machine import machine

SEEDS = (0, 1, 2)
NUM_FRAMES, WIDTH, HEIGHT = 6, 40, 32
TRAIN, TEST = 40, 20  # videos of a class; of a rare one two are taught
RARE = 2
RECIPE: dict[str, dict[str, Any]] = {
    "data": {"workers": 0},
    "input": {"size": 32, "short_side": 32},
    "flow": {"fields": 1, "bound": 4.0},  # a pixel is 32 codes: how these are rounded tells nothing
    "segments": {"train": 2, "test": 2},
    "model": {
        "kind": "san",
        "streams": {
            "flow": {
                "backbone": "small", "weights": "none", "train_from": "none", "standardise": True,
                "conv6_channels": 16,
            }
        },
    },
    "train": {
        "optimizer": "adamw", "learning_rate": 3e-3, "schedule": "constant", "iterations": 60,
        "batch_size": 16, "checkpoint_every": 60, "accelerator": "cpu",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Drift:
    """How a class's texture moves: pixels a frame, to the right and down; each video adds its own noise."""

    right: float
    down: float
    noise: float
    num_train: int = TRAIN


DIRECTIONS = {
    "drift_left": Drift(-1, 0, 0.3),
    "drift_right": Drift(1, 0, 0.3),
    "rise": Drift(0, -1, 0.3),
}
IMBALANCED = {
    "fast": Drift(1.5, 0, 0.3),
    "slow": Drift(0.5, 0, 0.3, RARE),
    "falling": Drift(0, 1.5, 0.3),
    "sinking": Drift(0, 0.5, 0.3, RARE),
}
OF_DIRECTIONS: dict[str, dict[str, Any]] = {
    "by default": {},
    "`train.flip=true`": {"flip": True},
    "`train.flip_pairs={drift_left: drift_right}`": {"flip_pairs": {"drift_left": "drift_right"}},
}
OF_IMBALANCE: dict[str, dict[str, Any]] = {
    "as they come": {},
    "`train.class_weights=balanced`": {"class_weights": "balanced"},
    "`train.balanced_sampling=true`": {"balanced_sampling": True},
    "balanced sampling, `train.mixup=0.4`": {"balanced_sampling": True, "mixup": 0.4},
    "balanced sampling, `train.cutmix=1`": {"balanced_sampling": True, "cutmix": 1.0},
}


def main(out: Path) -> None:
    """Train all, and write the tables."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        directions = _rows(folder, DIRECTIONS, OF_DIRECTIONS, list(DIRECTIONS)[:2])
        imbalance = _rows(folder, IMBALANCED, OF_IMBALANCE, ["slow", "sinking"])
    seconds = time.perf_counter() - start
    lines = [
        "# What training does by itself",
        "",
        "`uv run python -m benchmarks.training_defaults`. Generated videos of a texture that drifts; SAN on "
        "flow, a frozen random network, 60 iterations of 16 videos. Accuracy in percent on "
        f"{TEST} test videos of each class, the mean over seeds {', '.join(map(str, SEEDS))} and the range.",
        "",
        "## Classes that differ by a direction alone",
        "",
        f"Three classes of {TRAIN} videos: to the left, to the right, up. The columns: mean class accuracy; "
        "the same of the first two classes.",
        "",
        *_table(directions, "left and right"),
        "",
        f"## Classes of {TRAIN} and of {RARE} videos, {TRAIN // RARE} to 1",
        "",
        "Two classes drift fast, to the right or down, and two rare ones slowly, each beside one. The "
        "columns: mean class accuracy; the same of the rare classes.",
        "",
        *_table(imbalance, "rare classes"),
        "",
        f"{machine()}. {seconds:.0f} s in all.",
    ]
    write_text(out, "\n".join(lines) + "\n")
    print("\n".join(lines))


Row = tuple[str, list[float], list[float]]  # of each seed: mean class accuracy, and that of some classes


def _rows(
    folder: Path, classes: Mapping[str, Drift], changes: Mapping[str, dict[str, Any]], some: Sequence[str]
) -> list[Row]:
    videos = folder / "-".join(classes)
    _write_videos(videos, classes)
    rows = []
    for number, (name, section) in enumerate(changes.items()):
        found = [
            _tested(folder, videos, f"{number}-{seed}", {**section, "seed": seed}, some) for seed in SEEDS
        ]
        rows.append((name, [one for one, _ in found], [other for _, other in found]))
    return rows


def _tested(
    folder: Path, videos: Path, name: str, section: dict[str, Any], some: Sequence[str]
) -> tuple[float, float]:
    """Mean class accuracy in percent, of all classes and of some."""
    import yaml

    values = {
        **RECIPE,
        "data": {**RECIPE["data"], "train": str(videos / "train"), "test": str(videos / "test")},
        "cache": {"folder": str(folder / "features"), "positions": 1},
        "train": {**RECIPE["train"], **section},
    }
    path = folder / "recipe.yaml"
    write_text(path, yaml.safe_dump(values))
    outcome = train(load_recipe(path), folder / videos.name / name)
    found = Model.from_folder(outcome.model_folder).evaluate(cache=folder / "features")
    right = found.scores.argmax(axis=1) == found.truth.argmax(axis=1)
    of_class = {label: float(right[found.truth[:, place]].mean()) for place, label in enumerate(found.labels)}
    every, chosen = list(of_class.values()), [of_class[label] for label in some]
    return 100 * sum(every) / len(every), 100 * sum(chosen) / len(chosen)


def _table(rows: Sequence[Row], some: str) -> list[str]:
    def cell(values: list[float]) -> str:
        return f"{np.mean(values):.1f} ({min(values):.0f} to {max(values):.0f})"

    body = [[name, cell(every), cell(chosen)] for name, every, chosen in rows]
    return markdown_table(["training", "all classes", some], body, [False, True, True]).splitlines()


def _write_videos(folder: Path, classes: Mapping[str, Drift]) -> None:
    for place, (name, drift) in enumerate(classes.items()):
        for part, count in (("train", drift.num_train), ("test", TEST)):
            for number in range(count):
                rng = np.random.default_rng([place, part == "test", number])
                _write_video(folder / part / name / f"{number:03}.avi", drift, rng)


def _write_video(path: Path, drift: Drift, rng: np.random.Generator) -> None:
    """A few waves that drift, bit by bit as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waves = rng.uniform(0.1, 0.5, (6, 2)) * rng.choice([-1, 1], (6, 2))
    phases = rng.uniform(0, 2 * np.pi, 6)
    right, down = rng.normal((drift.right, drift.down), drift.noise)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "rgb24"
        for number in range(NUM_FRAMES):
            places = waves[:, :1, None] * (x - right * number) + waves[:, 1:, None] * (y - down * number)
            level = 128 + 110 * np.sin(places + phases[:, None, None]).mean(0)
            image = np.repeat(level.astype(np.uint8)[..., None], 3, axis=2)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    beside = Path(__file__).parent / "results" / "training_defaults.md"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else beside)
