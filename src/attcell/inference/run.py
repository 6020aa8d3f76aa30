"""The one place where a network runs on videos, whoever asks: predict, test, validation, detect, extract.

A video comes in parts of consecutive segments. A part goes through the backbones, a bounded number of
pictures at a time, and is encoded into something small; when all parts are there, the network decides. So
memory does not grow with the length of a video but by what is encoded.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import chain
from typing import Any, Generic, TypeVar, cast

import torch
from jaxtyping import Float
from torch import Tensor

from attcell._checks import shown
from attcell.choices import ScoreRule
from attcell.data.datasets import Views
from attcell.errors import CallError, ModelError, VideoError
from attcell.nn import Network, Output
from attcell.nn.streams import GPU_BATCH, feature_maps

KEPT_SEGMENTS = 64  # of kept feature maps, encoded at once

Inputs = Mapping[str, Tensor]  # stream → (V, t, ...): V views of t consecutive segments
Encoded = list[list[Any]]  # of each view, what the network makes of its segments, in order of time
Kept = TypeVar("Kept")


def best_device() -> torch.device:
    """The first GPU if PyTorch finds one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_named(device: str | torch.device) -> torch.device:
    """The device of this name.

    Raises:
        CallError: not a device, or one that PyTorch does not find here.
    """
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise CallError(f'device is {shown(device)}; give one such as "cpu" or "cuda"') from error
    if place.type == "cuda" and not torch.cuda.is_available():
        raise CallError(f'device is {shown(device)}, and PyTorch finds no GPU; give "cpu"')
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        there = ", ".join(f"cuda:{number}" for number in range(torch.cuda.device_count()))
        raise CallError(f"device is {shown(device)}, and PyTorch finds {there}; give one of these")
    if place.type == "mps" and not torch.backends.mps.is_available():
        raise CallError(f'device is {shown(device)}, and PyTorch finds no Apple GPU; give "cpu"')
    if place.type not in ("cpu", "cuda", "mps"):
        raise CallError(f'device is {shown(device)}; networks run on "cpu", "cuda", "cuda:1" or "mps"')
    return place


def device_of(network: Network) -> torch.device:
    """Where a network is."""
    return _first_numbers(network).device


def _first_numbers(network: Network) -> Tensor:
    """Some of its numbers, for their device and precision: statistics have none that are trained, but the
    figures of their input, or of an SVM."""
    numbers = chain(network.parameters(), network.buffers())
    return next((of for of in numbers if of.is_floating_point()), torch.zeros(()))


@torch.inference_mode()
def part_maps(network: Network, inputs: Inputs) -> dict[str, Tensor]:
    """Stream → (V, t, F, K, K): the backbones' feature maps of a part's pictures or clips."""
    device = device_of(network)
    return {name: feature_maps(network.stream(name), of, device) for name, of in inputs.items()}


@torch.inference_mode()
def encode_part(
    network: Network, inputs: Inputs, *, kept_features: bool = False, with_evidence: bool = False
) -> Encoded:
    """What a network makes of a part of a video.

    Args:
        network: in test mode. Its device decides.
        inputs: the part's pictures and clips, or their kept feature maps, which are in 16 bits until here.
        kept_features: whether it is the latter.
        with_evidence: with what each region adds to each class, where the network can tell.
    """
    encode = network.encode_with_evidence if with_evidence else network.encode
    maps = inputs if kept_features else part_maps(network, inputs)
    device, precision = device_of(network), _first_numbers(network).dtype
    num_views, num_segments = next(iter(maps.values())).shape[:2]
    encoded: Encoded = [[] for _ in range(num_views)]
    for view in range(num_views):
        for start in range(0, num_segments, KEPT_SEGMENTS):
            rows = slice(start, start + KEPT_SEGMENTS)
            some = {name: of[view : view + 1, rows].to(device) for name, of in maps.items()}
            if kept_features:
                some = {name: of.to(precision) for name, of in some.items()}
            encoded[view].append(encode(some))
    _give_memory_back()
    return encoded


def _give_memory_back() -> None:
    """Give free memory back to the system, where the C library can.

    What is kept of each part lies among the large tensors that come and go with it. It leaves holes that no
    large one fits into, and without this the process would grow although it holds next to nothing.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """glibc's malloc_trim; None elsewhere."""
    try:
        return cast(Callable[[int], int], ctypes.CDLL(None).malloc_trim)
    except (OSError, AttributeError, TypeError):
        return None


@torch.inference_mode()
def decide_views(network: Network, parts: Sequence[Encoded]) -> list[Output]:
    """The network's output for each view of a video, from all of its parts in order of time."""
    views = zip(*parts, strict=True)
    return [network.decide([of for part in view for of in part]) for view in views]


def run_views(network: Network, inputs: Inputs, *, kept_features: bool = False) -> list[Output]:
    """The output for each view of a video that is there as a whole; arguments as of :func:`encode_part`."""
    return decide_views(network, [encode_part(network, inputs, kept_features=kept_features)])


@dataclass
class Gathered(Generic[Kept]):
    """A video that came in parts.

    Attributes:
        video: which of the data set's records.
        parts: what was computed of each part, in order of time; none of a video that cannot be read.
        notes: on the video's file.
        error: why it cannot be read.
    """

    video: int
    parts: list[Kept] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    error: VideoError | None = None


