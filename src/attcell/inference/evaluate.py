"""Testing a model on a set of videos: scores and figures, with the protocol that made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attcell._checks import shown
from attcell._log import logger, track
from attcell._paths import absolute_text
from attcell._spread import in_places, spread
from attcell.choices import ClipCrops, DataPart, NumCrops
from attcell.config.beside import PublishedSection
from attcell.data.datasets import KeptViews, PlannedParts, Views
from attcell.data.feature_store import FeatureStore
from attcell.data.groups import shared_groups
from attcell.data.listing import Listing
from attcell.data.sources import read_source
from attcell.errors import AttcellError, CallError, VideoError
from attcell.inference.extract import filled_stores, unfit_features
from attcell.inference.heard import but_silence, silence_sentences
from attcell.inference.model import Model
from attcell.inference.protocol import protocol_of, ready_protocol, run_of
from attcell.inference.ready import ReadyModel
from attcell.inference.run import (
    Encoded,
    Gathered,
    MirroredViews,
    VideoScores,
    decide_views,
    mean_scores,
    run_videos,
)
from attcell.inference.stored_flow import unfit_flow
from attcell.metrics.recognition import (
    class_accuracies,
    confusion_matrix,
    recognition_metrics,
    truth_matrix,
)
from attcell.models.build import evaluation_plan, input_spec, mirroring_of
from attcell.models.listings import part_listing, read_listings, shared_videos
from attcell.results.scores import Scores, write_scores
from attcell.types import Prediction, VideoRecord
from attcell.video.sampling import ViewPlan
from attcell.video.sound.source import NO_SOUND

OF_CLASS = "top1_of_"  # and a class: a published figure of this class alone


@dataclass(frozen=True)
class Evaluation:
    """Scores of all videos, and what they come to.

    Attributes:
        labels: the A classes.
        records: the N videos.
        scores: (N, A); a row of NaN is a video that cannot be read.
        unread: video id → message.
        notes: groups that are in training too, and damage in files of which the rest was used.
        protocol: how the scores were made, in words, by name.
        by_stream: stream → (N, A) scores of what it says by itself; empty where none does.
        run: which recipe, data set, split and seed.
        multi_label: a video may have several classes, or none.
        published: a paper's figures by the same protocol, to be printed beside ours.
        rivals: a paper's figures of methods that are not here.
    """

    labels: tuple[str, ...]
    records: tuple[VideoRecord, ...]
    scores: np.ndarray
    unread: dict[str, str]
    notes: tuple[str, ...]
    protocol: dict[str, Any]
    by_stream: dict[str, np.ndarray] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    multi_label: bool = False
    published: tuple[PublishedSection, ...] = ()
    rivals: tuple[PublishedSection, ...] = ()

    def figures(self) -> dict[str, float]:
        """Those of :func:`attcell.metrics.recognition.recognition_metrics` in percent, the first of them for
        each stream that says something by itself, and the accuracy of single classes that a paper names.
        """
        found = recognition_metrics(self.scores, self.truth, multi_label=self.multi_label)
        for name, of in self.by_stream.items():
            first, value = next(
                iter(recognition_metrics(of, self.truth, multi_label=self.multi_label).items())
            )
            found[f"{first}_{name}"] = value
        return {**{name: 100 * value for name, value in found.items()}, **self._published_classes()}

    def _published_classes(self) -> dict[str, float]:
        """The accuracy of each class of which a paper's is printed beside, such as ``top1_of_Lunges``."""
        named = {one.figure: one.figure.removeprefix(OF_CLASS) for one in self.published}
        wanted = {
            figure: label for figure, label in named.items() if figure != label and label in self.labels
        }
        if not wanted or self.multi_label:
            return {}
        found = dict(zip(self.labels, class_accuracies(self.scores, self.truth.argmax(axis=1)), strict=True))
        return {figure: float(found[label]) for figure, label in wanted.items() if np.isfinite(found[label])}

    def confusion(self) -> np.ndarray | None:
        """(A, A) counts, true class by row; None where a video may have several classes."""
        return None if self.multi_label else confusion_matrix(self.scores, self.truth.argmax(axis=1))

    @property
    def truth(self) -> np.ndarray:
        """(N, A) which classes each video has."""
        return truth_matrix([record.labels for record in self.records], len(self.labels))

    def write_scores(self, path: Path) -> None:
        """Write protocol, figures and every video's scores as JSON, whole or not at all."""
        ids = tuple(record.id for record in self.records)
        truth = tuple(tuple(self.labels[one] for one in record.labels) for record in self.records)
        more = {
            "run": self.run,
            "protocol": self.protocol,
            "figures": self.figures(),
            "published": [one.model_dump(exclude_defaults=True) for one in self.published],
            "rivals": [one.model_dump(exclude_defaults=True) for one in self.rivals],
            "unread": self.unread,
            "notes": list(self.notes),
        }
        write_scores(path, Scores(str(path), self.labels, ids, self.scores, truth), more)


