"""Late fusion with another tool's scores as a part of a run: TAN+ is TAN and such a file.

The weights are those of ``attcell score fuse``: both alike, or given, or tuned on validation videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from attcell.config.beside import FuseSection
from attcell.config.recipe import Recipe
from attcell.errors import DataError
from attcell.inference.model import Model
from attcell.inference.run import best_device
from attcell.metrics.recognition import recognition_metrics
from attcell.models.build import part_listing, read_listings
from attcell.research.detecting import Answer
from attcell.results.fusion import aligned, as_probabilities, as_shares, fused, tuned
from attcell.results.runs import read_run
from attcell.results.scores import Scores, read_scores, write_scores
from attcell.types import VideoRecord

FUSED_FILE = "fused.json"  # beside the scores


def check_fusion(recipe: Recipe) -> None:
    """Find what is wrong with the other tool's files, before anything is trained.

    Raises:
        CallError: no such file.
        DataError: other videos, other classes, a video without scores, scores that are no probabilities.
    """
    section = recipe.fuse
    assert section is not None, "the recipe asks for it"
    taught = read_listings(recipe)
    tested = part_listing(recipe.data, "test", taught.labels)
    assert tested is not None, "planned runs have test videos"
    _theirs(recipe, section.scores, _stub("the test videos", taught.labels, tested.records))
    if section.tune is not None:
        _theirs(recipe, section.tune, _stub("the validation videos", taught.labels, taught.val))


def fuse_scores(recipe: Recipe, model_folder: Path, scores: Path) -> Answer:
    """The first metric of a run's scores and the other tool's together; ``fused.json`` is written beside.

    Args:
        recipe: of the run; it has a section ``fuse``.
        model_folder: the model, which scores the validation videos where the weights are tuned.
        scores: of the run's test.

    Raises:
        CallError, DataError: as of :func:`check_fusion`.
    """
    section = recipe.fuse
    assert section is not None, "the recipe asks for it"
    ours = read_scores(scores)
    files = aligned([as_probabilities(ours, section.softmax), _theirs(recipe, section.scores, ours)])
    shares, how = _shares(recipe, model_folder, files[0])
    whole = fused(files, shares)
    is_multi_label = "mAP" in read_run(scores).figures
    found = recognition_metrics(whole.scores, whole.truth_matrix(), multi_label=is_multi_label)
    name, value = next(iter(found.items()))
    said = f"with {section.scores.name}, weights {shares[0]:.2f} and {shares[1]:.2f} ({how})"
    write_scores(scores.with_name(FUSED_FILE), whole, {"protocol": {"fused": said}})
    return Answer({f"{name}_fused": 100 * value}, {"fused": said})


def _shares(recipe: Recipe, model_folder: Path, tested: Scores) -> tuple[tuple[float, ...], str]:
    """What the network and the file count, 1 in all, and how that was chosen."""
    section = recipe.fuse
    assert section is not None, "the recipe asks for it"
    if section.weights is not None:
        return as_shares(section.weights, 2), "given"
    if section.tune is None:
        return as_shares((1.0, 1.0), 2), "all alike"
    ours = _validation_scores(recipe, model_folder)
    found = tuned([as_probabilities(ours, section.softmax), _theirs(recipe, section.tune, ours)], tested)
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


def _theirs(recipe: Recipe, path: Path, ours: Scores) -> Scores:
    """The other tool's scores of just these videos, as probabilities.

    Where lost videos are left out, those that the file has beyond ours are left out too.
    """
    section = recipe.fuse
    assert isinstance(section, FuseSection), "the recipe asks for it"
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
