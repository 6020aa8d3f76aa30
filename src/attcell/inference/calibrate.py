"""Learning what detection needs from training videos whose labels alone are known (``attcell calibrate``)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from attcell._log import track
from attcell.config.recipe import Recipe
from attcell.data.feature_store import KeptArrays
from attcell.data.sources import read_source
from attcell.errors import CallError, DataError, VideoError
from attcell.inference.calibration import Calibration, write_calibration
from attcell.inference.detection_rules import attention_of
from attcell.inference.extract import refuse_unread, unfit_features
from attcell.inference.model import Model
from attcell.inference.predict import SeenVideo, seen_one_by_one
from attcell.inference.run import as_scores
from attcell.inference.stored_flow import refuse_unfit_flow, with_stored_flow
from attcell.inference.streaming import Decoded, StreamingPass, decoded_samples, usual_every
from attcell.models.listings import part_listing
from attcell.models.weights import state_digest
from attcell.nn.streaming import Whole
from attcell.nn.whole_video import as_rows
from attcell.types import VideoRecord
from attcell.video.features import features_beside, is_features

_NEVER = -1e4  # the bias of a class that no training video shows
_KEPT_VERSION = 2  # raise it when the same network would say something else of the same video
_KEPT = ("segments", "attention", "scores")  # of a streamed video
MOST_SAMPLES = 100  # of one video, so that long videos do not outweigh others
MOST_IN_ALL = 200_000  # so that many videos do not fill the memory


@dataclass(frozen=True, eq=False)
class StreamedVideo:
    """What is kept of a training video: rows of n of its samples.

    Attributes:
        labels: the video's classes.
        segments: f_att^t.
        attention: relative, from 0 to 1 in the video; a column, or one of each class.
        scores: of the network's own classifier.
    """

    labels: tuple[int, ...]
    segments: Float[np.ndarray, "n MD"]
    attention: Float[np.ndarray, "n _"]
    scores: Float[np.ndarray, "n A"]


def stream_samples(
    model: Model,
    record: VideoRecord,
    every: int,
    most: int = MOST_SAMPLES,
    *,
    stored_flow: bool = False,
    decoded: Iterator[Decoded] | None = None,
) -> StreamedVideo:
    """At most so many samples of a training video, evenly.

    Raises:
        VideoError: it cannot be read.
    """
    video = SeenVideo.of(model, record.path, stored_flow, frames=record.frames)
    passed = StreamingPass(model, video, every, decoded)
    rows = []
    for streamed in passed:
        part = streamed.part
        scores = as_scores(part.logits, model.recipe.score_rule)
        rows.append([as_rows(of) for of in (part.segments, scores)])
    assert passed.info.num_frames > 0, "else it says what is wrong with the file"
    segments, own = (np.concatenate(column) for column in zip(*rows, strict=True))
    some = np.unique(np.linspace(0, len(own) - 1, most).round().astype(int))
    attention = _attention(passed.whole)
    return StreamedVideo(record.labels, segments[some], attention[some], own[some])


def _attention(whole: Whole) -> Float[np.ndarray, "n _"]:
    """The relative attention of all samples: one, or one of each class."""
    by_class = whole.temporal_scores_by_class
    k = whole.temporal_scores[:, None] if by_class is None else by_class
    return np.stack([attention_of(of, "relative") for of in as_rows(k).T], axis=1)


def fit_classifier(videos: Sequence[StreamedVideo], num_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The separate segment classifier: weight (A, MD) and bias (A,) of a linear softmax.

    *Reading*: every sample takes its video's labels; one of several labels counts for a part of it.
    """
    taken = [(of, label, 1 / len(of.labels)) for of in videos for label in of.labels]
    rows = np.concatenate([of.segments for of, _, _ in taken])
    truth = np.concatenate([np.full(len(of.segments), label) for of, label, _ in taken])
    shares = np.concatenate([np.full(len(of.segments), share) for of, _, share in taken])
    scale = StandardScaler().fit(rows)
    found = LogisticRegression(C=0.01, max_iter=1000).fit(scale.transform(rows), truth, shares)
    own = found.coef_ / scale.scale_
    offset = found.intercept_ - own @ scale.mean_
    if len(found.classes_) == 2:  # one row says how much the second is preferred
        own, offset = np.stack([0 * own[0], own[0]]), np.array([0, offset[0]])
    weight, bias = np.zeros((num_classes, rows.shape[1])), np.full(num_classes, _NEVER)
    weight[found.classes_], bias[found.classes_] = own, offset
    return torch.from_numpy(weight).float(), torch.from_numpy(bias).float()


