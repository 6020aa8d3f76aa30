"""The networks of the suite of generated videos, as recipes: CNNs, and what is trained on frozen ones."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attcell.config.recipe import Recipe, check_recipe
from attcell.research.suites.videos import FLOW_METHOD, FLOW_SIDE, Videos

STREAMS = ("frame", "flow")
ALL_STREAMS = (*STREAMS, "clip")
CONV6 = 32  # filters: few, for the videos are few
TAP = "block3"  # a region of the last map sees half of the frame, one of this a figure
BACKBONES = {"frame": "small", "flow": "small", "clip": "small3d"}
INPUT: dict[str, dict[str, Any]] = {
    "input": {"size": 112, "short_side": 112},
    "clip": {"frames": 8},  # two thirds of a second
}
TRAINING = {
    "optimizer": "adamw",
    "learning_rate": 2e-3,
    "weight_decay": 0.01,
    "schedule": "onecycle",
    "clip_gradient_norm": 1.0,
}
BRANCHES = ("tan", "self_gates", "two_stream", "fc", "branch_selection", "spatial_attention")  # TAN's kinds


@dataclass(frozen=True)
class Network:
    """A network on frozen CNNs.

    Attributes:
        name: in the table; with small letters and dashes, its run's folder.
        kind: as in a recipe, and ``fusion`` too.
        streams: which it has.
        tap: the feature map of the CNNs of frame and flow that it stands on; the last one if None.
        training: what its recipe's section ``train`` says otherwise.
        model: the same of its section ``model``.
    """

    name: str
    kind: str
    fusion: str = "early"
    streams: tuple[str, ...] = STREAMS
    tap: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Of its runs."""
        return self.name.lower().replace(",", "").replace(" ", "-")


STAN = Network("STAN", "stan", tap=TAP)
SAN = Network("SAN", "san", tap=TAP)
THREE_STREAMS = Network("STAN of three streams", "stan", streams=ALL_STREAMS, tap=TAP)
TAN = Network("TAN", "tan", tap=TAP)
SELECTIONS = (
    Network("branch selection", "branch_selection", tap=TAP),
    Network("branch selection with L2", "branch_selection", tap=TAP, training={"gate_penalty": 0.1}),
)
UNTRIMMED = (
    STAN,
    SAN,
    Network("averaging", "average", tap=TAP),
    Network("STAN late", "stan", "late", tap=TAP),
    Network("SAN late", "san", "late", tap=TAP),
    TAN,
    Network("averaged branches", "two_stream", tap=TAP),
    Network("FC fusion", "fc", tap=TAP),
    *SELECTIONS,
    Network("attention over regions", "spatial_attention", tap=TAP),
    Network("gates that ask the own branch", "self_gates", tap=TAP),
)
SMALL_SET = (  # few trimmed videos of more classes: of the CNNs' own set all would be right
    Network("STAN, small set", "stan"),
    Network("SAN, small set", "san"),
    Network("STAN on the tap before, small set", "stan", tap=TAP),
    Network("SAN on the tap before, small set", "san", tap=TAP),
    Network("STAN two taps before, small set", "stan", tap="block2"),
    Network("averaged branches, small set", "two_stream"),
)


def cnn_recipe(
    name: str, videos: Videos, stream: str, epochs: int, weights: str = "none", batch_size: int = 8
) -> Recipe:
    """One stream's CNN, trained alone on trimmed videos; it is tested on its validation videos."""
    values = {
        **deepcopy(INPUT),
        "name": name,
        "data": {
            "train": str(videos.folder / "train"),
            **dict.fromkeys(("val", "test"), str(videos.folder / "val")),
        },
        "segments": {"train": 4, "test": 4},
        "model": _model({stream: {"weights": weights, "conv6_channels": 128}}),
        "train": {**TRAINING, "epochs": epochs, "batch_size": batch_size, "checkpoint_every": 150},
    }
    return _checked(values, videos)


def network_recipe(
    network: Network, videos: Videos, cnns: Mapping[str, Path], features: Path, epochs: int
) -> Recipe:
    """A network on frozen CNNs, trained by labels of whole videos.

    Args:
        network: which.
        videos: what it learns from and is tested on.
        cnns: stream → the model folder of its CNN.
        features: where the CNNs' feature maps are kept.
        epochs: over the training videos.
    """
    has_branches = network.kind in BRANCHES
    streams = {name: _on_frozen(network, name, cnns[name]) for name in network.streams}
    values = {
        **deepcopy(INPUT),
        "name": network.folder,
        "data": {split: str(videos.folder / split) for split in ("train", "val")}
        | {"test": str(videos.test)},
        "segments": {"train": 12, "test": 24 if has_branches else 48},
        "cache": {"folder": str(features), "positions": 2, "mirrored": True},
        "model": {**_model(streams), "kind": network.kind, "fusion": network.fusion, **network.model},
        "train": {**TRAINING, "epochs": epochs, "batch_size": 8, "checkpoint_every": 90, **network.training},
    }
    return _checked(values, videos)


