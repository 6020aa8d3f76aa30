"""mAP of a million detections against a hundred thousand truths, and beside the slow reference.

    uv run python -m benchmarks.detection_metrics

20 classes, 5,000 videos of 200 seconds, 20 truths and 200 detections in each: half of the detections are
truths whose ends were moved, half lie anywhere. The reference is the one of the tests, written from the
protocols' words; it runs on a part that it can do in some seconds, and its figures must be the same.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from attcell._files import write_text
from attcell.metrics import detection_map
from attcell.metrics.detection import PROTOCOLS
from attcell.types import ActionInstance, Detection
from benchmarks.machine import machine
from tests.metrics import reference_detection as reference

RESULTS = Path(__file__).parent / "results"
BARS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
CLASSES, SECONDS, TRUTHS, FOUND = 20, 200.0, 20, 200  # of each video


def main() -> None:
    rows = []
    small_truths, small_found = made(40)
    for protocol in PROTOCOLS:
        fast, figures = timed(partial(detection_map, small_truths, small_found, BARS, protocol))
        slow, expected = timed(partial(reference.mean_ap, small_truths, small_found, BARS, protocol))
        np.testing.assert_allclose(figures.mean_ap, expected, atol=1e-12)
        rows.append((protocol, len(small_found), len(small_truths), fast, slow))
    truths, found = made(5000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for protocol in PROTOCOLS:
        seconds, _ = timed(partial(detection_map, truths, found, BARS, protocol))
        rows.append((protocol, len(found), len(truths), seconds, float("nan")))
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    text = table(rows, more)
    write_text(RESULTS / "detection_metrics.md", text)
    print(text)


def made(num_videos: int, seed: int = 0) -> tuple[list[ActionInstance], list[Detection]]:
    """Truths and detections, drawn at random."""
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for number in range(num_videos):
        video = f"video {number}"
        starts, lengths = rng.uniform(0, SECONDS - 20, TRUTHS), rng.uniform(1, 20, TRUTHS)
        labels = rng.integers(CLASSES, size=TRUTHS)
        for start, length, label in zip(starts, lengths, labels, strict=True):
            truths.append(ActionInstance(video, f"class {label}", start, start + length))
        near = rng.integers(TRUTHS, size=FOUND // 2)
        moves = np.sort(rng.normal(0, 2, (FOUND // 2, 2)), axis=1)
        for place, (first, second) in zip(near, moves, strict=True):
            start, end = starts[place] + first, starts[place] + lengths[place] + second
            found.append(Detection(f"class {labels[place]}", start, end, rng.random(), video))
        for start in rng.uniform(0, SECONDS - 20, FOUND - FOUND // 2):
            label = f"class {rng.integers(CLASSES)}"
            found.append(Detection(label, start, start + rng.uniform(1, 20), rng.random(), video))
    return truths, found


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    figures = call()
    return time.perf_counter() - start, figures


def table(rows: Sequence[tuple[str, int, int, float, float]], more: float) -> str:
    """Markdown."""
    lines = [
        f"mAP at {len(BARS)} thresholds, {CLASSES} classes, {FOUND} detections and {TRUTHS} truths a video. "
        f"The reference gives the same figures (to 1e-12). The large case took {more:.0f} MiB besides its "
        f"detections. {machine()}.",
        "",
        "| protocol | detections | truths | seconds | reference, seconds | ratio |",
        "|---|---|---|---|---|---|",
    ]
    for protocol, num_found, num_truths, fast, slow in rows:
        beside = "– | –" if np.isnan(slow) else f"{slow:.1f} | {slow / fast:.0f}×"
        lines.append(f"| {protocol} | {num_found:,} | {num_truths:,} | {fast:.2f} | {beside} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
