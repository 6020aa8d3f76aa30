"""Running a network on one video's views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from attcell.errors import ModelError
from attcell.nn import Network, Output
from attcell.nn.streams import feature_maps


def best_device() -> torch.device:
    """The first GPU if PyTorch finds one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def run_views(network: Network, views: Mapping[str, Tensor], *, kept_features: bool) -> Output:
    """Run the network on (V, T, ...) views of one video: pictures, or their kept feature maps."""
    device = next(network.parameters()).device
    moved = {name: view.to(device) for name, view in views.items()}
    return attend_kept(network, moved) if kept_features else network(moved)


def attend_kept(network: Network, maps: Mapping[str, Tensor]) -> Output:
    """Run what follows the backbones on kept feature maps, which are in 16 bits until here."""
    precision = next(network.parameters()).dtype
    return network.attend({name: of.to(precision) for name, of in maps.items()})


# What a network's logits become: probabilities that sum to 1; one for each class by itself; an SVM's
# margins.
ScoreRule = Literal["softmax", "sigmoid", "margin"]


def as_scores(logits: Float[Tensor, "*batch A"], rule: ScoreRule) -> Float[Tensor, "*batch A"]:
    """The logits as scores, which may be averaged."""
    if rule == "softmax":
        return logits.softmax(dim=-1)
    return logits.sigmoid() if rule == "sigmoid" else logits


@dataclass(frozen=True)
class VideoScores:
    """Class scores of one video, averaged over its views.

    Attributes:
        all: of the whole network.
        by_stream: stream → what it says by itself; empty where no stream says anything by itself.
    """

    all: Float[Tensor, " A"]
    by_stream: dict[str, Float[Tensor, " A"]]


def mean_scores(
    network: Network, views: Mapping[str, Tensor], rule: ScoreRule, *, kept_features: bool
) -> VideoScores:
    """Class scores, averaged over the views, one view at a time to bound the memory.

    Raises:
        ModelError: they are not finite numbers.
    """
    num_views = len(next(iter(views.values())))
    sums: dict[str, Tensor] = {}
    for number in range(num_views):
        view = {name: tensor[number : number + 1] for name, tensor in views.items()}
        out = run_views(network, view, kept_features=kept_features)
        for name, logits in {"": out.logits, **out.logits_by_stream}.items():
            sums[name] = as_scores(logits[0], rule) + sums.get(name, 0)
    means = {name: total / num_views for name, total in sums.items()}
    refuse_not_finite(means[""])
    return VideoScores(means.pop(""), means)


def refuse_not_finite(scores: Tensor) -> None:
    """Raise a ModelError for scores that are no finite numbers: they must not pass for an answer."""
    if not torch.isfinite(scores).all():
        raise ModelError(
            "the network's scores are not finite numbers: its weights are broken; train it again"
        )


@torch.inference_mode()
def run_pictures(network: Network, view: dict[str, torch.Tensor]) -> Output:
    """Run the network on one view of a video, stream → (T, ...), a bounded part at a time."""
    device = next(network.parameters()).device
    maps = {name: feature_maps(network.stream(name), inputs[None], device) for name, inputs in view.items()}
    return network.attend(maps)