def _on_frozen(network: Network, stream: str, cnn: Path) -> dict[str, Any]:
    """A stream of the network on a trained CNN, whose feature maps are kept."""
    own = {} if network.kind in BRANCHES else {"conv6_channels": CONV6}
    tap = network.tap if stream in STREAMS else None
    return {"weights": str(cnn), "train_from": "none", "standardise": True, "tap": tap, **own}


def _model(streams: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    named = {name: {"backbone": BACKBONES[name], **values} for name, values in streams.items()}
    return {"kind": "stan", "streams": named, "lstm_hidden": 128, "dropout": 0.3}


def on_trimmed(recipe: Recipe, batch_size: int = 8) -> Recipe:
    """The same with four segments, for trimmed videos take three or four seconds."""
    values = recipe.model_dump(mode="json")
    values["segments"].update(train=4, test=4)
    values["train"]["batch_size"] = batch_size
    return check_recipe(values, source="the suite's recipe")


def _checked(values: dict[str, Any], videos: Videos) -> Recipe:
    values["flow"] = {"method": FLOW_METHOD, "short_side": FLOW_SIDE, "store": str(videos.flow)}
    return check_recipe(values, source="the suite's recipe")


# The small set: few trimmed videos of more classes, and what CNNs and a TAN bring that learnt from more

NUM_CLASSES = 10  # five of them are among the large set's six
BATCH = 4  # few videos: more steps from each pass over them
LARGE = Network("TAN of the large set", "tan")
NO_STAGE = Network("TAN without a stage", "tan")
OWN_CNNS = Network("TAN on its own CNNs", "tan")
LARGE_CNNS = Network("TAN on the large set's CNNs", "tan")
LARGE_TAN = Network("TAN begun as the large set's", "tan")


def small_cnn_recipes(small: Videos, epochs: int) -> list[Recipe]:
    """The CNN stage on the small set."""
    return [cnn_recipe(small_cnn(stream), small, stream, epochs, batch_size=BATCH) for stream in STREAMS]


def small_cnn(stream: str) -> str:
    """The name of a stream's CNN that learnt from the small set."""
    return f"small-cnn-{stream}"


def first_recipes(
    small: Videos, large: Videos, cnns: Mapping[str, Path], features: Path, epochs: tuple[int, int]
) -> dict[str, Recipe]:
    """Name → what stands on nothing but CNNs: STAN and its rivals, the large set's TAN, TAN from nothing.

    Args:
        small: the small set.
        large: the set that the CNNs learnt from.
        cnns: stream → the model folder of the large set's CNN.
        features: where feature maps are kept.
        epochs: of the CNN stage, and of a network after it.
    """
    on_cnns = {network.name: small_recipe(network, small, cnns, features, epochs[1]) for network in SMALL_SET}
    large_tan = on_trimmed(network_recipe(LARGE, large, cnns, features, epochs[1]))
    return {NO_STAGE.name: _without_stage(small, sum(epochs)), LARGE.name: large_tan, **on_cnns}


def later_recipes(
    small: Videos,
    small_cnns: Mapping[str, Path],
    large_cnns: Mapping[str, Path],
    large_tan: Path,
    features: Path,
    epochs: int,
) -> dict[str, Recipe]:
    """Name → TAN on the small set, with something that was trained before.

    Args:
        small: the small set.
        small_cnns: stream → the model folder of its CNN, trained on the small set.
        large_cnns: the same of the large set.
        large_tan: the model folder of the large set's TAN.
        features: where feature maps are kept.
        epochs: over the small set.
    """
    begun = small_recipe(LARGE_TAN, small, large_cnns, features, epochs).model_dump(mode="json")
    begun["model"]["init_from"] = str(large_tan)
    for stream in begun["model"]["streams"].values():
        del stream["weights"]  # its CNNs are the large set's too
    return {
        OWN_CNNS.name: small_recipe(OWN_CNNS, small, small_cnns, features, epochs),
        LARGE_CNNS.name: small_recipe(LARGE_CNNS, small, large_cnns, features, epochs),
        LARGE_TAN.name: check_recipe(begun, source="the suite's recipe"),
    }


def small_recipe(
    network: Network, small: Videos, cnns: Mapping[str, Path], features: Path, epochs: int
) -> Recipe:
    """A network on frozen CNNs, on the small set; arguments as of :func:`network_recipe`."""
    return on_trimmed(network_recipe(network, small, cnns, features, epochs), BATCH)


def _without_stage(small: Videos, epochs: int) -> Recipe:
    """TAN all at once and from nothing: nothing is frozen, and nothing is kept."""
    nothing = dict.fromkeys(STREAMS, Path("none"))
    values = small_recipe(NO_STAGE, small, nothing, Path("none"), epochs).model_dump(mode="json")
    values["cache"] = {}
    for stream in values["model"]["streams"].values():
        stream.update(weights="none", train_from="all", standardise=False)
    return check_recipe(values, source="the suite's recipe")
