"""``attcell score detection``: mAP of found actions, from files alone."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from attcell.errors import CallError


class Protocol(StrEnum):
    """By whose rules."""

    thumos = "thumos"
    activitynet = "activitynet"
    both = "both"


def detection(
    files: Annotated[list[Path], typer.Argument(help="Files of detections; each by itself.")],
    truth: Annotated[
        Path, typer.Option(help="THUMOS14's annotation folder, ActivityNet's JSON, or a generated set.")
    ],
    subset: Annotated[
        str | None, typer.Option(help="Its part; by default test, of ActivityNet validation.")
    ] = None,
    protocol: Annotated[Protocol, typer.Option(help="They do not agree.")] = Protocol.both,
    thresholds: Annotated[str, typer.Option(help="Of the IoU in time.")] = "0.1,0.2,0.3,0.4,0.5,0.6,0.7",
    exclude: Annotated[list[str] | None, typer.Option(help="Leave out this video, as a faulty one.")] = None,
    class_numbers: Annotated[
        Path | None, typer.Option(help="Of THUMOS's lines: detclasslist.txt, as 7 BaseballPitch.")
    ] = None,
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write the figures to this file, or - for stdout.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the AP of every class.")] = None,
) -> None:
    """mAP of actions found in time, by the protocols of THUMOS and ActivityNet, and the AP of each class.

    Example: attcell score detection found.json --truth thumos14 --exclude video_test_0000270 --csv ap.csv
    """
    from attcell.data.annotations.thumos14_lists import read_class_numbers
    from attcell.data.detection_truth import matched, read_detection_truth
    from attcell.data.detections import read_detections
    from attcell.files import check_outputs
    from attcell.metrics import detection_map
    from attcell.metrics.detection import PROTOCOLS
    from attcell.progress import say
    from attcell.report.detection_table import DetectionReport, detection_csv
    from attcell.report.score_lines import publish

    bars = _numbers(thresholds)
    outputs = [Path(path) for path in (csv, json_path) if path not in (None, "-")]
    check_outputs(outputs, [*files, *([truth] if truth.is_file() else [])])
    known = read_detection_truth(truth, subset).without(exclude or [])
    numbers = None if class_numbers is None else read_class_numbers(class_numbers)
    reports = []
    for note in known.notes:
        say(f"attcell: {note}")
    for file in files:
        found, faults = matched(read_detections(file, numbers), known)
        for fault in faults:
            say(f"attcell: {file}: {fault}")
        figures = [
            detection_map(known.actions, found, bars, rule, ambiguous=known.ambiguous, labels=known.labels)
            for rule in PROTOCOLS
            if protocol.value in (rule, "both")
        ]
        num_empty = len(known.durations.keys() - {of.video_id for of in found})
        reports.append(
            DetectionReport(str(file), known, tuple(figures), len(found), num_empty, tuple(faults))
        )
    publish(reports, lambda: detection_csv(reports), csv, json_path)
    if any(report.faults for report in reports):
        raise typer.Exit(1)


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError as error:
        raise CallError(f"--thresholds {text} are not numbers; give some, as 0.3,0.5") from error
