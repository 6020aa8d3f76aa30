"""``attcell detect`` and ``attcell calibrate``: actions in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attcell._log import logger
from attcell._terminal import put
from attcell.choices import DetectionFormat, DetectionRule
from attcell.cli.common.inputs import all_videos
from attcell.cli.common.options import (
    Device,
    ListRoot,
    Live,
    LiveFor,
    LiveReconnects,
    LiveWindow,
    ModelName,
    On,
    Report,
    VideosJson,
    VideosOrNone,
    files_of,
    model_or_default,
    refuse_options,
    titles_of,
    working_on,
)
from attcell.cli.predict import protocol_of, told, write_page
from attcell.errors import CallError, VideoError

if TYPE_CHECKING:
    from attcell.inference.detection_rules import RuleChoice
    from attcell.inference.model import Model
    from attcell.inference.ready import ReadyModel
    from attcell.results.detections import DetectionResults
    from attcell.types import Prediction


def detect(
    videos: VideosOrNone = None,
    model: ModelName = None,
    rule: Annotated[
        DetectionRule | None,
        typer.Option(
            help="relative: attention between the video's least and largest, times class score; classes: the "
            "same without attention; stpn: STPN's; paper: STAN's to the letter; sigmoid: the same on σ(k); "
            "evidence: as relative, with what a sample adds to the class's score in the class score's place. "
            "By default relative, and of a ready model classes."
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Frames from one sample to the next; by default the calibration's, else 5, or each row of "
            "features; of a ready model half a clip.",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Of relative, classes, stpn and evidence, in place of the rule's own."),
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
    on: On = None,
    device: Device = None,
    live: Live = None,
    window: LiveWindow = 60.0,
    for_seconds: LiveFor = None,
    reconnects: LiveReconnects = 5,
) -> None:
    """Find actions in time in videos of any length; the model learnt from labels of whole videos alone.

    Example: attcell detect long.mp4 --model runs/mine/model --report long.html

    Example: attcell detect test/*.mp4 --model runs/mine/model --json found.json --format activitynet

    Example: attcell detect --live rtsp://camera.local/stream --model runs/mine/model --report last.html
    """
    from attcell.cli._live import Watched
    from attcell.inference.detection_rules import RuleChoice
    from attcell.inference.live.watch import Watching

    choice = RuleChoice(
        rule or _usual_rule(model), threshold, attention_threshold, class_threshold, length_normalised
    )
    if live is not None:
        not_live = {"format": format_ != "attcell", "class-numbers": class_numbers, "on": on}
        refuse_options(not_live, "--live", "leave it out")
        how = Watching(choice, every, window, for_seconds, reconnects, pictures=report is not None)
        Watched(live, videos or [], model, how, json_path, report, device).run()
        return
    refuse_options({"for": for_seconds}, "files", "it ends --live")
    if not videos:
        raise CallError("no video was named; name videos, or a stream by --live ADDRESS")
    with working_on(on), all_videos(videos) as found:
        asked = _Detect(found, model, choice, every, json_path, format_, class_numbers, report, device)
        num_failed = asked.run()
    if num_failed:
        raise typer.Exit(1)


def _usual_rule(model: str | None) -> DetectionRule:
    """The rule where none is named: a ready model has class scores alone."""
    from attcell.models.ready.registry import is_ready

    return "classes" if model is None or is_ready(model) else "relative"


@dataclass(frozen=True)
class _Detect:
    """Which videos, by which model and rule, and where the detections go; the options of ``detect``."""

    videos: tuple[Path, ...]
    model_name: str | None
    choice: RuleChoice
    every: int | None
    json_path: str | None
    form: DetectionFormat
    class_numbers: Path | None
    report: Path | None
    device: str | None = None

    @property
    def model(self) -> str:
        """The model's name, also where none was given."""
        return model_or_default(self.model_name)

    def run(self) -> int:
        """Look for actions in every video, and write what was asked for.

        Returns:
            How many videos could not be read.

        Raises:
            CallError: an output that cannot be written, or an option that the rule or form has no use for.
        """
        from attcell._paths import check_outputs
        from attcell.cli.models import files_of_model, loaded_model
        from attcell.results.detections import DetectionResults

        read = [*self.videos, *files_of_model(self.model_name), *files_of(self.class_numbers)]
        check_outputs(files_of(self.report, self.json_path), read)
        self._refuse_for_ready()
        model = loaded_model(self.model_name, self.videos, self.device)
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
            facts = {"model": self.model, "rule": self._rule_words(model), **protocol_of(shown)}
            write_page(shown, self.report, facts)
        return len(self.videos) - num_read

    def _refuse_for_ready(self) -> None:
        """Raise a CallError for a rule that a ready model cannot follow."""
        from attcell.models.ready.registry import is_ready

        if not is_ready(self.model):
            return
        if self.choice.name != "classes":
            raise CallError(
                f"rule {self.choice.name} is of models with attention, and {self.model} has class scores "
                "alone; leave --rule out, or train a model"
            )
        if self.choice.length_normalised:
            raise CallError(f"an action of {self.model} scores a mean anyway; leave --length-normalised out")

    def _rule_words(self, model: Model | ReadyModel) -> str:
        from attcell.inference.detection_rules import words
        from attcell.inference.model import Model
        from attcell.inference.ready_clips import rule_words

        if isinstance(model, Model):
            return words(self.choice, model.calibration, len(model.labels))
        return rule_words(self.choice.threshold)

    def _found(self, model: Model | ReadyModel, results: DetectionResults) -> Iterator[Prediction]:
        """What is found in the videos that can be read; each one's results go out as they come."""
        from attcell.report.lines import detection_lines

        for found in told(self._by_video(model), len(self.videos), results.fail):
            results.add(found)
            if self.json_path != "-":
                put(*detection_lines(found))
            yield found

    def _by_video(self, model: Model | ReadyModel) -> Iterator[tuple[Path, Prediction | VideoError]]:
        """Each video with what is found in it, or why it cannot be read."""
        from attcell.inference.detect import detect_videos
        from attcell.inference.model import Model

        pictures = self.report is not None
        titles = titles_of(self.videos)
        if isinstance(model, Model):
            return detect_videos(model, self.videos, self.choice, self.every, titles, pictures=pictures)
        logger.info(f"rule {self._rule_words(model)}")
        return model.follow_all(self.videos, self.every, self.choice.threshold, titles, pictures=pictures)


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
    from attcell.inference.model import Model
    from attcell.inference.run import best_device

    if not model.is_dir():
        raise CallError(f"{model} is no model folder; give one, for what is learnt is written into it")
    loaded = Model.from_pretrained(model).to(best_device())
    found = calibrate_model(loaded, model, data, root, every)
    put(
        f"learnt from {found.num_videos} videos: an action is where relative attention × class score is "
        f"above {found.threshold:.2f}; without attention, where the class score is above "
        f"{found.threshold_alone:.2f}"
    )
