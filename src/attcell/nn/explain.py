"""Does attention say what the network uses? Grad-CAM, integrated gradients, deletion and insertion, on STAN.

Grad-CAM (Selvaraju et al. 2017) shows where the gradient finds the evidence, and integrated gradients
(Sundararajan et al. 2017) share out what a class's score gains from nothing to what is seen. Deletion and
insertion (Petsiuk et al. 2018, RISE) take away first, or give first, what an order calls important. The
sooner the class's probability falls as things are deleted, and the sooner it rises as they are inserted, the
truer is the order to the network. Orders are its attention, its evidence for the class (class_evidence),
these two on the same network, and chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attcell.nn.stan import STAN
from attcell.nn.streams import feature_maps, steps_of_time


def grad_cam(
    network: STAN, maps: Mapping[str, Float[Tensor, "B T F _ _"]], label: int
) -> dict[str, Float[Tensor, "B T _ _"]]:
    """Stream → Grad-CAM's maps at the last convolution, conv6. They are not normalised, so that segments can
    be compared.

    L = ReLU(Σ_c w_c f_c), where w_c is the mean of ∂logit/∂f_c over the K×K regions of one segment.

    Args:
        network: on which gradients flow; it is left as it was.
        maps: stream → what its backbone gives.
        label: the class whose logit is explained.
    """
    local = _local_descriptors(network, maps)
    explained = {}
    for name, gradient in _gradients(network, local, label).items():
        weights = gradient.mean(dim=(-2, -1), keepdim=True)
        explained[name] = _summed(network, name, weights * local[name]).relu()
    return explained


def integrated_gradients(
    network: STAN,
    maps: Mapping[str, Float[Tensor, "B T F _ _"]],
    label: int,
    steps: int = 20,
) -> dict[str, Float[Tensor, "B T _ _"]]:
    """Stream → integrated gradients at the last convolution, conv6; negative where a region speaks against.

    f_c · ∫ ∂logit/∂f_c at a·f, over a from 0 to 1 and summed over c. All regions together add up to the logit
    less that of an empty video, whose descriptors are 0: exactly, as ``steps`` grow.

    Args:
        network: on which gradients flow; it is left as it was.
        maps: stream → what its backbone gives.
        label: the class whose logit is explained.
        steps: of the integral, by its middles.
    """
    local = _local_descriptors(network, maps)
    total = {name: torch.zeros_like(of) for name, of in local.items()}
    for step in range(steps):
        part = {name: (step + 0.5) / steps * of for name, of in local.items()}
        for name, gradient in _gradients(network, part, label).items():
            total[name] += gradient / steps
    return {name: _summed(network, name, local[name] * of) for name, of in total.items()}


_Local = Mapping[str, Float[Tensor, "B T D _ _"]]


def _local_descriptors(network: STAN, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Stream → conv6's descriptors of each region."""
    return {name: network.stream(name).descriptors(of_stream).detach() for name, of_stream in maps.items()}


def _gradients(network: STAN, local: _Local, label: int) -> dict[str, Tensor]:
    """Stream → ∂logit/∂f of every region's descriptor."""
    leaves = {name: of.detach().requires_grad_() for name, of in local.items()}
    with torch.backends.cudnn.flags(enabled=False):  # whose LSTM has no gradient outside training
        logit = network.decide([network.attention_pool(leaves)]).logits[:, label].sum()
        found = torch.autograd.grad(logit, list(leaves.values()))
    return dict(zip(leaves, found, strict=True))


def _summed(network: STAN, name: str, of_channels: Float[Tensor, "B T D _ _"]) -> Float[Tensor, "B T _ _"]:
    """The sum over a region's numbers, and over the steps of time that a backbone keeps."""
    found = of_channels.sum(dim=2)
    return steps_of_time(found).sum(dim=-3) if network.stream(name).backbone.keeps_time else found


What = Literal["regions", "segments"]
Way = Literal["deletion", "insertion"]
Order = Literal["attention", "evidence", "Grad-CAM", "integrated gradients", "random"]
ORDERS: tuple[Order, ...] = get_args(Order)
DRAWS = 10  # of the random order
STEPS = 10  # from nothing of the regions to all of them


@dataclass(frozen=True, eq=False)
class Curve:
    """The probability, step by step, of the class that the network predicts for the whole video.

    Attributes:
        what: regions are blanked in every segment and stream alike, the same share of each; segments are left
            out of the sequence, and one is always there.
        way: ``deletion`` begins with everything, ``insertion`` with next to nothing.
        order: what decides which are important.
        probabilities: (steps,), evenly spaced; of chance the mean of ten draws.
    """

    what: What
    way: Way
    order: Order
    probabilities: np.ndarray

    @property
    def area(self) -> float:
        """Under the curve: low is good for deletion, high for insertion."""
        return float(np.trapezoid(self.probabilities) / (len(self.probabilities) - 1))


