"""The networks of the suite of generated videos, as recipes: CNNs on trimmed videos, and what is on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attcell.config import Recipe, check_recipe
from attcell.demo import attention_recipe, backbone_recipe

STREAMS = ("frame", "flow")
CONV6 = 32  # filters: few, for the videos are few
FLOW_SIDE = 56  # pixels of the short side that flow is computed at, half of the frame's
FLOW_METHOD = "fast"
NETWORKS = {  # name in the table → kind and fusion
    "averaging": ("average", "early"),
    "SAN": ("san", "early"),
    "STAN": ("stan", "early"),
    "SAN, late fusion": ("san", "late"),
    "STAN, late fusion": ("stan", "late"),
}


def cnn_recipe(videos: Path, flow: Path, stream: str, epochs: int) -> Recipe:
    """One stream's CNN, trained alone on trimmed videos; it is tested on its validation videos.

    Args:
        videos: the folder of a generated set with ``train`` and ``val``.
        flow: the store with its flow.
        stream: frame or flow.
        epochs: over the training videos.
    """
    values = backbone_recipe(videos, stream)
    values["name"], values["data"]["test"] = f"cnn-{stream}", values["data"]["val"]
    values["train"]["epochs"] = epochs
    return _checked(values, flow)


def network_recipe(name: str, videos: Path, flow: Path, cnns: Path, features: Path, epochs: int) -> Recipe:
    """A network of frame and flow on frozen CNNs, trained on untrimmed videos by labels of whole videos.

    Args:
        name: one of ``NETWORKS``.
        videos: the folder of a generated set with ``train``, ``val`` and ``test``.
        flow: the store with its flow.
        cnns: the folder where the runs of :func:`cnn_recipe` are.
        features: where the CNNs' feature maps are kept.
        epochs: over the training videos.
    """
    values = attention_recipe(videos, {stream: model_of(cnns, stream) for stream in STREAMS}, features)
    kind, fusion = NETWORKS[name]
    values["name"] = run_name(name)
    values["model"].update(kind=kind, fusion=fusion)
    for stream in values["model"]["streams"].values():
        stream["conv6_channels"] = CONV6
    values["train"]["epochs"], values["cache"]["positions"] = epochs, 2
    return _checked(values, flow)


def run_name(name: str) -> str:
    """The folder of a network's run."""
    return name.lower().replace(", ", "-").replace(" ", "-")


def model_of(cnns: Path, stream: str) -> Path:
    """The model folder of a stream's CNN."""
    return cnns / f"cnn-{stream}" / "split1-seed0" / "model"


def _checked(values: dict[str, Any], flow: Path) -> Recipe:
    values["flow"] = {"method": FLOW_METHOD, "short_side": FLOW_SIDE, "store": str(flow)}
    return check_recipe(values, source="the suite's recipe")