class Gatherer(Generic[Kept]):
    """Joins the parts of videos, which may come in turn from several workers.

    Args:
        compute: from a part's inputs to what is kept of it.
    """

    def __init__(self, compute: Callable[[Inputs], Kept]) -> None:
        self._compute = compute
        self._begun: dict[int, Gathered[Kept]] = {}

    def add(self, part: Views) -> Gathered[Kept] | None:
        """Take the next part, and return its video if it is the last one."""
        found = self._begun.setdefault(part.video, Gathered(part.video))
        if part.error is not None or part.start == 0:  # what came before is void
            found.parts.clear()
        if part.error is None:
            found.parts.append(self._compute(part.inputs))
        if not (part.is_last or part.error is not None):
            return None
        found.notes, found.error = part.notes, part.error
        return self._begun.pop(part.video)


def gather(parts: Iterable[Views], compute: Callable[[Inputs], Kept]) -> Iterator[Gathered[Kept]]:
    """Videos as soon as all of their parts have come, with what was computed of each part."""
    gatherer = Gatherer(compute)
    for part in parts:
        done = gatherer.add(part)
        if done is not None:
            yield done


def with_maps(network: Network, parts: Iterable[Views], at_once: int | None = None) -> Iterator[Views]:
    """The parts, with their feature maps in place of pictures and clips.

    Args:
        network: in test mode. Its device decides.
        parts: as they come.
        at_once: parts of several videos go through the backbones together up to so many pictures, so that
            short ones fill a GPU. By default what a backbone sees at once there; on a CPU each goes alone,
            for the last bits of its maps would depend on the others.
    """
    if at_once is None:
        at_once = GPU_BATCH if device_of(network).type == "cuda" else 0
    waiting: list[Views] = []
    for part in parts:
        if waiting and (part.error is not None or _shapes(part) != _shapes(waiting[0])):
            yield from _maps_together(network, waiting)
            waiting = []
        if part.error is not None:
            yield part
            continue
        waiting.append(part)
        if sum(map(_num_pictures, waiting)) >= at_once:
            yield from _maps_together(network, waiting)
            waiting = []
        del part  # before the next one is made
    if waiting:
        yield from _maps_together(network, waiting)


def _shapes(part: Views) -> dict[str, torch.Size]:
    """Of each stream's picture or clip."""
    return {name: of.shape[2:] for name, of in part.inputs.items()}


def _num_pictures(part: Views) -> int:
    """Of the stream that has most; a clip is its frames."""
    shapes = [of.shape for of in part.inputs.values()]
    return max(views * segments * (rest[1] if len(rest) == 4 else 1) for views, segments, *rest in shapes)


def _maps_together(network: Network, parts: Sequence[Views]) -> Iterator[Views]:
    if len(parts) == 1:
        yield replace(parts[0], inputs=part_maps(network, parts[0].inputs))
        return
    joined = {
        name: torch.cat([part.inputs[name].flatten(0, 1) for part in parts])[None] for name in parts[0].inputs
    }
    maps = {name: of[0] for name, of in part_maps(network, joined).items()}
    first = 0
    for part in parts:
        views, segments = next(iter(part.inputs.values())).shape[:2]
        rows = slice(first, first := first + views * segments)
        own = {name: of[rows].unflatten(0, (views, segments)) for name, of in maps.items()}
        yield replace(part, inputs=own)


def run_videos(
    network: Network, parts: Iterable[Views], *, kept_features: bool
) -> Iterator[Gathered[Encoded]]:
    """Videos with what the network makes of their parts, for :func:`decide_views`.

    Args:
        network: in test mode. Its device decides.
        parts: such as a loader of :class:`~attcell.data.datasets.PlannedParts`, or of
            :class:`~attcell.data.datasets.KeptViews`, which holds feature maps.
        kept_features: whether it is the latter.
    """
    maps = parts if kept_features else with_maps(network, parts)
    return gather(maps, partial(encode_part, network, kept_features=True))


# What a network's logits become: probabilities that sum to 1; one for each class by itself; an SVM's
# margins.


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


@dataclass(frozen=True)
class MirroredViews:
    """Which of a video's views are mirror images, and what these show.

    Attributes:
        first: the first of them; all after it are, too.
        exchanged: class → the class that its mirror image shows; empty where each shows its own.
    """

    first: int
    exchanged: tuple[int, ...]


def mean_scores(
    outputs: Sequence[Output], rule: ScoreRule, mirrored: MirroredViews | None = None
) -> VideoScores:
    """Class scores, averaged over the outputs for a video's views.

    Where mirror images show other classes, a class gets of these views the score of what it shows there.

    Raises:
        ModelError: they are not finite numbers.
    """
    sums: dict[str, Tensor] = {}
    for view, out in enumerate(outputs):
        is_exchanged = mirrored is not None and view >= mirrored.first and bool(mirrored.exchanged)
        for name, logits in {"": out.logits, **out.logits_by_stream}.items():
            own = logits[0][list(mirrored.exchanged)] if mirrored is not None and is_exchanged else logits[0]
            sums[name] = as_scores(own, rule) + sums.get(name, 0)
    means = {name: total / len(outputs) for name, total in sums.items()}
    refuse_not_finite(means[""])
    return VideoScores(means.pop(""), means)


def refuse_not_finite(scores: Tensor) -> None:
    """Raise a ModelError for scores that are no finite numbers: they must not pass for an answer."""
    if not torch.isfinite(scores).all():
        raise ModelError(
            "the network's scores are not finite numbers: its weights are broken; train it again"
        )
