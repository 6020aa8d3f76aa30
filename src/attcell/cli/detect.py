"""``attcell detect`` and ``attcell calibrate``: actions in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attcell._log import logger
from attcell.cli._options import ListRoot, ModelName, Report, Videos, VideosJson, files_of
from attcell.cli.predict import write_page
from attcell.errors import CallError, VideoError
from attcell.types import DetectionFormat, DetectionRule

if TYPE_CHECKING:
    from attcell.inference.detection_rules import RuleChoice
    from attcell.inference.model import Model
    from attcell.results.detections import DetectionResults
    from attcell.types import Prediction


def detect(
    videos: Videos,
    model: ModelName,
    rule: Annotated[
        DetectionRule,
        typer.Option(
            help="relative: attention between the video's least and largest, times class score; classes: the "
            "same without attention; stpn: STPN's; paper: STAN's to the letter; sigmoid: the same on σ(k)."
        ),
    ] = "relative",
    every: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Frames from one sample to the next; by default the calibration's, else 5, or each row of "
            "features.",
        ),
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
    json_path: VideosJson = None,
    format_: Annotated[
        DetectionFormat,
        typer.Option("--format", help="What --json writes: our own, or a result file of a challenge."),
    ] = "attcell",
    class_numbers: Annotated[
        Path | None, typer.Option(help="For thumos: detclasslist.txt; by default classes count from 1.")
    ] = None,
    report: Report = None,
) -> None:
    """Find actions in time in videos of any length; the model learnt from labels of whole videos alone.

    Example: attcell detect long.mp4 --model runs/mine/model --report long.html

    Example: attcell detect test/*.mp4 --model runs/mine/model --json found.json --format activitynet
    """
    from attcell.inference.detection_rules import RuleChoice

    choice = RuleChoice(rule, threshold, attention_threshold, class_threshold, length_normalised)
    num_failed = _Detect(tuple(videos), model, choice, every, json_path, format_, class_numbers, report).run()
    if num_failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Detect:
    """Which videos, by which model and rule, and where the detections go; the options of ``detect``."""

    videos: tuple[Path, ...]
    model: str
    choice: RuleChoice
    every: int | None
    json_path: str | None
    form: DetectionFormat
    class_numbers: Path | None
    report: Path | None

    def run(self) -> int:
        """Look for actions in every video, and write what was asked for.

        Returns:
            How many videos could not be read.

        Raises:
            CallError: an output that cannot be written, or an option that the rule or form has no use for.
        """
        from attcell._files import check_outputs
        from attcell.inference.detection_rules import words
        from attcell.inference.model import load
        from attcell.inference.run import best_device
        from attcell.results.detections import DetectionResults

        check_outputs(files_of(self.report, self.json_path), self.videos)
        model = load(self.model).to(best_device())
        results = DetectionResults(
            self.json_path, self.model, self.form, self.class_numbers, self.videos, model.labels
        )
        shown, num_read = [], 0
        with results:
            for found in self._found(model, results):
                num_read += 1
                if self.report is not None:
                    shown.append(found)
        if self.report is not None:
            rule = words(self.choice, model.calibration, len(model.labels))
            write_page(shown, self.report, {"model": self.model, "rule": rule})
        return len(self.videos) - num_read

    def _found(self, model: Model, results: DetectionResults) -> Iterator[Prediction]:
        """What is found in the videos that can be read; each one's results go out as they come."""
        from attcell.inference.detect import detect_video
        from attcell.inference.stored_flow import with_stored_flow
        from attcell.report.lines import detection_lines

        stored = with_stored_flow(model.recipe, self.videos)
        for number, video in enumerate(self.videos, 1):
            title = f"{number}/{len(self.videos)} {video.name}"
            try:
                found = detect_video(
                    model,
                    video,
                    self.choice,
                    self.every,
                    title,
                    pictures=self.report is not None,
                    stored_flow=video in stored,
                )
            except VideoError as error:
                results.fail(str(video), str(error))
                logger.info(f"attcell: {error}")
                continue
            for note in found.notes:
                logger.info(f"{video}: {note}")
            results.add(found)
            if self.json_path != "-":
                print("\n".join(detection_lines(found)), flush=True)
            yield found


def calibrate(
    model: Annotated[Path, typer.Argument(help="A model folder; what is learnt is written into it.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Training videos: a folder per class or a list; by default the recipe's."),
    ] = None,
    root: ListRoot = None,
    every: Annotated[
        int | None,
        typer.Option(
            min=1, help="Frames from one sample to the next; by default 5, or each row of features."
        ),
    ] = None,
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