def best_threshold(videos: Sequence[StreamedVideo], *, attended: bool) -> float:
    """What best tells a video's own classes from the others: the largest F1 of being above it.

    It is held against the class scores of all samples, times their attention if ``attended``.
    """
    own, others = [], []
    for of in videos:
        worth = of.scores * (of.attention if attended else 1)
        is_own = np.isin(np.arange(worth.shape[1]), of.labels)
        own.append(worth[:, is_own].ravel())
        others.append(worth[:, ~is_own].ravel())
    all_own, all_others = np.concatenate(own), np.concatenate(others)
    bars = np.arange(1, 100) / 100
    right = np.array([(all_own > bar).sum() for bar in bars])
    wrong = np.array([(all_others > bar).sum() for bar in bars])
    return float(bars[(2 * right / (right + wrong + len(all_own))).argmax()])


def calibrate(
    model: Model,
    records: Sequence[VideoRecord],
    every: int,
    *,
    stored_flow: Collection[Path] = frozenset(),
    keep_in: Path | None = None,
) -> Calibration:
    """Fit the segment classifier and choose the thresholds, from videos and their labels alone.

    Args:
        model: its network decides the device.
        records: training videos; those of no class are left out.
        every: frames from one sample to the next.
        stored_flow: the videos whose flow is taken from the store that the recipe names; of the others it is
            computed.
        keep_in: each video's samples are kept in this folder, and taken from there where the same network
            would give the same.

    Raises:
        CallError: a model that does not score single segments.
        DataError: videos that cannot be read, by name; or videos of less than two classes.
    """
    records = [record for record in records if record.labels]
    refuse_unread(list(unfit_features(model.recipe, records).values()))
    videos, unread = [], []
    most = max(5, min(MOST_SAMPLES, MOST_IN_ALL // max(len(records), 1)))
    kept = None if keep_in is None else KeptOfVideos(keep_in, model, records, {"every": every, "most": most})

    def streamed(record: VideoRecord, is_stored: bool, decoded: Iterator[Decoded]) -> dict[str, np.ndarray]:
        found = stream_samples(model, record, every, most, stored_flow=is_stored, decoded=decoded)
        return {name: getattr(found, name) for name in _KEPT}

    every_video = kept_or_streamed(model, records, every, stored_flow, kept, streamed)
    for record, arrays in zip(
        records, track(every_video, len(records), "streaming training videos"), strict=True
    ):
        if isinstance(arrays, VideoError):
            unread.append(str(arrays))
        else:
            videos.append(StreamedVideo(record.labels, **arrays))
    refuse_unread(unread)
    shown = {label for of in videos for label in of.labels}
    if len(shown) < 2:
        raise DataError(f"the training videos are of {len(shown)} classes; at least 2 are needed")
    weight, bias = fit_classifier(videos, len(model.labels))
    return Calibration(
        weight,
        bias,
        threshold=best_threshold(videos, attended=True),
        threshold_alone=best_threshold(videos, attended=False),
        num_videos=len(videos),
        every=every,
    )


def kept_or_streamed(
    model: Model,
    records: Sequence[VideoRecord],
    every: int,
    stored_flow: Collection[Path],
    kept: KeptOfVideos | None,
    streamed: Callable[[VideoRecord, bool, Iterator[Decoded]], dict[str, np.ndarray]],
) -> Iterator[dict[str, np.ndarray] | VideoError]:
    """What a network says of each video, from what is kept or by going through it, or why it cannot be read.

    Args:
        model: its network decides the device.
        records: the videos.
        every: frames from one sample to the next.
        stored_flow: the videos whose flow is taken from the store that the recipe names.
        kept: where it is kept; None for nowhere.
        streamed: a video, whether its flow is taken, and its samples, to what is kept.
    """
    stored = [record.path in stored_flow for record in records]
    known = [
        None if kept is None else kept.read(record, stored_flow=is_stored)
        for record, is_stored in zip(records, stored, strict=True)
    ]
    lacking = [place for place, arrays in enumerate(known) if arrays is None]
    videos = [
        SeenVideo.of(model, records[place].path, stored[place], frames=records[place].frames)
        for place in lacking
    ]
    places = {(video.path, video.frames): place for video, place in zip(videos, lacking, strict=True)}

    def consume(video: SeenVideo, decoded: Iterator[Decoded]) -> dict[str, np.ndarray]:
        place = places[video.path, video.frames]
        return streamed(records[place], stored[place], decoded)

    fresh = seen_one_by_one(model, partial(decoded_samples, every=every), videos, consume)
    for record, is_stored, arrays in zip(records, stored, known, strict=True):
        if arrays is not None:
            yield arrays
            continue
        found = next(fresh)
        if kept is not None and not isinstance(found, VideoError):
            kept.write(record, found, stored_flow=is_stored)
        yield found


class KeptOfVideos:
    """What a network said of one video after another, kept so that work which was broken off goes on.

    It holds for the same weights, the same input and the same ``settings``: flow from the store and computed
    flow are different inputs, and files of features that were changed are others.

    Args:
        folder: where it lies.
        model: the network and how its input is made.
        records: all videos that it is for.
        settings: whatever else it depends on, in plain types.
    """

    def __init__(
        self, folder: Path, model: Model, records: Sequence[VideoRecord], settings: Mapping[str, Any]
    ) -> None:
        made_by = {"version": _KEPT_VERSION, **settings, "network": state_digest(model.network)}
        for section in ("input", "flow", "clip", "features"):
            made_by[section] = getattr(model.recipe, section).model_dump(mode="json")
        made_by["files"] = [_state(path) for path in _feature_files(model.recipe, records)]
        self._kept = {
            is_stored: KeptArrays(folder, {**made_by, "stored_flow": is_stored})
            for is_stored in (False, True)
        }

    def read(self, record: VideoRecord, *, stored_flow: bool) -> dict[str, np.ndarray] | None:
        """As of :class:`KeptArrays`."""
        return self._kept[stored_flow].read(record)

    def write(self, record: VideoRecord, arrays: Mapping[str, np.ndarray], *, stored_flow: bool) -> None:
        """As of :class:`KeptArrays`."""
        self._kept[stored_flow].write(record, arrays)


def _feature_files(recipe: Recipe, records: Sequence[VideoRecord]) -> list[Path]:
    """Where the features of these videos lie, as far as they are given beside the videos."""
    folder = recipe.features.folder
    if folder is None:
        return []
    files = []
    for record in records:
        if not is_features(record.path):
            with suppress(VideoError):  # it is told when the video is looked at
                files.append(features_beside(folder, record.path))
    return files


def _state(path: Path) -> tuple[str, int, int]:
    """A file, its size and when it was last changed."""
    found = path.stat()
    return str(path.absolute()), found.st_size, found.st_mtime_ns


def calibrated(
    folder: Path,
    records: Sequence[VideoRecord],
    every: int,
    device: torch.device,
    *,
    from_store: bool = True,
    keep_in: Path | None = None,
) -> Model:
    """The model of a folder, calibrated on these videos; a calibration that is there and fits is taken.

    Args:
        folder: the model folder; a new calibration is written into it.
        records: training videos, as of :func:`calibrate`.
        every: frames from one sample to the next.
        device: where the network is to be.
        from_store: take flow from the store that the recipe names, where it fits.
        keep_in: as of :func:`calibrate`.

    Raises:
        CallError, DataError: as of :func:`calibrate`.
    """
    model = Model.from_folder(folder).to(device)
    there, num_videos = model.calibration, sum(bool(record.labels) for record in records)
    if there is not None and (there.num_videos, there.every) == (num_videos, every):
        return model
    paths = [record.path for record in records]
    stored_flow = with_stored_flow(model.recipe, paths) if from_store else frozenset[Path]()
    found = calibrate(model, records, every, stored_flow=stored_flow, keep_in=keep_in)
    write_calibration(folder, found, state_digest(model.network))
    return Model.from_folder(folder).to(device)


def calibrate_model(
    model: Model, folder: Path, source: Path | None, root: Path | None, every: int | None
) -> Calibration:
    """Calibrate a model on its training videos, and write what is learnt into its folder.

    Args:
        model: the model in ``folder``.
        folder: a model folder.
        source: training videos; by default those that the model's recipe names.
        root: what a list's paths are relative to.
        every: frames from one sample to the next; by default 5, or each row of features.

    Raises:
        CallError: as of :func:`calibrate`, or there are no training videos.
        DataError: as of :func:`calibrate`, or a source that is not right; or the recipe's store lacks flow of
            its own training videos.
    """
    if source is None:
        listing = part_listing(model.recipe.data, "train", model.labels)
    else:
        listing = read_source(source, root, model.labels)
    if listing is None:
        raise CallError("the model's recipe names no training videos; give some by --data")
    every = usual_every(listing.records[0].path) if every is None else every
    paths = [record.path for record in listing.records]
    if source is None:
        refuse_unfit_flow(model.recipe, listing.records)
    found = calibrate(model, listing.records, every, stored_flow=with_stored_flow(model.recipe, paths))
    write_calibration(folder, found, state_digest(model.network))
    return found
