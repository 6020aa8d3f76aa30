"""Detections in the result files of challenges."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from attcell.errors import CallError
from attcell.files import write_text
from attcell.records import Detection


def write_activitynet(path: Path, found: Mapping[str, Sequence[Detection]]) -> None:
    """Write ActivityNet's result file, whole or not at all; ``found`` names every video looked at."""
    results = {
        video: [
            {"score": of.score, "segment": [of.start_seconds, of.end_seconds], "label": of.label}
            for of in detections
        ]
        for video, detections in found.items()
    }
    content = {"version": "VERSION 1.3", "results": results, "external_data": {}}
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_thumos(
    path: Path, found: Mapping[str, Sequence[Detection]], class_numbers: Mapping[str, int]
) -> None:
    """Write THUMOS's result lines, whole or not at all. It cannot say that nothing was found in a video.

    Raises:
        CallError: a class without a number, or a video whose name has spaces.
    """
    lines = []
    for video, detections in found.items():
        if len(video.split()) != 1:
            raise CallError(f"{video!r} has spaces, and THUMOS's lines are parted by spaces; rename it")
        for of in detections:
            if of.label not in class_numbers:
                raise CallError(f"class {of.label} has no number; name a file that has it by --class-numbers")
            number = class_numbers[of.label]
            lines.append(f"{video} {of.start_seconds:.3f} {of.end_seconds:.3f} {number} {of.score:.6g}\n")
    write_text(path, "".join(lines))
