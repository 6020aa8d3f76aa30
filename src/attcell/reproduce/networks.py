"""The networks of the suite of generated videos, as recipes: CNNs, and what is trained on frozen ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attcell.config import Recipe, check_recipe
from attcell.demo import attention_recipe, backbone_recipe
from attcell.reproduce.videos import FLOW_SIDE, Videos

STREAMS = ("frame", "flow")
ALL_STREAMS = (*STREAMS, "clip")
CONV6 = 32  # filters: few, for the videos are few
TAP = "block3"  # a region of the last map sees half of the frame, one of this a figure
BRANCHES = ("tan", "own_gates", "two_stream", "fc", "branch_selection", "spatial_attention")  # TAN's kinds


@dataclass(frozen=True)
class Network:
    """A network on frozen CNNs.

    Attributes:
        name: in the table; with small letters and dashes, its run's folder.
        kind: as in a recipe, and ``fusion`` too.
        streams: which it has.
        tap: the feature map of the CNNs of frame and flow that it stands on; the last one if None.
        training: what its recipe's section ``train`` says otherwise.
    """

    name: str
    kind: str
    fusion: str = "early"
    streams: tuple[str, ...] = STREAMS
    tap: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)

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
    Network("gates that ask the own branch", "own_gates", tap=TAP),
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
    values = backbone_recipe(videos.folder, stream, weights)
    values["name"], values["data"]["test"] = name, values["data"]["val"]
    values["train"].update(epochs=epochs, batch_size=batch_size)
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
    values = attention_recipe(videos.folder, {stream: cnns[stream] for stream in network.streams}, features)
    values["name"] = network.folder
    values["data"]["test"] = str(videos.test)
    values["model"].update(kind=network.kind, fusion=network.fusion)
    values["segments"]["test"] = 24 if network.kind in BRANCHES else 48
    for name, stream in values["model"]["streams"].items():
        stream["tap"] = network.tap if name in STREAMS else None
        stream["conv6_channels"] = CONV6
        if network.kind in BRANCHES:
            del stream["conv6_channels"]
    values["train"].update(epochs=epochs, **network.training)
    values["cache"]["positions"] = 2
    return _checked(values, videos)


def on_trimmed(recipe: Recipe, batch_size: int = 8) -> Recipe:
    """The same with four segments, for trimmed videos take three or four seconds."""
    values = recipe.model_dump(mode="json")
    values["segments"].update(train=4, test=4)
    values["train"]["batch_size"] = batch_size
    return check_recipe(values, source="the suite's recipe")


def _checked(values: dict[str, Any], videos: Videos) -> Recipe:
    values["flow"] = {"method": videos.flow_method, "short_side": FLOW_SIDE, "store": str(videos.flow)}
    return check_recipe(values, source="the suite's recipe")