def training_notes(model: Model, split: DataPart, listing: Listing) -> tuple[str, ...]:
    """Sentences where videos of one of the recipe's parts, or others of their groups, are in training too.

    Of a known data set without groups nothing is said: its notes tell what its parts share.
    """
    data = model.recipe.data
    if split == "train" or (split == "val" and data.val_fraction > 0):
        return ()
    if data.groups is None and data.train is None:
        return ()
    try:
        taught = part_listing(data, "train", model.labels)
    except AttcellError as error:  # they may be on another machine
        if data.groups is None:
            return ()
        return (f"whether groups of the {split} videos are in training too is not known: {error}",)
    assert taught is not None, "a recipe names training videos"
    shared = shared_videos(taught.records, listing.records, f"data.{split}")
    said = f"{shared}; the metrics repeat what was learnt" if shared else ""
    return tuple(filter(None, [shared_groups(taught.records, listing.records, split), said]))


def evaluate_model(
    model: Model,
    listing: Listing,
    *,
    num_segments: int | None = None,
    num_crops: NumCrops | None = None,
    cache_folder: Path | None = None,
    tested: str | None = None,
) -> Evaluation:
    """Score every video of a listing.

    Args:
        model: its network decides the device.
        listing: the videos, with the model's own classes.
        num_segments: T; by default the recipe's.
        num_crops: 1, or 10 whose scores are averaged; by default the recipe's. Without mirror images in
            training (``train.flip``) 5 of the 10 are left.
        cache_folder: keep the backbone's feature maps there, or take those that are there. Only for a model
            whose backbone is frozen.
        tested: what the listing is, where it is not what the recipe tests on; tables keep it apart.

    Raises:
        CallError: segments or crops that cannot be, or kept features of a backbone that was trained.
    """
    num_crops = model.recipe.segments.crops if num_crops is None else num_crops
    mirroring, pictures = mirroring_of(model.recipe, model.labels), model.recipe.input
    plan = evaluation_plan(model.recipe, num_segments, num_crops, mirroring)
    if num_crops == 10 and pictures.short_side == pictures.size and pictures.resize == "squash":
        raise CallError(
            f"this model sees the whole frame (squashed, short_side {pictures.short_side} = size "
            f"{pictures.size}): ten crops would be one and its mirror image; test it with 1 crop"
        )
    if num_crops == 10 and not input_spec(model.recipe).sees_pictures:
        raise CallError(
            f"this model's streams ({', '.join(model.recipe.model.streams)}) look at no frames, of which "
            "alone there are crops: ten would be the same ten times; test it with 1 crop"
        )
    if plan.num_crops == 5:
        logger.info(
            "5 crops, not 10: this model learnt from no mirror images (train.flip), and is shown none"
        )
    return _evaluation(
        model, listing, plan, _score_videos(model, listing.records, plan, cache_folder), tested
    )


def evaluation_of(model: Model, listing: Listing, predictions: Sequence[Prediction]) -> Evaluation:
    """What :func:`evaluate_model` gives, of videos that are predicted already; the recipe asks for one crop.

    Args:
        model: that predicted them.
        listing: the videos, with the model's own classes.
        predictions: one of each video, in any order.
    """
    scores = {absolute_text(one.video): torch.from_numpy(one.scores) for one in predictions}
    found = {record.id: VideoScores(scores[absolute_text(record.path)], {}) for record in listing.records}
    return _evaluation(model, listing, evaluation_plan(model.recipe), _Scored(found), None)


def _evaluation(
    model: Model, listing: Listing, plan: ViewPlan, found: _Scored, tested: str | None
) -> Evaluation:
    ids = [record.id for record in listing.records]
    scores = found.scores
    streams = next(iter(scores.values())).by_stream if scores else {}
    return Evaluation(
        model.labels,
        listing.records,
        _rows({id: of.all for id, of in scores.items()}, ids, len(model.labels)),
        found.unread,
        tuple(found.notes),
        protocol_of(model.recipe, plan, listing, len(found.unread)),
        {
            name: _rows({id: of.by_stream[name] for id, of in scores.items()}, ids, len(model.labels))
            for name in streams
        },
        run_of(model.recipe, tested),
        listing.multi_label,
    )


def evaluate_ready(
    model: ReadyModel, listing: Listing, *, clips: int | None, crops: ClipCrops, tested: str
) -> Evaluation:
    """Score every video of a listing with a network that others trained.

    Args:
        model: its network decides the device.
        listing: the videos, with the model's own classes.
        clips, crops: as of :meth:`~attcell.inference.ready.ReadyModel.predict`.
        tested: what the listing is.

    Raises:
        CallError: clips or crops that cannot be.
    """
    looked_at = model.protocol(clips, crops)
    found = _Scored()
    answers = model.class_scores(listing.records, clips=clips, crops=crops)
    for record, of in zip(listing.records, track(answers, len(listing.records), "testing"), strict=True):
        if isinstance(of, VideoError):
            found.unread[record.id] = str(of)
            continue
        scores, notes = of
        found.notes.extend(f"{record.id}: {note}" for note in notes)
        found.scores[record.id] = VideoScores(torch.from_numpy(scores), {})
    ids = [record.id for record in listing.records]
    return Evaluation(
        model.labels,
        listing.records,
        _rows({id: of.all for id, of in found.scores.items()}, ids, len(model.labels)),
        found.unread,
        tuple(found.notes),
        ready_protocol(model.name, looked_at, listing, len(found.unread)),
        run={"name": model.name, "dataset": tested, "split": None, "seed": None},
        multi_label=listing.multi_label,
    )