def deletion_insertion(
    network: STAN, view: Mapping[str, Tensor], rng: np.random.Generator
) -> Iterator[Curve]:
    """The curves of one video: of each order, for regions and segments, by deletion and insertion.

    Args:
        network: in evaluation mode.
        view: stream → (T, C, H, W) pictures or (T, C, L, H, W) clips, before they are normalised.
        rng: of the random order, and of what ties.
    """
    video = _Video(network, view)
    for order in ORDERS:
        draws = [_curves(video, order, rng) for _ in range(DRAWS if order == "random" else 1)]
        for curves in zip(*draws, strict=True):
            yield replace(curves[0], probabilities=np.mean([of.probabilities for of in curves], axis=0))


def _curves(video: _Video, order: Order, rng: np.random.Generator) -> list[Curve]:
    """The curves of one order."""
    of_regions, of_segments = video.importance(order, rng)
    regions = {
        name: _ranks(of.reshape(len(of), -1), rng).reshape(of.shape) for name, of in of_regions.items()
    }
    segments = _ranks(of_segments[None], rng)[0]
    return [
        Curve("regions", "deletion", order, video.blanking(regions, insert=False)),
        Curve("regions", "insertion", order, video.blanking(regions, insert=True)),
        Curve("segments", "deletion", order, video.leaving_out(segments, insert=False)),
        Curve("segments", "insertion", order, video.leaving_out(segments, insert=True)),
    ]


def _ranks(importance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, M) the place of each in its row's order, the most important at 0; ties fall at random."""
    order = np.lexsort((rng.random(importance.shape), -importance), axis=-1)
    return np.argsort(order, axis=-1)


class _Video:
    """A video whose regions and segments can be taken away."""

    def __init__(self, network: STAN, view: Mapping[str, Tensor]) -> None:
        self.network = network
        self.view = view
        self.maps = self._maps(view)
        with torch.inference_mode():
            self.whole = network.decide([network.encode_with_evidence(self.maps)])
        self.label = int(self.whole.logits[0].argmax())

    def importance(self, order: Order, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Stream → (T, K, K) of its regions, and (T,) of the segments."""
        regions = {name: of[0].cpu().numpy() for name, of in self.whole.spatial_attention.items()}
        if order == "attention":
            return regions, self.whole.temporal_attention[0].cpu().numpy()
        if order == "evidence":
            return self._evidence()
        if order == "random":
            return {name: rng.random(of.shape) for name, of in regions.items()}, rng.random(len(self))
        maps = {name: of.clone() for name, of in self.maps.items()}  # out of inference mode
        explain = grad_cam if order == "Grad-CAM" else integrated_gradients
        found = {name: of[0].cpu().numpy() for name, of in explain(self.network, maps, self.label).items()}
        return found, sum((of.sum(axis=(1, 2)) for of in found.values()), np.zeros(len(self)))

    def _evidence(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        assert self.whole.evidence is not None, "it was encoded with evidence"
        above = self.whole.evidence.above_mean
        regions, segments = (
            {name: of[0, :, self.label].cpu().numpy() for name, of in by_stream.items()}
            for by_stream in (above.regions, above.segments)
        )
        return regions, sum(segments.values(), np.zeros(len(self)))

    def blanking(self, ranks: Mapping[str, np.ndarray], *, insert: bool) -> np.ndarray:
        """(STEPS + 1,) probabilities as more and more regions are blanked, or are not blank any more."""
        curve = []
        for step in range(STEPS + 1):
            blanked = {}
            for name, inputs in self.view.items():
                changed = torch.from_numpy(ranks[name] < round(step / STEPS * ranks[name][0].size))
                blanked[name] = self._blank(name, inputs, ~changed if insert else changed)
            curve.append(self._probability(self._maps(blanked)))
        return np.array(curve)

    def leaving_out(self, ranks: np.ndarray, *, insert: bool) -> np.ndarray:
        """(T,) probabilities with T to 1 segments, or with 1 to T."""
        curve = []
        for step in range(len(self)):
            kept = torch.from_numpy(ranks <= step if insert else ranks >= step)
            curve.append(self._probability({name: of[:, kept] for name, of in self.maps.items()}))
        return np.array(curve)

    def __len__(self) -> int:
        return len(next(iter(self.view.values())))

    def _blank(self, name: str, inputs: Tensor, mask: Tensor) -> Tensor:
        """The pictures with the mean colour, or no motion, in the regions (T, K, K) of the mask."""
        normalise = self.network.stream(name).normalise
        assert normalise is not None, "a recipe's network normalises its pictures"
        pixels = torch.nn.functional.interpolate(mask[:, None].float(), size=inputs.shape[-2:])
        shape = (-1, *[1] * (inputs.ndim - 2))
        blank = normalise.mean.cpu().view(shape)
        return torch.where(pixels.view(len(mask), *shape[:-2], *inputs.shape[-2:]) > 0, blank, inputs)

    def _maps(self, view: Mapping[str, Tensor]) -> dict[str, Tensor]:
        device = next(self.network.parameters()).device
        return {
            name: feature_maps(self.network.stream(name), inputs[None], device)
            for name, inputs in view.items()
        }

    @torch.inference_mode()
    def _probability(self, maps: Mapping[str, Tensor]) -> float:
        return float(self.network.attend(maps).logits[0].softmax(dim=-1)[self.label])
