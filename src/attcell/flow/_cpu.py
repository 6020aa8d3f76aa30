"""TV-L1 on the CPU: the kernels of :mod:`attcell.flow._machine_code`, put in order for each pair.

One pair runs on one thread, in memory of its own; a batch is shared out over the threads. While a kernel runs
Python's lock is free.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from queue import SimpleQueue

import numpy as np

from attcell.flow._machine_code import Kernels, kernels
from attcell.flow._settings import TVL1, pyramid_sizes, resize_places

# As in the kernels.
_LEFT, _STATE, _PICTURE, _BORDER, _QUAD = 16, 6, 5, 4, 4
_LINE = 64  # bytes: rows begin where a line of the cache does
_FLOAT = 4  # bytes
_FORESEEN = 5  # iterations in a wave that measures, at most: what overshoots is done again
_CACHE = 2**19  # bytes of a core's cache that a wave may fill


@dataclass(frozen=True)
class _Axis:
    """For each pixel of a resized row the two it lies between, and the part of the way."""

    low: np.ndarray
    high: np.ndarray
    part: np.ndarray

    @staticmethod
    def of(old: int, new: int, stride: float, shrinks: bool) -> _Axis:
        low, part = resize_places(old, new, stride, shrinks)
        padded = np.zeros(new + _LEFT, np.float32)
        padded[:new] = part
        return _Axis(low.astype(np.int32), np.minimum(low + 1, old - 1).astype(np.int32), padded)


@dataclass(frozen=True)
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
        pitch = _LEFT + (w + _LEFT) // _LEFT * _LEFT + _LEFT
        shrinking = growing = None
        if at > 0:
            before = sizes[at - 1]
            shrinking = (_Axis.of(before[1], w, 1 / step, True), _Axis.of(before[0], h, 1 / step, True))
        if at + 1 < len(sizes):
            coarse = sizes[at + 1]
            growing = (
                _Axis.of(coarse[1], w, coarse[1] / w, False),
                _Axis.of(coarse[0], h, coarse[0] / h, False),
            )
        scales.append(_Scale(h, w, pitch, start, shrinking, growing))
        start += h * pitch
    return tuple(scales)


class _Workspace:
    """Memory for one pair of pictures at a time."""

    def __init__(self, scales: tuple[_Scale, ...], buffers: int) -> None:
        full, last = scales[0], scales[-1]
        rows = full.pitch
        self.first = _aligned(last.start + last.height * last.pitch)
        self.second = _aligned(last.start + last.height * last.pitch)
        self.states = [_aligned((full.height + 1) * _STATE * rows) for _ in range(buffers)]
        self.picture = _aligned(full.height * _PICTURE * rows)
        self.quads = _aligned((full.height + 2 * _BORDER) * (full.width + 2 * _BORDER) * _QUAD + _LEFT)
        self.scratch = _aligned((full.height + 16) * rows)
        self.places = _aligned(2 * rows)
        self.mask = _aligned(rows)
        self.errors = np.zeros(64)


def _aligned(numbers: int) -> np.ndarray:
    raw = np.zeros(numbers + _LINE // _FLOAT, np.float32)
    start = -raw.ctypes.data % _LINE // _FLOAT
    return raw[start : start + numbers]


def tvl1_on_cpu(previous: np.ndarray, following: np.ndarray, settings: TVL1, threads: int = 1) -> np.ndarray:
    """Flow (B, 2, H, W) float32 between pictures (B, H, W) of any number type, on so many threads.

    Raises:
        Exception: the kernels cannot be compiled or loaded here.
    """
    num_pairs, height, width = previous.shape
    flow = np.empty((num_pairs, 2, height, width), np.float32)
    if num_pairs == 0:
        return flow
    scales = _scales(height, width, settings.num_scales, settings.scale_step)
    finder = _Finder(kernels(), scales, settings)
    threads = min(threads, num_pairs)
    if threads == 1:
        space = finder.workspace()
        for pair in range(num_pairs):
            finder.find(previous[pair], following[pair], flow[pair], space)
        return flow
    spaces: SimpleQueue[_Workspace] = SimpleQueue()
    for _ in range(threads):
        spaces.put(finder.workspace())

    def one(pair: int) -> None:
        space = spaces.get()
        finder.find(previous[pair], following[pair], flow[pair], space)
        spaces.put(space)

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(one, range(num_pairs)):
            pass
    return flow


class _Finder:
    """Finds the flow of pairs of one size by the same settings."""

    def __init__(self, kernels: Kernels, scales: tuple[_Scale, ...], settings: TVL1) -> None:
        self._scales, self._settings = scales, settings
        self._resize, self._pack = kernels["resize"], kernels["pack"]
        self._median, self._warp = kernels["median"], kernels["warp"]
        self._careful = settings.exact_length
        self._wave = kernels["careful_wave" if self._careful else "quick_wave"]
        ratio = settings.tau / settings.theta
        bound = settings.attachment * settings.theta
        # Quickly: u is kept times τ/θ.
        self._times = 1.0 if self._careful else ratio
        self._weights = (
            (settings.theta, ratio, bound) if self._careful else (settings.tau, 0.0, bound * ratio**2)
        )

    def workspace(self) -> _Workspace:
        return _Workspace(self._scales, 2 if self._settings.epsilon > 0 else 1)

    def find(self, previous: np.ndarray, following: np.ndarray, flow: np.ndarray, space: _Workspace) -> None:
        """Write the flow (2, H, W) from one picture (H, W) to the other."""
        self._make_pyramid(previous, space.first, space)
        self._make_pyramid(following, space.second, space)
        for at in reversed(range(len(self._scales))):
            self._begin_scale(at, space)
            for _ in range(self._settings.num_warps):
                self._linearise(self._scales[at], space)
                self._solve(self._scales[at], space)
        np.multiply(self._flow(self._scales[0], space), np.float32(1 / self._times), out=flow)

    def _make_pyramid(self, picture: np.ndarray, rows: np.ndarray, space: _Workspace) -> None:
        full = self._scales[0]
        rows[: full.height * full.pitch].reshape(full.height, full.pitch)[:, _LEFT : _LEFT + full.width] = (
            picture
        )
        base = rows.ctypes.data + _LEFT * _FLOAT
        for before, scale in zip(self._scales, self._scales[1:], strict=False):
            source = base + before.start * _FLOAT, before.pitch
            target = base + scale.start * _FLOAT, scale.pitch
            self._resized(source, target, scale, scale.shrinking, 1.0, space)

    def _resized(
        self, source: tuple[int, int], target: tuple[int, int], scale: _Scale,
        axes: tuple[_Axis, _Axis] | None, times: float, space: _Workspace,
    ) -> None:  # fmt: skip
        assert axes is not None
        x, y = axes
        self._resize(
            *source, *target, scale.height, scale.width, x.low.ctypes.data, x.high.ctypes.data,
            x.part.ctypes.data, y.low.ctypes.data, y.high.ctypes.data, y.part.ctypes.data,
            space.scratch.ctypes.data, scale.pitch, times,
        )  # fmt: skip

    def _begin_scale(self, at: int, space: _Workspace) -> None:
        """Start from the flow of the coarser scale, with dual variables of zero."""
        scale = self._scales[at]
        coarse = self._scales[at + 1] if at + 1 < len(self._scales) else None
        if coarse is not None:
            held = space.quads[: 2 * coarse.height * coarse.width].reshape(2, coarse.height, coarse.width)
            held[:] = self._flow(coarse, space)
        for state in space.states:
            state[: (scale.height + 1) * _STATE * scale.pitch] = 0
        if coarse is not None:
            base = space.states[0].ctypes.data + (_STATE * scale.pitch + _LEFT) * _FLOAT
            for axis in range(2):
                source = held[axis].ctypes.data, coarse.width
                target = base + axis * scale.pitch * _FLOAT, _STATE * scale.pitch
                self._resized(source, target, scale, scale.growing, 1 / self._settings.scale_step, space)
        space.quads[: (scale.height + 2 * _BORDER) * (scale.width + 2 * _BORDER) * _QUAD] = 0
        space.mask[: scale.pitch] = 0
        space.mask[: scale.width] = 1
        second = space.second.ctypes.data + (scale.start + _LEFT) * _FLOAT
        self._pack(second, scale.pitch, space.quads.ctypes.data, scale.height, scale.width)

    def _flow(self, scale: _Scale, space: _Workspace) -> np.ndarray:
        """u1 and u2 (2, h, w), a view."""
        rows = space.states[0][: (scale.height + 1) * _STATE * scale.pitch]
        planes = rows.reshape(scale.height + 1, _STATE, scale.pitch)
        return planes[1:, :2, _LEFT : _LEFT + scale.width].transpose(1, 0, 2)

    def _linearise(self, scale: _Scale, space: _Workspace) -> None:
        self._warp(
            space.states[0].ctypes.data, space.first.ctypes.data + scale.start * _FLOAT,
            space.quads.ctypes.data, space.picture.ctypes.data, scale.height, scale.width, scale.pitch,
            self._settings.warp == "bicubic", self._careful, space.places.ctypes.data,
            space.scratch.ctypes.data, self._times,
        )  # fmt: skip

    def _solve(self, scale: _Scale, space: _Workspace) -> None:
        """In rounds, each after a median, until the flow hardly moves."""
        enough = np.float32((self._settings.epsilon * self._times) ** 2 * (scale.height * scale.width))
        for _ in range(self._settings.rounds):
            if self._settings.median:
                self._median(
                    space.states[0].ctypes.data, scale.height, scale.width, scale.pitch,
                    space.scratch.ctypes.data,
                )  # fmt: skip
            if self._settings.epsilon == 0:
                self._iterate_all(scale, space)
            elif self._iterate_until(enough, scale, space):
                return

    def _iterate_all(self, scale: _Scale, space: _Workspace) -> None:
        bytes_of_a_row = (_STATE + _PICTURE) * scale.pitch * _FLOAT
        most = max(1, min(32, _CACHE // bytes_of_a_row))
        num_waves = -(-self._settings.round_iterations // most)
        left = self._settings.round_iterations
        while left:
            steps = -(-left // num_waves)
            self._run(space.states[0], space.states[0], steps, scale, space)
            left, num_waves = left - steps, num_waves - 1

    def _iterate_until(self, enough: np.float32, scale: _Scale, space: _Workspace) -> bool:
        """A round of iterations; whether one was reached that moved the flow hardly."""
        left, foreseen, last = self._settings.round_iterations, _FORESEEN, 0.0
        while left:
            steps = min(left, foreseen)
            old, new = space.states
            self._run(old, new, steps, scale, space)
            found = space.errors[:steps].astype(np.float32) <= enough
            if found.any():
                num = int(found.argmax()) + 1
                if num < steps:
                    self._run(old, new, num, scale, space)
                space.states = [new, old]
                return True
            space.states = [new, old]
            left -= steps
            before, last = (space.errors[steps - 2] if steps > 1 else last), space.errors[steps - 1]
            foreseen = _foreseen(before, last, float(enough))
        return False

    def _run(self, old: np.ndarray, new: np.ndarray, steps: int, scale: _Scale, space: _Workspace) -> None:
        self._wave(
            old.ctypes.data, new.ctypes.data, space.picture.ctypes.data, space.mask.ctypes.data,
            space.errors.ctypes.data, scale.height, scale.width, scale.pitch, steps, *self._weights,
        )  # fmt: skip


def _foreseen(before: float, last: float, enough: float) -> int:
    """How many more iterations until it is enough, if the changes fall on as they do; at most some.

    A wave that ends where a pair is done need not be made again. A wrong guess costs time and no accuracy.
    """
    if not before > last > enough > 0:
        return _FORESEEN
    return max(1, min(_FORESEEN, math.ceil(math.log(last / enough) / math.log(before / last))))
