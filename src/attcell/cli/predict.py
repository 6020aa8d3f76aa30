"""``attcell predict``: the class of videos, and where and when the evidence is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attcell._log import logger, track
from attcell._terminal import put
from attcell.choices import ClipCrops
from attcell.cli.common.inputs import all_videos
from attcell.cli.common.options import (
    Crops,
    Device,
    ModelName,
    NumClips,
    NumSegments,
    On,
    Report,
    Videos,
    VideosJson,
    files_of,
    model_or_default,
    refuse_options,
    titles_of,
    working_on,
)
from attcell.errors import CallError, VideoError

if TYPE_CHECKING:
    from attcell.data.truth import BoxedVideo
    from attcell.inference.model import Model
    from attcell.inference.ready import ReadyModel
    from attcell.results.predictions import JsonResults
    from attcell.types import Prediction


def predict(
    videos: Videos,
    model: ModelName = None,
    segments: NumSegments = None,
    clips: NumClips = None,
    crops: Crops = None,
    json_path: VideosJson = None,
    report: Report = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Write two PNG of each video to this folder: NAME-attention, NAME-mean."),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="A generated set, UCF101-24's .mat or a JSON of boxes, which go into NAME-mean."),
    ] = None,
    on: On = None,
    device: Device = None,
) -> None:
    """Predict the class of videos, and show where and when the network looked.

    Without --model a ready model answers, whose weights are downloaded once (attcell models tells of all).

    Example: attcell predict clip.mp4 --report clip.html

    Example: attcell predict clip.mp4 --model runs/demo/model --report clip.html --pictures attention

    Example: attcell predict archive "more/**/*.mkv" --model runs/demo/model --json found.jsonl
    """
    given = _Given(segments, clips, crops)
    with working_on(on), all_videos(videos) as found:
        num_failed = _Predict(found, model, given, json_path, report, pictures, truth, device).run()
    if num_failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Given:
    """What is looked at of a video: segments by a trained model, clips and crops by a ready one."""

    segments: int | None
    clips: int | None
    crops: ClipCrops | None

    def refuse(self, model: str, *, ready: bool) -> None:
        """Raise a CallError for an option that the model has no use for."""
        foreign = {"segments": self.segments} if ready else {"clips": self.clips, "crops": self.crops}
        takes = "a ready model takes --clips and --crops" if ready else "a trained model takes --segments"
        refuse_options(foreign, model, takes)


@dataclass(frozen=True)
class _Predict:
    """Which videos, by which model, and where the predictions go; the options of ``attcell predict``."""

    videos: tuple[Path, ...]
    model_name: str | None
    given: _Given
    json_path: str | None
    report: Path | None
    pictures: Path | None
    truth: Path | None
    device: str | None = None

    @property
    def model(self) -> str:
        """The model's name, also where none was given."""
        return model_or_default(self.model_name)

    @property
    def _is_ready(self) -> bool:
        from attcell.models.ready.registry import is_ready

        return is_ready(self.model)

    @property
    def _are_drawn(self) -> bool:
        """Whether the predictions are needed, with their pictures, when all videos are done."""
        return self.report is not None or self.pictures is not None

    def run(self) -> int:
        """Predict every video and write what was asked for.

        Returns:
            How many videos could not be read.

        Raises:
            CallError: an output that cannot be written, or a truth that does not know the videos.
        """
        from attcell.cli.models import loaded_model
        from attcell.results.predictions import JsonResults

        self._check_outputs()
        boxes = self._known_boxes()
        self.given.refuse(self.model, ready=self._is_ready)
        loaded = loaded_model(self.model_name, self.videos, self.device)
        self._check_kind(loaded)
        drawn, num_read = [], 0
        with JsonResults(self.json_path, self.model, "predictions") as results:
            for prediction in self._predictions(loaded, results):
                num_read += 1
                if self._are_drawn:
                    drawn.append(prediction)
        self._draw(drawn, boxes)
        return len(self.videos) - num_read

    def _check_outputs(self) -> None:
        """Look whether all can be written, and not over the videos, before long work is done for it."""
        from attcell._paths import check_output, check_outputs
        from attcell.cli.models import files_of_model

        if self.truth is not None and self.pictures is None:
            raise CallError("--truth is for the pictures; name their folder by --pictures too")
        read = [*self.videos, *files_of_model(self.model_name), *files_of(self.truth)]
        check_outputs(files_of(self.report, self.json_path), read)
        features = [video for video in self.videos if video.suffix == ".npy"]
        if self.pictures is not None and features:
            raise CallError(f"--pictures draw frames, and {features[0]} holds features alone; leave it out")
        if self.pictures is not None:
            check_output(self.pictures, is_folder=True)

    def _check_kind(self, model: Model | ReadyModel) -> None:
        """Raise a CallError if there are to be pictures of an attention that this network has not."""
        from attcell.inference.model import Model

        if self.pictures is None or not isinstance(model, Model) or model.recipe.model.has_attention:
            return
        raise CallError(
            f"--pictures show attention, and {self.model} is of kind {model.recipe.model.kind}, which "
            "has none; leave it out"
        )

    def _known_boxes(self) -> dict[str, BoxedVideo] | None:
        """Where the actions of the videos are, if that is known; a CallError if the truth lacks a video."""
        if self.truth is None:
            return None
        from attcell._paths import real_path
        from attcell.data.truth import read_boxes, video_named
        from attcell.synth.truth import FILE_NAME

        known, found = read_boxes(self.truth), {}
        of_set = self.truth if self.truth.is_dir() else self.truth.parent
        is_set = (of_set / FILE_NAME).exists()  # of a generated set, whose names other sets have too
        for video in self.videos:
            name = video_named(str(real_path(video)), known)
            if name is None or (is_set and real_path(of_set / name) != real_path(video)):
                raise CallError(
                    f"{video} is no video of {self.truth}; give videos whose boxes it holds, or leave "
                    "--truth out"
                )
            found[str(video)] = known[name]
        return found

    def _predictions(self, model: Model | ReadyModel, results: JsonResults) -> Iterator[Prediction]:
        """The predictions of the videos that can be read; each one's results go out as they come."""
        from attcell.inference.model import Model
        from attcell.report.lines import prediction_line

        by_video = self._by_segments(model) if isinstance(model, Model) else self._by_clips(model)
        for found in told(by_video, len(self.videos), results.fail):
            results.add(found.to_dict())
            if not results.to_stdout:
                put(prediction_line(found))
            yield found

    def _by_segments(self, model: Model) -> Iterator[tuple[Path, Prediction | VideoError]]:
        """Each video with what a trained model says, or why it cannot be read."""
        from attcell.inference.predict import predict_videos

        found = predict_videos(model, self.videos, self.given.segments, pictures=self._are_drawn)
        return track(found, len(self.videos), "predicting")

    def _by_clips(self, model: ReadyModel) -> Iterator[tuple[Path, Prediction | VideoError]]:
        """Each video with what a ready model says, or why it cannot be read."""
        titles = titles_of(self.videos)
        clips, crops = self.given.clips, self.given.crops or 1
        return model.predict_all(
            self.videos, clips=clips, crops=crops, pictures=self._are_drawn, titles=titles
        )

    def _draw(self, predictions: Sequence[Prediction], boxes: dict[str, BoxedVideo] | None) -> None:
        """Write the page and the pictures that were asked for, where there is a prediction."""
        if self.report is not None:
            write_page(predictions, self.report, {"model": self.model, **protocol_of(predictions)})
        if self.pictures is not None and predictions:
            from attcell.report.figures.paper import write_pictures

            write_pictures(predictions, self.pictures, boxes)
            logger.info(f"pictures: {self.pictures}")
        elif self.pictures is not None:
            logger.info(f"no pictures: no video could be read, and nothing is written to {self.pictures}")


