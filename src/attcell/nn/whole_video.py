"""What weights the segments of a video, where the whole video must be known before any of them is weighted.

An encoder-decoder asks when the encoder has come to the end, an LSTM of two directions also runs from there,
and in self-attention every segment asks all others. So all f_att are kept while a video comes, in rows that
may lie on disk, and then gone over in parts: what is held at once does not grow with the video's length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from attcell.nn.temporal import EncoderDecoder, SelfAttention, TemporalAttention

PART = 512  # rows that are gone over at once


@runtime_checkable
class Rows(Protocol):
    """Rows of numbers of one video in order of time, that can be read in parts."""

    def __len__(self) -> int: ...

    def part(self, start: int, end: int) -> np.ndarray:
        """The rows from ``start`` on, before ``end``."""
        ...


@runtime_checkable
class Kept(Rows, Protocol):
    """The same, where rows are put behind those that are there."""

    def add(self, rows: np.ndarray) -> None:
        """Add (N, ...) rows; those of the first call decide shape and type."""
        ...


Keep = Callable[[], Kept]  # a new place for rows


class Growing:
    """An array in memory that rows are added to.

    The rows lie in one block that doubles when it is full. Kept one small array a call, among the large ones
    that come and go with every part of a long video, they would leave holes that no large one fits into, and
    the process would grow although it holds next to nothing.
    """

    def __init__(self) -> None:
        self._block = np.empty(0)
        self._num_rows = 0

    def add(self, rows: np.ndarray) -> None:
        """Add (N, ...) rows; those of the first call decide shape and type."""
        if not len(self._block):
            self._block = np.empty((max(len(rows), 1024), *rows.shape[1:]), rows.dtype)
        total = self._num_rows + len(rows)
        if total > len(self._block):
            larger = np.empty((max(total, 2 * len(self._block)), *rows.shape[1:]), rows.dtype)
            larger[: self._num_rows] = self.rows
            self._block = larger
        self._block[self._num_rows : total] = rows
        self._num_rows = total

    def __len__(self) -> int:
        return self._num_rows

    @property
    def rows(self) -> np.ndarray:
        """All rows so far."""
        return self._block[: self._num_rows]

    def part(self, start: int, end: int) -> np.ndarray:
        """Some of them."""
        return self.rows[start:end]


def as_rows(values: Tensor) -> np.ndarray:
    """A tensor's numbers, to be kept: in single precision, or in double where they are."""
    return (values if values.dtype == torch.float64 else values.float()).cpu().numpy()


def needs_whole_video(temporal: nn.Module) -> bool:
    """Whether what a segment counts depends on those that come after it."""
    if isinstance(temporal, TemporalAttention):
        return bool(temporal.lstm.bidirectional)
    return isinstance(temporal, EncoderDecoder | SelfAttention)


def scores_of_whole(temporal: nn.Module, segments: Rows, keep: Keep) -> Float[Tensor, "T Q"]:
    """The raw scores k of all segments of a video: of one temporal attention, Q = 1, or of one a class.

    Args:
        temporal: one that :func:`needs_whole_video`, in test mode.
        segments: f_att^t, row by row.
        keep: makes the places of what is computed on the way.
    """
    video = _Video(segments, keep, next(temporal.parameters()))
    if isinstance(temporal, SelfAttention):
        return _by_self_attention(temporal, video)
    if isinstance(temporal, EncoderDecoder):
        outputs, last = _encoded(temporal.encoder, video)
        states = temporal.decode(last)
        return torch.cat([temporal.ask(part, states)[0].T for _, part in video.parts(outputs)])
    assert isinstance(temporal, TemporalAttention), "it was asked what it needs"
    outputs, _ = _encoded(temporal.lstm, video)
    return torch.cat([temporal.attention(part)[0].T for _, part in video.parts(outputs)])


@dataclass(frozen=True)
class _Video:
    """Rows of a video, and where and how they become tensors.

    Attributes:
        segments: f_att^t.
        keep: makes places for more rows.
        like: a tensor of the network, whose device and precision are taken.
    """

    segments: Rows
    keep: Keep
    like: Tensor

    def parts(self, rows: Rows) -> Iterator[tuple[int, Float[Tensor, "1 t D"]]]:
        """Consecutive parts of some rows, each with the place of its first."""
        for start in range(0, len(rows), PART):
            part = torch.from_numpy(rows.part(start, min(start + PART, len(rows))))
            yield start, part[None].to(self.like)


