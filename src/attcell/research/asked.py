"""What a recipe asks of a trained network beside its test, and how the answers come into its scores.json.

Two things can be asked: the actions in the test videos (:mod:`attcell.research.detecting`), and late fusion
with another tool's scores (:mod:`attcell.research.fusing`). Neither trains anything: a run that is tested
already is asked without being trained again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attcell._files import write_text
from attcell.config.recipe import Recipe
from attcell.data.feature_store import content_digest
from attcell.research.detecting import DETECTIONS_FILE, Answer, check_detection, find_actions
from attcell.research.fusing import FUSED_FILE, check_fusion, fuse_scores

_KEY = "beside"  # of scores.json


def check_asked(recipe: Recipe) -> None:
    """Find what is wrong with what a run is asked, before it is trained.

    Raises:
        CallError, DataError: as :func:`check_detection` and :func:`check_fusion`.
    """
    if recipe.detection is not None:
        check_detection(recipe)
    if recipe.fuse is not None:
        check_fusion(recipe)


def is_answered(recipe: Recipe, scores: Path) -> bool:
    """Whether the scores of a test hold all that the recipe asks, and no answer to what it asks no more."""
    content = json.loads(scores.read_text(encoding="utf-8"))
    return bool(content.get(_KEY, {}).get("asked", {}) == _asked(recipe))


def answer(recipe: Recipe, run_folder: Path, scores: Path) -> None:
    """Find what the recipe asks, and put it into the scores of the run's test. What stood there goes, with
    the files of what is not asked any more.

    Raises:
        CallError, DataError, ModelError: as :func:`find_actions` and :func:`fuse_scores`.
    """
    answers: list[Answer] = []
    if recipe.detection is not None:
        answers.append(find_actions(recipe, run_folder / "model", scores.parent))
    if recipe.fuse is not None:
        answers.append(fuse_scores(recipe, run_folder / "model", scores))
    content = json.loads(scores.read_text(encoding="utf-8"))
    before = content.pop(_KEY, {})
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
    write_text(scores, json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")
    for section, file in ((recipe.detection, DETECTIONS_FILE), (recipe.fuse, FUSED_FILE)):
        if section is None:
            scores.with_name(file).unlink(missing_ok=True)


def unread_beside(content: dict[str, Any]) -> dict[str, str]:
    """Video id → why it could not be read, of what a scores.json says beside the test."""
    return dict(content.get(_KEY, {}).get("unread", {}))


def _asked(recipe: Recipe) -> dict[str, Any]:
    """What the answers depend on beside the network, in plain types."""
    sections = {"detection": recipe.detection, "fuse": recipe.fuse}
    asked: dict[str, Any] = {
        name: of.model_dump(mode="json") for name, of in sections.items() if of is not None
    }
    files = [] if recipe.fuse is None else [recipe.fuse.scores, recipe.fuse.tune]
    digests = [content_digest(path) for path in files if path is not None]
    return asked | ({"files": digests} if digests else {})