@dataclass
class _Scored:
    """What came of the videos: scores and messages by their ids, and notes."""

    scores: dict[str, VideoScores] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def _score_videos(
    model: Model, records: tuple[VideoRecord, ...], plan: ViewPlan, cache_folder: Path | None
) -> _Scored:
    """Run the network on all videos that can be read."""
    stores, unread = _stores_of(model, records, plan, cache_folder)
    found = _Scored(unread=unread)
    readable = [record for record in records if record.id not in unread]
    if stores is None:
        results = spread(partial(_scored, model, plan), readable, _path_of, computes=True)
    else:
        results = _scored_of(model, plan, iter(KeptViews(readable, stores)), kept_features=True)
    silent = []
    for record, of in zip(readable, track(results, len(readable), "testing"), strict=True):
        if isinstance(of, VideoError):
            found.unread[record.id] = str(of)
            continue
        found.scores[record.id], notes = of
        found.notes.extend(f"{record.id}: {note}" for note in but_silence(notes))
        silent += [record.id] if NO_SOUND in notes else []
    found.notes.extend(silence_sentences(silent, len(found.scores)))
    return found


_OfVideo = tuple[VideoScores, tuple[str, ...]]  # and notes on its file


def _scored(model: Model, plan: ViewPlan, records: Sequence[VideoRecord]) -> Iterator[_OfVideo | VideoError]:
    """What each video comes to."""
    parts = PlannedParts(records, input_spec(model.recipe), plan).walled(model.recipe.data.workers)
    return _scored_of(model, plan, parts, kept_features=False)


def _scored_of(
    model: Model, plan: ViewPlan, parts: Iterable[Views], *, kept_features: bool
) -> Iterator[_OfVideo | VideoError]:
    """The same of videos that come in parts, in their order."""
    mirrored = MirroredViews(plan.first_mirrored, mirroring_of(model.recipe, model.labels).exchanged)
    rule = model.recipe.score_rule

    def result(video: Gathered[Encoded]) -> _OfVideo | VideoError:
        if video.error is not None:
            return video.error
        return mean_scores(decide_views(model.network, video.parts), rule, mirrored), video.notes

    runs = run_videos(model.network, parts, kept_features=kept_features)
    return in_places((video.video, result(video)) for video in runs)


def _path_of(record: VideoRecord) -> Path:
    return record.path


def _rows(found: dict[str, torch.Tensor], ids: list[str], num_classes: int) -> np.ndarray:
    """(N, A) of all videos; NaN for those without scores."""
    missing = np.full(num_classes, np.nan)
    return np.stack([found[id].double().cpu().numpy() if id in found else missing for id in ids])


def _stores_of(
    model: Model,
    records: tuple[VideoRecord, ...],
    plan: ViewPlan,
    cache_folder: Path | None,
) -> tuple[dict[str, FeatureStore] | None, dict[str, str]]:
    """Stream → kept features, None where none are kept, and video id → message of what is known to be
    unreadable.
    """
    unfit = unfit_flow(model.recipe, records)
    if unfit:  # before long work
        logger.warning("\n".join(unfit.lines(model.recipe)))
    unfit |= unfit_features(model.recipe, records)
    unread = {record.id: unfit[record.path] for record in records if record.path in unfit}
    records = tuple(record for record in records if record.id not in unread)
    if cache_folder is None:
        return None, unread
    trained = [name for name in model.recipe.model.streams if not model.network.stream(name).backbone.frozen]
    if trained:
        raise CallError(
            f"this model's backbone was trained ({', '.join(trained)}): its features serve no other; "
            "leave the cache out"
        )
    stores, failed = filled_stores(cache_folder, model.recipe, model.network, records, plan, model.device)
    return stores, {**unread, **failed}


def listing_of(
    model: Model,
    split: DataPart,
    source: str | Path | None = None,
    root: str | Path | None = None,
) -> Listing:
    """The videos to test on: a split of the model's own recipe, or another source with the same classes.

    Raises:
        CallError: no such split, or the recipe names none.
        DataError: a source that is not right, or holds a class that the model does not know.
    """
    if source is not None:
        return read_source(source, root, model.labels)
    data = model.recipe.data
    if split not in ("train", "val", "test"):
        raise CallError(f"split is {shown(split)}; allowed: train, val, test")
    if split != "test" and data.val_fraction > 0:
        listings = read_listings(model.recipe, model.labels)
        records = listings.val if split == "val" else listings.train
        return Listing(records, listings.labels, multi_label=listings.multi_label)
    named = part_listing(data, split, model.labels)
    if named is None:
        raise CallError(f"the model's recipe names no {split} videos; name a source with --data")
    return named
