"""What ``attcell predict`` does: it checks where results go, predicts each video, and writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from attcell._files import check_output, check_outputs
from attcell._log import logger, track
from attcell.config.schema import ModelSection
from attcell.data.truth import BoxedVideo, read_boxes, video_named
from attcell.errors import CallError, VideoError
from attcell.inference.model import Model
from attcell.report.figures.paper import write_pictures
from attcell.report.lines import prediction_line
from attcell.report.page.page import write_report
from attcell.results.predictions import JsonResults
from attcell.synth.truth import FILE_NAME
from attcell.types import Prediction


@dataclass(frozen=True)
class Outputs:
    """Where the predictions of ``model`` go; ``truth`` says where their actions are."""

    model: str
    json_path: str | None
    report: Path | None
    pictures: Path | None
    truth: Path | None

    def check(self, videos: Sequence[Path]) -> None:
        """Look whether all can be written, and not over the videos, before long work is done for it.

        Raises:
            CallError: two outputs are one file, or one is a video; a place cannot be written; or there is a
                truth but no picture to draw it in.
        """
        if self.truth is not None and self.pictures is None:
            raise CallError("--truth is for the pictures; name their folder by --pictures too")
        check_outputs(
            [Path(file) for file in (self.report, self.json_path) if file not in (None, "-")], videos
        )
        if self.pictures is not None:
            check_output(self.pictures, is_folder=True)

    def check_kind(self, network: ModelSection) -> None:
        """Raise a CallError if there are to be pictures of an attention that this network has not."""
        if self.pictures is not None and not network.has_attention:
            raise CallError(
                f"--pictures show attention, and {self.model} is of kind {network.kind}, which has none; "
                "leave it out"
            )

    def known_boxes(self, videos: Sequence[Path]) -> dict[str, BoxedVideo] | None:
        """Where the actions of the videos are, if that is known.

        Raises:
            CallError: a video that is not among those of the truth.
        """
        if self.truth is None:
            return None
        known, found = read_boxes(self.truth), {}
        of_set = self.truth if self.truth.is_dir() else self.truth.parent
        is_set = (of_set / FILE_NAME).exists()  # of a generated set, whose names other sets have too
        for video in videos:
            name = video_named(str(video.resolve()), known)
            if name is None or (is_set and (of_set / name).resolve() != video.resolve()):
                raise CallError(
                    f"{video} is no video of {self.truth}; give videos whose boxes it holds, or leave "
                    "--truth out"
                )
            found[str(video)] = known[name]
        return found

    @property
    def are_drawn(self) -> bool:
        """Are the predictions needed when all videos are done?"""
        return self.report is not None or self.pictures is not None

    def draw(self, predictions: Sequence[Prediction], known: dict[str, BoxedVideo] | None) -> None:
        """Write the page and the pictures that were asked for, where there is a prediction."""
        if self.report is not None and predictions:
            write_report(predictions, self.report, {"model": self.model})
            logger.info(f"report: {self.report}")
        elif self.report is not None:
            logger.info(f"no report: no video could be read, and {self.report} is not written")
        if self.pictures is not None and predictions:
            write_pictures(predictions, self.pictures, known)
            logger.info(f"pictures: {self.pictures}")
        elif self.pictures is not None:
            logger.info(f"no pictures: no video could be read, and nothing is written to {self.pictures}")


def predict_all(
    model: Model, videos: Sequence[Path], segments: int | None, results: JsonResults, *, keep: bool
) -> tuple[list[Prediction], int]:
    """Predict videos and hand out each one's results as they come.

    Returns:
        The predictions of the videos that can be read, if they are to be kept, and the number of the others.
    """
    predictions: list[Prediction] = []
    num_failed = 0
    for video in track(videos, len(videos), "predicting"):
        try:
            found = model.predict(video, segments=segments)
        except VideoError as error:
            num_failed += 1
            results.fail(str(video), str(error))
            logger.info(f"attcell: {error}")
            continue
        for note in found.notes:
            logger.info(f"{video}: {note}")
        results.add(found.to_dict())
        if not results.to_stdout:
            print(prediction_line(found), flush=True)
        if keep:
            predictions.append(found)
    return predictions, num_failed
