"""``attcell predict``: the class of videos, and where and when the evidence is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attcell._log import logger, track
from attcell.cli._options import ModelName, NumSegments, Report, Videos, VideosJson, files_of
from attcell.errors import CallError, VideoError

if TYPE_CHECKING:
    from attcell.config.schema import ModelSection
    from attcell.data.truth import BoxedVideo
    from attcell.inference.model import Model
    from attcell.results.predictions import JsonResults
    from attcell.types import Prediction


def predict(
    videos: Videos,
    model: ModelName,
    segments: NumSegments = None,
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
) -> None:
    """Predict the class of videos, and show where and when the network looked.

    Example: attcell predict clip.mp4 --model runs/demo/model --report clip.html --pictures attention
    """
    num_failed = _Predict(tuple(videos), model, segments, json_path, report, pictures, truth).run()
    if num_failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Predict:
    """Which videos, by which model, and where the predictions go; the options of ``attcell predict``."""

    videos: tuple[Path, ...]
    model: str
    segments: int | None
    json_path: str | None
    report: Path | None
    pictures: Path | None
    truth: Path | None

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
        from attcell.inference.model import load
        from attcell.inference.run import best_device
        from attcell.results.predictions import JsonResults

        self._check_outputs()
        boxes = self._known_boxes()
        loaded = load(self.model).to(best_device())
        self._check_kind(loaded.recipe.model)
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
        from attcell._files import check_output, check_outputs

        if self.truth is not None and self.pictures is None:
            raise CallError("--truth is for the pictures; name their folder by --pictures too")
        check_outputs(files_of(self.report, self.json_path), self.videos)
        features = [video for video in self.videos if video.suffix == ".npy"]
        if self.pictures is not None and features:
            raise CallError(f"--pictures draw frames, and {features[0]} holds features alone; leave it out")
        if self.pictures is not None:
            check_output(self.pictures, is_folder=True)

    def _check_kind(self, network: ModelSection) -> None:
        """Raise a CallError if there are to be pictures of an attention that this network has not."""
        if self.pictures is not None and not network.has_attention:
            raise CallError(
                f"--pictures show attention, and {self.model} is of kind {network.kind}, which has none; "
                "leave it out"
            )

    def _known_boxes(self) -> dict[str, BoxedVideo] | None:
        """Where the actions of the videos are, if that is known; a CallError if the truth lacks a video."""
        if self.truth is None:
            return None
        from attcell.data.truth import read_boxes, video_named
        from attcell.synth.truth import FILE_NAME

        known, found = read_boxes(self.truth), {}
        of_set = self.truth if self.truth.is_dir() else self.truth.parent
        is_set = (of_set / FILE_NAME).exists()  # of a generated set, whose names other sets have too
        for video in self.videos:
            name = video_named(str(video.resolve()), known)
            if name is None or (is_set and (of_set / name).resolve() != video.resolve()):
                raise CallError(
                    f"{video} is no video of {self.truth}; give videos whose boxes it holds, or leave "
                    "--truth out"
                )
            found[str(video)] = known[name]
        return found

    def _predictions(self, model: Model, results: JsonResults) -> Iterator[Prediction]:
        """The predictions of the videos that can be read; each one's results go out as they come."""
        from attcell.inference.predict import predict_video
        from attcell.inference.stored_flow import with_stored_flow
        from attcell.report.lines import prediction_line

        stored = with_stored_flow(model.recipe, self.videos)
        for video in track(self.videos, len(self.videos), "predicting"):
            try:
                found = predict_video(
                    model, video, self.segments, pictures=self._are_drawn, stored_flow=video in stored
                )
            except VideoError as error:
                results.fail(str(video), str(error))
                logger.info(f"attcell: {error}")
                continue
            for note in found.notes:
                logger.info(f"{video}: {note}")
            results.add(found.to_dict())
            if not results.to_stdout:
                print(prediction_line(found), flush=True)
            yield found

    def _draw(self, predictions: Sequence[Prediction], boxes: dict[str, BoxedVideo] | None) -> None:
        """Write the page and the pictures that were asked for, where there is a prediction."""
        if self.report is not None:
            write_page(predictions, self.report, {"model": self.model})
        if self.pictures is not None and predictions:
            from attcell.report.figures.paper import write_pictures

            write_pictures(predictions, self.pictures, boxes)
            logger.info(f"pictures: {self.pictures}")
        elif self.pictures is not None:
            logger.info(f"no pictures: no video could be read, and nothing is written to {self.pictures}")


def write_page(predictions: Sequence[Prediction], path: Path, facts: dict[str, str]) -> None:
    """Write the page of these predictions, if there are any, and say so."""
    if not predictions:
        logger.info(f"no report: no video could be read, and {path} is not written")
        return
    from attcell.report.page.page import write_report

    write_report(predictions, path, facts)
    logger.info(f"report: {path}")