@dataclass(frozen=True)
class _Turned:
    """Rows from the last to the first."""

    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, end: int) -> np.ndarray:
        """Some of them."""
        return self.rows.part(len(self) - end, len(self) - start)[::-1].copy()


@dataclass(frozen=True)
class _SideBySide:
    """The rows of both, side by side."""

    left: Rows
    right: Rows

    def __len__(self) -> int:
        return len(self.left)

    def part(self, start: int, end: int) -> np.ndarray:
        """Some of them."""
        return np.concatenate([self.left.part(start, end), self.right.part(start, end)], axis=1)


def _encoded(lstm: nn.LSTM, video: _Video) -> tuple[Rows, Float[Tensor, "directions 1 H"]]:
    """The outputs of an LSTM over the whole video, layer by layer, and the last of each direction."""
    rows, last = video.segments, []
    for layer in range(lstm.num_layers):
        forward, end = _run(_direction(lstm, f"l{layer}"), rows, video)
        last = [end]
        if not lstm.bidirectional:
            rows = forward
            continue
        backward, end = _run(_direction(lstm, f"l{layer}_reverse"), _Turned(rows), video)
        last.append(end)
        rows = _SideBySide(forward, _Turned(backward))
    return rows, torch.cat(last)


def _run(lstm: nn.LSTM, rows: Rows, video: _Video) -> tuple[Rows, Float[Tensor, "1 1 H"]]:
    """The outputs of an LSTM of one layer and direction, part by part, and the last of them."""
    outputs, memory = video.keep(), None
    for _, part in video.parts(rows):
        found, memory = lstm(part, memory)
        outputs.add(as_rows(found[0]))
    assert memory is not None, "a video has segments"
    return outputs, memory[0]


def _direction(lstm: nn.LSTM, which: str) -> nn.LSTM:
    """One layer and direction of an LSTM, such as ``l0_reverse``, as an LSTM of its own."""
    weights = {
        f"{name}_l0": getattr(lstm, f"{name}_{which}")
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    one = nn.LSTM(weights["weight_ih_l0"].shape[1], lstm.hidden_size, batch_first=True)
    one.to(weights["weight_ih_l0"]).load_state_dict(weights)
    return one


def _by_self_attention(temporal: SelfAttention, video: _Video) -> Float[Tensor, "T 1"]:
    """Keys and values of all segments are kept; then each part of the segments asks them, part by part."""
    layer, num = temporal.layer, len(video.segments)
    weight, bias = layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias
    width = weight.shape[1]
    asked = video.keep()
    for start, part in video.parts(video.segments):
        placed = temporal.placed(part, start, num)
        asked.add(as_rows(F.linear(placed, weight[width:], bias[width:])[0]))
    scores = []
    for start, part in video.parts(video.segments):
        placed = temporal.placed(part, start, num)
        queries = F.linear(placed, weight[:width], bias[:width])[0]
        attended = _attended(queries, video, asked, layer.self_attn.num_heads)
        inner = layer.norm1(placed + layer.self_attn.out_proj(attended))
        outputs = layer.norm2(inner + layer.linear2(F.relu(layer.linear1(inner))))
        scores.append(temporal.attention(outputs)[0].T)
    return torch.cat(scores)


def _attended(queries: Float[Tensor, "t H"], video: _Video, asked: Rows, heads: int) -> Float[Tensor, "t H"]:
    """Scaled dot-product attention over keys and values that come in parts: sums are kept relative to the
    largest score so far."""
    of_heads = queries.unflatten(1, (heads, -1)).transpose(0, 1)  # (heads, t, size)
    of_heads = of_heads / of_heads.shape[-1] ** 0.5
    largest = torch.full_like(of_heads[..., :1], -torch.inf)
    weights, found = torch.zeros_like(largest), torch.zeros_like(of_heads)
    for _, part in video.parts(asked):
        keys, values = part[0].unflatten(1, (2, heads, -1)).permute(1, 2, 0, 3)
        scores = of_heads @ keys.transpose(1, 2)
        before, largest = largest, torch.maximum(largest, scores.amax(dim=-1, keepdim=True))
        shrink, exponentials = (before - largest).exp(), (scores - largest).exp()
        weights = shrink * weights + exponentials.sum(dim=-1, keepdim=True)
        found = shrink * found + exponentials @ values
    return (found / weights).transpose(0, 1).flatten(1)
