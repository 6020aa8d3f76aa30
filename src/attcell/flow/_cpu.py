"""TV-L1 on the CPU: the kernels of :mod:`attcell.flow._machine_code`, put in order for each pair.

One pair runs on one thread, in memory of its own; a batch is shared out over the threads. While a kernel runs
Python's lock is free.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from attcell.flow._machine_code import Kernels, kernels
from attcell.flow._settings import TVL1, pyramid_sizes, resize_places

_STATE, _PICTURE, _BORDER, _QUAD, _LEFT = 6, 4, 4, 4, 16  # as in the kernels
_LINE = 64  # bytes: rows begin where a line of the cache does
_FLOAT = 4  # bytes
_MOST_STEPS = 32  # more than a wave's iterations


class _Axis:
    """For each pixel of a resized row the two it lies between, and the part of the way: their addresses."""

    def __init__(self, old: int, new: int, stride: float, shrinks: bool) -> None:
        low, part = resize_places(old, new, stride, shrinks)
        padded = np.zeros(new + _LEFT, np.float32)
        padded[:new] = part
        self._held = low.astype(np.int32), np.minimum(low + 1, old - 1).astype(np.int32), padded
        self.addresses = tuple(array.ctypes.data for array in self._held)


@dataclass(frozen=True, eq=False)
class _Scale:
    """A scale of the pyramid: its size, its rows' pitch, its place among all, how pictures come to it."""

    height: int
    width: int
    pitch: int
    start: int
    shrinking: tuple[_Axis, _Axis] | None
    growing: tuple[_Axis, _Axis] | None


