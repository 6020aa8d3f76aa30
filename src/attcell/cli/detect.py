"""``attcell detect`` and ``attcell calibrate``: actions in time."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from attcell.cli._options import ListRoot
from attcell.errors import CallError, VideoError


class Rule(StrEnum):
    """How samples become actions."""

    relative = "relative"
    paper = "paper"
    sigmoid = "sigmoid"
    classes = "classes"
    stpn = "stpn"


class Format(StrEnum):
    """How detections are written."""

    attcell = "attcell"
    activitynet = "activitynet"
    thumos = "thumos"


def detect(
    videos: Annotated[list[Path], typer.Argument(help="Video files of any length, or folders of frames.")],
    model: Annotated[str, typer.Option(help="A model folder, or a Hugging Face id.")],
    rule: Annotated[
        Rule,
        typer.Option(
            help="relative: attention between the video's least and largest, times class score; classes: the "
            "same without attention; stpn: STPN's; paper: STAN's to the letter; sigmoid: the same on σ(k)."
        ),
    ] = Rule.relative,
    every: Annotated[
        int | None,
        typer.Option(min=1, help="Frames from one sample to the next; by default the calibration's, or 5."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Of relative, classes and stpn, in place of the rule's own.")
    ] = None,
    attention_threshold: Annotated[
        float | None, typer.Option(help="Of paper and sigmoid, in place of the rule's own.")
    ] = None,
    class_threshold: Annotated[float | None, typer.Option(help="The same.")] = None,
    length_normalised: Annotated[
        bool, typer.Option("--length-normalised", help="Score an action by a mean, not a sum.")
    ] = False,
    json_path: Annotated[
        str | None,
        typer.Option("--json", help="Write to this file, or - for stdout; to - and .jsonl a line a video."),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="What --json writes: our own, or a result file of a challenge.")
    ] = Format.attcell,
    class_numbers: Annotated[
        Path | None, typer.Option(help="For thumos: detclasslist.txt; by default classes count from 1.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page to look at.")] = None,
) -> None:
    """Find actions in time in videos of any length; the model learnt from labels of whole videos alone.

    Example: attcell detect long.mp4 --model runs/mine/model --report long.html

    Example: attcell detect test/*.mp4 --model runs/mine/model --json found.json --format activitynet
    """
    from attcell._files import check_outputs
    from attcell._log import logger
    from attcell.inference.detect import detect_video
    from attcell.inference.model import load
    from attcell.inference.rules import RuleChoice, words
    from attcell.inference.run import best_device
    from attcell.report.lines import detection_lines
    from attcell.report.page.page import write_report
    from attcell.results.detections import DetectionResults

    choice = RuleChoice(rule.value, threshold, attention_threshold, class_threshold, length_normalised)
    check_outputs([Path(file) for file in (report, json_path) if file not in (None, "-")], videos)
    loaded = load(model).to(best_device())
    results = DetectionResults(json_path, model, format_.value, class_numbers, videos, loaded.labels)
    shown, failed = [], False
    with results:
        for number, video in enumerate(videos, 1):
            try:
                title = f"{number}/{len(videos)} {video.name}"
                found = detect_video(loaded, video, choice, every, title)
            except VideoError as error:
                failed = True
                results.fail(str(video), str(error))
                logger.info(f"attcell: {error}")
                continue
            for note in found.notes:
                logger.info(f"{video}: {note}")
            results.add(found)
            if json_path != "-":
                print("\n".join(detection_lines(found)), flush=True)
            if report is not None:
                shown.append(found)
    if report is not None and shown:
        write_report(
            shown,
            report,
            {"model": model, "rule": words(choice, loaded.calibration, len(loaded.labels))},
        )
        logger.info(f"report: {report}")
    elif report is not None:
        logger.info(f"no report: no video could be read, and {report} is not written")
    if failed:
        raise typer.Exit(1)


def calibrate(
    model: Annotated[Path, typer.Argument(help="A model folder; what is learnt is written into it.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Training videos: a folder per class or a list; by default the recipe's."),
    ] = None,
    root: ListRoot = None,
    every: Annotated[int, typer.Option(min=1, help="Frames from one sample to the next.")] = 5,
) -> None:
    """Learn what detection needs from the training videos' labels: its thresholds, and a segment classifier.

    No times of actions are asked for. Without it attcell detect takes a threshold of 0.2.

    Example: attcell calibrate runs/mine/model
    """
    from attcell.inference.calibrate import calibrate_model
    from attcell.inference.model import load
    from attcell.inference.run import best_device

    if not model.is_dir():
        raise CallError(f"{model} is no model folder; give one, for what is learnt is written into it")
    loaded = load(model).to(best_device())
    found = calibrate_model(loaded, model, data, root, every)
    print(
        f"learnt from {found.num_videos} videos: an action is where relative attention × class score is "
        f"above {found.threshold:.2f}; without attention, where the class score is above "
        f"{found.threshold_alone:.2f}"
    )
