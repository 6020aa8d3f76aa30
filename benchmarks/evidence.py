"""Evidence by class beside attention and Grad-CAM: where its peak lies, and whether the network uses it.

    uv run python -m benchmarks.evidence [--seeds 0 1 2] [--out runs/evidence]

For each seed the demo is made anew. All of its test videos are held against the truth: does the peak of a map
lie on the actor, how much of the map lies there, and does the order of segments put those with the action
first? Then regions and segments are taken away and given in each order (deletion and insertion), for three
videos of each class. The class is always the one that the network predicts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from attcell._files import write_text
from attcell._log import messages_on_stderr
from attcell.data.truth import BoxedVideo, generated_boxes
from attcell.inference.evaluate import listing_of
from attcell.inference.localization import attention_metrics
from attcell.inference.model import Model
from attcell.nn.explain import ORDERS
from attcell.research.demo import STREAMS, run_demo
from attcell.research.measures import deletion_insertion_areas
from attcell.synth.truth import read_truth
from attcell.types import AttentionTrack
from benchmarks.machine import machine

RESULTS = Path(__file__).parent / "results"
MAPS = ("attention", "evidence", "evidence above the mean")
VIDEOS = 3  # of each class, for deletion and insertion

Found = tuple[AttentionTrack, BoxedVideo]
Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/evidence"))
    options = parser.parse_args()
    with messages_on_stderr():
        rows = [_of_seed(seed, options.out / f"seed{seed}") for seed in options.seeds]
    write_text(RESULTS / "evidence.md", _text(options.seeds, rows))
    sys.stdout.write(_text(options.seeds, rows))


def _of_seed(seed: int, out: Path) -> Figures:
    shutil.rmtree(out, ignore_errors=True)
    run_demo(out, seed=seed)
    model = Model.from_folder(out / "run" / "model")
    figures: Figures = {}
    for name, found in _by_map(model, out / "videos").items():
        for stream in STREAMS:
            metrics = attention_metrics(found, stream)
            figures[f"peak on the actor, {stream}: {name}"] = 100 * metrics.pointing
            figures[f"map on the actor, {stream}: {name}"] = 100 * metrics.mass
        figures[f"temporal ROC area: {name}"] = metrics.auc
    areas = deletion_insertion_areas(out / "run" / "model", VIDEOS)
    for name, area in areas.items():
        what, order = name.rsplit(", ", 1)
        figures[f"{what}: {order}"] = area
    return figures


def _by_map(model: Model, videos: Path) -> dict[str, list[Found]]:
    """Kind of map → each test video with its maps; a share of a map is that of what speaks for the class."""
    truth = generated_boxes(read_truth(videos))
    found: dict[str, list[Found]] = {name: [] for name in MAPS}
    for record in listing_of(model, "test").records:
        for name, track in zip(MAPS, _tracks(model, record.path), strict=True):
            found[name].append((track, truth[record.path.relative_to(videos.absolute()).as_posix()]))
    return found


def _tracks(model: Model, path: Path) -> Iterator[AttentionTrack]:
    prediction = model.predict(path)
    of_class = prediction.evidence[prediction.top(1)[0][0]]
    yield prediction.segments
    for shares in (of_class, of_class.above_mean):
        speaks_for = {name: np.maximum(of, 0) for name, of in shares.regions.items()}
        sums = {name: of.sum(axis=(1, 2), keepdims=True) for name, of in speaks_for.items()}
        maps = {  # even where no region speaks for the class
            name: np.where(sums[name] > 0, of / np.maximum(sums[name], 1e-12), 1 / of[0].size)
            for name, of in speaks_for.items()
        }
        yield replace(prediction.segments, spatial_attention=maps, temporal_scores=shares.temporal)


def _text(seeds: list[int], rows: list[Figures]) -> str:
    lines = [
        "# Evidence by class",
        "",
        f"`uv run python -m benchmarks.evidence --seeds {' '.join(map(str, seeds))}`.",
        f"{machine()}.",
        f"The demo of each seed and its 60 test videos; deletion and insertion: {VIDEOS} of each of six",
        f"classes, {len(ORDERS)} orders, of which *evidence* is the one above the mean. In percent, but for",
        "the ROC area. High is good everywhere, also in deletion, where it is what is left below 100.",
        "",
        f"| | {' | '.join(f'seed {seed}' for seed in seeds)} | mean |",
        f"|---|{'---|' * (len(rows) + 1)}",
    ]
    for name in rows[0]:
        values = [row[name] for row in rows]
        digits = 3 if "ROC" in name else 1
        cells = [f"{value:.{digits}f}" for value in (*values, float(np.mean(values)))]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