def told(
    by_video: Iterable[tuple[Path, Prediction | VideoError]],
    num_videos: int,
    fail: Callable[[str, str], None],
) -> Iterator[Prediction]:
    """The predictions of the videos that can be read, as they come, while what is worth knowing of each is
    logged; ``fail`` gets each other video, and why it cannot be read.
    """
    from attcell.inference.heard import Notes

    notes = Notes(num_videos)
    for video, found in by_video:
        if isinstance(found, VideoError):
            fail(str(video), str(found))
            logger.info(f"attcell: {found}")
            continue
        for line in notes.of(found):
            logger.info(line)
        if found.explanation is not None:
            logger.info(f"{video}: {found.explanation.protocol}")
        yield found
    for line in notes.at_the_end():
        logger.info(line)


def protocol_of(predictions: Sequence[Prediction]) -> dict[str, str]:
    """What a ready model was shown of the videos, for the page."""
    told = {one.explanation.protocol: None for one in predictions if one.explanation is not None}
    return {"protocol": "; ".join(told)} if told else {}


def write_page(predictions: Sequence[Prediction], path: Path, facts: dict[str, str]) -> None:
    """Write the page of these predictions, if there are any, and say so."""
    if not predictions:
        logger.info(f"no report: no video could be read, and {path} is not written")
        return
    from attcell.report.page.page import write_report

    write_report(predictions, path, facts)
    logger.info(f"report: {path}")
