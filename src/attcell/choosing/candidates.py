"""The candidates: rows of the packaged recipe ``your-videos``, from simple to rich, with overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attcell._log import logger
from attcell.config.loading import close_names, find_recipe, fits, merged_row, read_recipe_file
from attcell.config.overrides import read_overrides
from attcell.config.recipe import Recipe, check_recipe
from attcell.config.train_section import ONLY_OF_ITERATIONS
from attcell.errors import CallError, ModelError
from attcell.models.ready.kinetics import PREFIX
from attcell.models.ready.registry import ready_infos
from attcell.models.weights import (
    SHIPPED_INPUT,
    load_backbone_weights,
    no_weights,
    shipped_weights,
)
from attcell.nn import build_backbone

TABLE = "your-videos"
QUICK = "both-svm"  # what --quick tries: frames and flow, and nothing is trained but an SVM
CLIPS = "clip-svm"
SHIPPED = "shipped"
SHIPPED_TAP = "block3"  # of the shipped backbones: a region of it sees about a figure
BACKBONE = "squeezenet"
_OWN_KEYS = ("data.train", "data.val", "data.test", "data.root", "data.groups", "data.val_fraction", "name")
_OF_SEVERAL = ("train.devices", "train.num_nodes", "train.strategy")
# Of networks, and not of an SVM alone.
_OF_TRAINED = ("train.epochs", "train.iterations", *(f"train.{key}" for key in ONLY_OF_ITERATIONS))


@dataclass(frozen=True)
class Candidate:
    """One of the networks to choose among.

    Attributes:
        name: of its row.
        values: of its recipe, but for the videos.
    """

    name: str
    values: Mapping[str, Any]

    def recipe(self, lists: Path, beginning: str, root: Path, features: Path) -> Recipe:
        """Its recipe on some of the videos.

        Args:
            lists: the folder of the lists.
            beginning: of the names of two lists: ``2-``, or nothing for all videos.
            root: what the lists' paths start from.
            features: where feature maps are kept.
        """
        groups = lists / ("train-groups.csv" if beginning else "groups.csv")
        data = {
            **self.values["data"],
            "train": str(lists / f"{beginning}train.txt"),
            "test": str(lists / f"{beginning}test.txt"),
            "root": str(root),
            **({"groups": str(groups)} if groups.is_file() else {}),
        }
        cache = {**self.values["cache"], "folder": str(features)}
        train = self.values["train"]
        if beginning:  # of a part of the videos the scores are kept alone
            train = {**train, "loggers": [], "pictures": None}
        values = {**self.values, "name": self.name, "data": data, "cache": cache, "train": train}
        return check_recipe(values, source=f"{TABLE}, row {self.name}")


def candidate_names() -> tuple[str, ...]:
    """The names of all candidates, from simple to rich; clips where a backbone is on this machine."""
    names = read_recipe_file(find_recipe(TABLE)).row_names
    return names if clip_backbone() is not None else tuple(name for name in names if name != CLIPS)


def clip_backbone() -> str | None:
    """The ready model of Kinetics that is best by its published accuracy, of those on this machine."""
    there = [info for info in ready_infos() if info.is_here]
    best = max(there, key=lambda info: info.top1, default=None)
    return None if best is None else best.name.removeprefix(PREFIX)


def check_name(name: str) -> None:
    """Raise a CallError if no candidate is called so, with the names that are close to it."""
    names = candidate_names()
    if name == CLIPS and name not in names:
        raise CallError(
            f"{CLIPS} needs a ready model of Kinetics on this machine, and there is none; attcell models "
            "lists them, and attcell predict VIDEO --model NAME downloads one"
        )
    if name not in names:
        raise CallError(
            f"no candidate is called {name}; {close_names(name, names)}they are {', '.join(names)}"
        )


def candidates(names: Sequence[str], overrides: Sequence[str], weights: str) -> list[Candidate]:
    """The candidates of these names, with overrides over them.

    Args:
        names: in the order of the table.
        overrides: ``KEY=VALUE``, or ``PATTERN:KEY=VALUE`` for some candidates; how networks are trained goes
            to those that are.
        weights: ``pretrained``, ``shipped``, or a file of SqueezeNet's.

    Raises:
        CallError: an unknown or wrong value, a pattern that fits no candidate, or what is no one's to say.
    """
    given = read_overrides(overrides)
    for change in given:
        if change.key in (*_OWN_KEYS, *_OF_SEVERAL, "cache.folder"):
            does = "gives each network one device" if change.key in _OF_SEVERAL else "finds that itself"
            raise CallError(
                f"{change.text}: attcell train FOLDER {does}; leave it out, or train one recipe: "
                f"attcell train {TABLE} --row {names[0]} {change.text}"
            )
        if change.pattern is not None and change.key == "train.seed":
            raise CallError(
                f"{change.text}: one seed for all candidates, for it draws the test part and the folds too; "
                f"give train.seed={change.text.rpartition('=')[2]}"
            )
        if change.pattern is not None and not any(fits(name, change.pattern) for name in candidate_names()):
            raise CallError(
                f"override {change.text!r}: no candidate fits {change.pattern}; they are "
                f"{', '.join(candidate_names())}"
            )
    file = read_recipe_file(find_recipe(TABLE))
    placeholder = read_overrides(["data.train=videos"])
    found = []
    for name in names:
        changes = [*placeholder, *read_overrides(_of_weights(name, weights))]
        changes += [change for change in given if change.pattern is None or fits(name, change.pattern)]
        if name.endswith("-svm"):
            changes = [change for change in changes if change.key not in _OF_TRAINED]
        found.append(Candidate(name, merged_row(file, name, changes).checked().model_dump(mode="json")))
    return found


def _of_weights(name: str, weights: str) -> list[str]:
    """What the weights change of a candidate's recipe."""
    if name == CLIPS:
        return [f"model.streams.clip.backbone={clip_backbone()}"]
    if weights != SHIPPED:
        return [f"model.weights={weights}"]
    streams = ("frame", "flow") if name.startswith("both") else (name.split("-", maxsplit=1)[0],)
    changes = [
        f"{section}.{key}={value}" for section, of in SHIPPED_INPUT.items() for key, value in of.items()
    ]
    for stream in streams:
        place = f"model.streams.{stream}"
        changes += [f"{place}.backbone=small", f"{place}.tap={SHIPPED_TAP}"]
        changes += [f"{place}.weights={shipped_weights(stream)}"]
    return changes


def weights_at_hand(weights: str | None) -> str:
    """The weights that the backbones begin with: those that are given; by default torchvision's for
    ImageNet, and where they are not on this machine and cannot be downloaded, the package's own small ones.

    Raises:
        CallError: no such file.
        ModelError: a file of another network.
    """
    if weights == SHIPPED:
        return weights
    if weights not in (None, "pretrained") and not Path(weights or "").is_file():
        raise CallError(f"--weights: {no_weights(Path(weights or ''))}; or {SHIPPED}, the package's own")
    try:
        load_backbone_weights(build_backbone(BACKBONE, None), weights or "pretrained")
    except ModelError as error:
        if weights is not None:
            raise
        logger.warning(
            f"{error}. Without it the package's own small backbones are taken, which know generated figures "
            "alone: expect less. Better: --weights FILE, torchvision's squeezenet1_0, from a machine with a "
            "network"
        )
        return SHIPPED
    return "pretrained" if weights in (None, "pretrained") else str(Path(weights or "").absolute())