@lru_cache(maxsize=8)
def _scales(height: int, width: int, num_scales: int, step: float) -> tuple[_Scale, ...]:
    """The full one first."""
    sizes = pyramid_sizes(height, width, num_scales, step)
    scales: list[_Scale] = []
    start = 0
    for at, (h, w) in enumerate(sizes):
        pitch = (w // _LEFT + 1) * _LEFT
        shrinking = growing = None
        if at > 0:
            before = sizes[at - 1]
            shrinking = (_Axis(before[1], w, 1 / step, True), _Axis(before[0], h, 1 / step, True))
        if at + 1 < len(sizes):
            coarse = sizes[at + 1]
            growing = (
                _Axis(coarse[1], w, coarse[1] / w, False),
                _Axis(coarse[0], h, coarse[0] / h, False),
            )
        scales.append(_Scale(h, w, pitch, start, shrinking, growing))
        start += h * pitch
    return tuple(scales)


class _Workspace:
    """Memory for one pair of pictures at a time; addresses of its parts."""

    def __init__(self, scales: tuple[_Scale, ...], buffers: int) -> None:
        full, last = scales[0], scales[-1]
        rows, pitch = full.height, full.pitch
        self._held: dict[int, np.ndarray] = {}
        self.kind = (scales, buffers)
        pyramid = last.start + last.height * last.pitch
        self.first, self.second = self._numbers(pyramid), self._numbers(pyramid)
        self.picture = self._numbers(rows * _PICTURE * pitch)
        self.quads = self._numbers((rows + 2 * _BORDER) * (full.width + 2 * _BORDER) * _QUAD)
        self.scratch = self._numbers((rows + 16) * (pitch + 2 * _LEFT))
        self.places = self._numbers(2 * pitch)
        self.mask = self._numbers(_LEFT)
        self.states = [
            self._numbers((rows + 1) * _STATE * pitch + 2 * _STATE * _LEFT) for _ in range(buffers)
        ]
        self.moved = np.zeros(_MOST_STEPS)  # by each iteration of a wave: a sum of squares
        self.moved_at = self.moved.ctypes.data

    @property
    def num_bytes(self) -> int:
        return sum(part.nbytes for part in self._held.values())

    def view(self, address: int, height: int, width: int) -> np.ndarray:
        """The first numbers of a part (height, width)."""
        return self._held[address][: height * width].reshape(height, width)

    def _numbers(self, count: int) -> int:
        """So many float32, and some more, from a line of the cache on."""
        part = np.zeros(count + 2 * _LINE // _FLOAT, np.float32)
        part = part[-part.ctypes.data % _LINE // _FLOAT :]
        self._held[part.ctypes.data] = part
        return part.ctypes.data


class _Pool:
    """Workspaces that wait to be used again: taking memory from the system costs a fault for each page."""

    _most = 2**27  # bytes

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Workspace] = []

    @contextmanager
    def lent(self, scales: tuple[_Scale, ...], buffers: int) -> Iterator[_Workspace]:
        with self._lock:
            fitting = [space for space in self._idle if space.kind == (scales, buffers)]
            if fitting:
                self._idle.remove(fitting[0])
        space = fitting[0] if fitting else _Workspace(scales, buffers)
        yield space
        with self._lock:
            self._idle.append(space)
            while sum(waiting.num_bytes for waiting in self._idle) > self._most:
                del self._idle[0]


_POOL = _Pool()


def tvl1_on_cpu(previous: np.ndarray, following: np.ndarray, settings: TVL1, threads: int = 1) -> np.ndarray:
    """Flow (B, 2, H, W) float32 between pictures (B, H, W) of any number type, on so many threads.

    Raises:
        Exception: the kernels cannot be compiled or loaded here.
    """
    num_pairs, height, width = previous.shape
    flow = np.empty((num_pairs, 2, height, width), np.float32)
    if num_pairs == 0:
        return flow
    finder = _Finder(kernels(), _scales(height, width, settings.num_scales, settings.scale_step), settings)

    def find(part: range) -> None:
        with _POOL.lent(finder.scales, finder.buffers) as space:
            for pair in part:
                finder.find(previous[pair], following[pair], flow[pair], space)

    threads = min(threads, num_pairs)
    if threads == 1:
        find(range(num_pairs))
        return flow
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda pair: find(range(pair, pair + 1)), range(num_pairs)):
            pass
    return flow


class _Finder:
    """Finds the flow of pairs of one size by the same settings."""

    def __init__(self, kernels: Kernels, scales: tuple[_Scale, ...], settings: TVL1) -> None:
        self.scales, self._settings = scales, settings
        # Iterations that end once the flow hardly moves go from one buffer to the other.
        self.buffers = 2 if settings.epsilon > 0 or settings.exact_length else 1
        named, self._lanes = kernels.by_name, kernels.lanes
        self._resize, self._pack, self._unpack = named["resize"], named["pack"], named["read_flow"]
        self._warp = named["warp"]
        self._careful = settings.exact_length
        self._solve_all = named["solve_all_quickly"]
        self._solve_until = named["solve_carefully" if self._careful else "solve_quickly"]
        ratio = settings.tau / settings.theta
        bound = settings.attachment * settings.theta
        # Quickly: u is kept times τ/θ.
        self._times = 1.0 if self._careful else ratio
        self._weights = (
            (settings.theta, ratio, bound) if self._careful else (settings.tau, 0.0, bound * ratio**2)
        )

    def find(self, previous: np.ndarray, following: np.ndarray, flow: np.ndarray, space: _Workspace) -> None:
        """Write the flow (2, H, W) from one picture (H, W) to the other."""
        self._make_pyramid(previous, space.first, space)
        self._make_pyramid(following, space.second, space)
        for at in reversed(range(len(self.scales))):
            self._begin_scale(at, space)
            for _ in range(self._settings.num_warps):
                self._linearise(self.scales[at], space)
                self._solve(self.scales[at], space)
        self._read_flow(self.scales[0], flow.ctypes.data, 1 / self._times, space)

    def _make_pyramid(self, picture: np.ndarray, rows: int, space: _Workspace) -> None:
        full = self.scales[0]
        space.view(rows, full.height, full.pitch)[:, : full.width] = picture
        for before, scale in zip(self.scales, self.scales[1:], strict=False):
            source = rows + before.start * _FLOAT, before.pitch
            target = rows + scale.start * _FLOAT, scale.pitch, 1
            self._resized(source, target, scale, scale.shrinking, 1.0, space)

    def _resized(
        self, source: tuple[int, int], target: tuple[int, int, int], scale: _Scale,
        axes: tuple[_Axis, _Axis] | None, times: float, space: _Workspace,
    ) -> None:  # fmt: skip
        assert axes is not None
        x, y = axes
        self._resize(
            *source, *target, scale.height, scale.width, *x.addresses, *y.addresses, space.scratch,
            scale.pitch, times,
        )  # fmt: skip

    def _begin_scale(self, at: int, space: _Workspace) -> None:
        """Start from the flow of the coarser scale, with dual variables of zero."""
        scale, state = self.scales[at], space.states[0]
        row = _STATE * scale.pitch
        coarse = self.scales[at + 1] if at + 1 < len(self.scales) else None
        if coarse is not None:
            self._read_flow(coarse, space.quads, 1.0, space)
        space.view(state, scale.height + 1, row)[:] = 0
        for other in space.states[1:]:
            space.view(other, 1, row)[:] = 0
        if coarse is not None:
            for axis in range(2):
                source = space.quads + axis * coarse.height * coarse.width * _FLOAT, coarse.width
                target = state + (row + axis * self._lanes) * _FLOAT, row, _STATE
                self._resized(source, target, scale, scale.growing, 1 / self._settings.scale_step, space)
        mask = space.view(space.mask, 1, _LEFT)[0]
        mask[:], mask[: scale.width % self._lanes or self._lanes] = 0, 1
        self._pack(space.second + scale.start * _FLOAT, scale.pitch, space.quads, scale.height, scale.width)

    def _read_flow(self, scale: _Scale, to: int, times: float, space: _Workspace) -> None:
        """u1 and u2 as plain rows (2, h, w), times a number."""
        for axis in range(2):
            there = to + axis * scale.height * scale.width * _FLOAT
            self._unpack(space.states[0], scale.pitch, there, axis, scale.height, scale.width, times)

    def _linearise(self, scale: _Scale, space: _Workspace) -> None:
        self._warp(
            space.states[0], space.first + scale.start * _FLOAT, space.quads, space.picture, scale.height,
            scale.width, scale.pitch, self._settings.warp == "bicubic", self._careful, space.places,
            space.scratch, self._times,
        )  # fmt: skip

    def _solve(self, scale: _Scale, space: _Workspace) -> None:
        """In rounds, each after a median, until the flow hardly moves."""
        chosen = self._settings
        size = scale.height, scale.width, scale.pitch
        rounds = chosen.rounds, chosen.round_iterations, chosen.median
        rest = space.picture, space.mask, space.scratch, space.moved_at, *size, *rounds, *self._weights
        if self.buffers == 1:
            self._solve_all(space.states[0], *rest)
            return
        enough = (chosen.epsilon * self._times) ** 2 * (scale.height * scale.width)
        self._solve_until(*space.states, *rest, enough if chosen.epsilon > 0 else -1.0)
        if space.moved[0]:
            space.states.reverse()
