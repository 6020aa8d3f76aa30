"""What a recipe asks of a trained network beside its test, and how the answers come into its scores.json.

Two things can be asked: the actions in the test videos (:mod:`attcell.research.detecting`), and late fusion
with another tool's scores (:func:`fuse_scores`). Neither trains anything: a run that is tested
already is asked without being trained again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from attcell._files import read_own, write_text
from attcell.config.beside import FuseSection
from attcell.config.recipe import Recipe
from attcell.data.feature_store import content_digest
from attcell.errors import DataError
from attcell.inference.model import Model
from attcell.inference.run import best_device
from attcell.metrics.recognition import recognition_metrics
from attcell.models.listings import part_listing, read_listings
from attcell.research.detecting import DETECTIONS_FILE, check_detection, find_actions, truth_digest
from attcell.results.fusion import aligned, as_probabilities, as_shares, fused, tuned
from attcell.results.runs import read_run
from attcell.results.scores import Scores, read_scores, write_scores
from attcell.types import Answer, VideoRecord

FUSED_FILE = "fused.json"  # beside the scores
_KEY = "beside"  # of scores.json


def check_asked(recipe: Recipe) -> None:
    """Find what is wrong with what a run is asked, before it is trained.

    Raises:
        CallError, DataError: as :func:`check_detection` and :func:`check_fusion`.
    """
    if recipe.detection is not None:
        check_detection(recipe, recipe.detection)
    if recipe.fuse is not None:
        check_fusion(recipe, recipe.fuse)


def is_answered(recipe: Recipe, scores: Path) -> bool:
    """Whether the scores of a test hold all that the recipe asks, and no answer to what it asks no more."""
    return bool(read_own(scores, _KEY)[_KEY].get("asked", {}) == _asked(recipe))


def answer(recipe: Recipe, run_folder: Path, scores: Path) -> None:
    """Find what the recipe asks, and put it into the scores of the run's test. What stood there goes, with
    the files of what is not asked any more.

    Raises:
        CallError, DataError, ModelError: as :func:`find_actions` and :func:`fuse_scores`.
    """
    answers: list[Answer] = []
    if recipe.detection is not None:
        answers.append(find_actions(recipe, recipe.detection, run_folder / "model", scores.parent))
    if recipe.fuse is not None:
        answers.append(fuse_scores(recipe, recipe.fuse, run_folder / "model", scores))
    content = read_own(scores, "figures", "protocol", _KEY)
    before = content.pop(_KEY)
    for part in ("figures", "protocol"):
        for name in before.get(part, ()):
            content[part].pop(name, None)
    for one in answers:
        content["figures"] |= one.metrics
        content["protocol"] |= one.protocol
    content[_KEY] = {
        "asked": _asked(recipe),
        "figures": [name for one in answers for name in one.metrics],
        "protocol": [name for one in answers for name in one.protocol],
        "unread": {video: why for one in answers for video, why in one.unread.items()},
    }
    write_text(scores, json.dumps(content, allow_nan=False) + "\n")
    for section, file in ((recipe.detection, DETECTIONS_FILE), (recipe.fuse, FUSED_FILE)):
        if section is None:
            scores.with_name(file).unlink(missing_ok=True)


def unread_beside(content: dict[str, Any]) -> dict[str, str]:
    """Video id → why it could not be read, of what a scores.json says beside the test."""
    return dict(content.get(_KEY, {}).get("unread", {}))


def _asked(recipe: Recipe) -> dict[str, Any]:
    """What the answers depend on beside the network, in plain types."""
    asked: dict[str, Any] = {}
    if recipe.detection is not None:
        asked["detection"] = recipe.detection.model_dump(mode="json")
        asked["truth"] = truth_digest(recipe, recipe.detection)
    if recipe.fuse is not None:
        asked["fuse"] = recipe.fuse.model_dump(mode="json")
        files = [recipe.fuse.scores, recipe.fuse.tune]
        asked["files"] = [content_digest(path) for path in files if path is not None]
    return asked


# Late fusion with another tool's scores: TAN+ is TAN and such a file. The weights are those of ``attcell
# score fuse``: both alike, or given, or tuned on validation videos.


def check_fusion(recipe: Recipe, section: FuseSection) -> None:
    """Find what is wrong with the other tool's files, before anything is trained.

    Raises:
        CallError: no such file.
        DataError: other videos, other classes, a video without scores, scores that are no probabilities.
    """
    taught = read_listings(recipe)
    tested = part_listing(recipe.data, "test", taught.labels)
    assert tested is not None, "planned runs have test videos"
    _theirs(recipe, section, section.scores, _stub("the test videos", taught.labels, tested.records))
    if section.tune is not None:
        _theirs(recipe, section, section.tune, _stub("the validation videos", taught.labels, taught.val))


def fuse_scores(recipe: Recipe, section: FuseSection, model_folder: Path, scores: Path) -> Answer:
    """The first metric of a run's scores and the other tool's together; ``fused.json`` is written beside.

    Args:
        recipe: of the run.
        section: what it asks.
        model_folder: the model, which scores the validation videos where the weights are tuned.
        scores: of the run's test.

    Raises:
        CallError, DataError: as of :func:`check_fusion`.
    """
    ours = read_scores(scores)
    files = aligned([as_probabilities(ours, section.softmax), _theirs(recipe, section, section.scores, ours)])
    shares, how = _shares(recipe, section, model_folder, files[0])
    whole = fused(files, shares)
    is_multi_label = "mAP" in read_run(scores).figures
    found = recognition_metrics(whole.scores, whole.truth_matrix(), multi_label=is_multi_label)
    name, value = next(iter(found.items()))
    said = f"with {section.scores.name}, weights {shares[0]:.2f} and {shares[1]:.2f} ({how})"
    write_scores(scores.with_name(FUSED_FILE), whole, {"protocol": {"fused": said}})
    return Answer({f"{name}_fused": 100 * value}, {"fused": said})


def _shares(
    recipe: Recipe, section: FuseSection, model_folder: Path, tested: Scores
) -> tuple[tuple[float, ...], str]:
    """What the network and the file count, 1 in all, and how that was chosen."""
    if section.weights is not None:
        return as_shares(section.weights, 2), "given"
    if section.tune is None:
        return as_shares((1.0, 1.0), 2), "all alike"
    ours = _validation_scores(recipe, model_folder)
    found = tuned(
        [as_probabilities(ours, section.softmax), _theirs(recipe, section, section.tune, ours)], tested
    )
    return found.shares, f"tuned on {found.num_videos} validation videos"


def _validation_scores(recipe: Recipe, model_folder: Path) -> Scores:
    """What the network says of its validation videos."""
    model = Model.from_folder(model_folder).to(best_device())
    found = model.evaluate(split="val", cache=recipe.cache.folder)
    whole = _stub("the validation videos", found.labels, found.records)
    return replace(whole, scores=found.scores)


def _stub(source: str, labels: Sequence[str], records: Sequence[VideoRecord]) -> Scores:
    """Videos with their classes, and no scores."""
    truth = tuple(tuple(labels[one] for one in record.labels) for record in records)
    ids = tuple(record.id for record in records)
    return Scores(source, tuple(labels), ids, np.zeros((len(ids), len(labels))), truth)


def _theirs(recipe: Recipe, section: FuseSection, path: Path, ours: Scores) -> Scores:
    """The other tool's scores of just these videos, as probabilities.

    Where lost videos are left out, those that the file has beyond ours are left out too.
    """
    found = read_scores(path)
    unread = [video for video, is_read in zip(found.videos, found.is_read(), strict=True) if not is_read]
    if unread:
        raise DataError(
            f"{path} has no scores of {unread[0]} (empty or NaN; {len(unread)} such videos); every video "
            "that is fused needs a score for each class"
        )
    if recipe.data.missing == "leave_out":
        wanted = set(ours.videos)
        rows = [place for place, video in enumerate(found.videos) if video in wanted]
        found = replace(
            found,
            videos=tuple(found.videos[row] for row in rows),
            scores=found.scores[rows],
            truth=tuple(found.truth[row] for row in rows),
        )
    return as_probabilities(aligned([ours, found])[1], section.softmax)
