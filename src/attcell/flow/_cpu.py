"""TV-L1 on the CPU: the kernels of :mod:`attcell.flow._machine_code`, put in order for each pair.

One pair runs on one thread, in memory of its own; a batch is shared out over the threads. While a kernel runs
Python's lock is free.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

from attcell.flow._machine_code import after_fork, finder, kept_threads
from attcell.flow._settings import TVL1, pyramid_sizes, resize_places

_STATE, _PICTURE, _BORDER, _QUAD, _BLOCK = 6, 4, 4, 4, 16  # as in the kernels; a block has at most so many
_LINE = 64  # bytes: rows begin where a line of the cache does
_FLOAT = 4  # bytes
_AT_ONCE = 32  # more than a wave has iterations


class _Axis:
    """For each pixel of a resized row the two it lies between, and the part of the way: their addresses."""

    def __init__(self, old: int, new: int, stride: float, shrinks: bool) -> None:
        low, part = resize_places(old, new, stride, shrinks)
        padded = np.zeros(new + _BLOCK, np.float32)
        padded[:new] = part
        self._held = low.astype(np.int32), np.minimum(low + 1, old - 1).astype(np.int32), padded
        self.addresses = tuple(array.ctypes.data for array in self._held)


class _Pyramid:
    """The scales of a picture's size, as the kernel wants them."""

    def __init__(self, height: int, width: int, num_scales: int, step: float) -> None:
        sizes = pyramid_sizes(height, width, num_scales, step)
        self.height, self.width, self.num_scales = height, width, len(sizes)
        self.pitch = _pitch(width)
        self.num_numbers = 0  # of a picture in all scales
        # Size, pitch, place, and how pictures and flow come to it; an empty scale ends it.
        self.table = np.zeros((len(sizes) + 1, 16), np.int64)
        self._axes: list[_Axis] = []
        for at, (h, w) in enumerate(sizes):
            self.table[at, :4] = h, w, _pitch(w), self.num_numbers
            self.num_numbers += h * _pitch(w)
            if at > 0:
                before_h, before_w = sizes[at - 1]
                self._keep(at, 4, _Axis(before_w, w, 1 / step, True), _Axis(before_h, h, 1 / step, True))
            if at + 1 < len(sizes):
                coarse_h, coarse_w = sizes[at + 1]
                x, y = _Axis(coarse_w, w, coarse_w / w, False), _Axis(coarse_h, h, coarse_h / h, False)
                self._keep(at, 10, x, y)

    def _keep(self, at: int, column: int, x: _Axis, y: _Axis) -> None:
        self._axes += [x, y]
        self.table[at, column : column + 6] = *x.addresses, *y.addresses


def _pitch(width: int) -> int:
    """Numbers of a row: whole blocks, and at least one pixel more than the picture has."""
    return (width // _BLOCK + 1) * _BLOCK


_pyramid = lru_cache(maxsize=8)(_Pyramid)


class _Workspace:
    """Memory for one pair of pictures at a time, of a size and with one or two states."""

    def __init__(self, pyramid: _Pyramid, states: int) -> None:
        rows, pitch = pyramid.height, pyramid.pitch
        self.kind = pyramid, states
        self.first, self.second = _numbers(pyramid.num_numbers), _numbers(pyramid.num_numbers)
        rest = [
            rows * _PICTURE * pitch,
            (rows + 2 * _BORDER) * (pyramid.width + 2 * _BORDER) * _QUAD,
            (rows + 16) * (pitch + 2 * _BLOCK),  # scratch
            2 * pitch,  # places
            _BLOCK,  # the last block's mask
            2 * _AT_ONCE,  # by how much iterations moved, float64
            *[(rows + 1) * _STATE * pitch + 2 * _STATE * _BLOCK]
            * states,  # what follows the last row is read
        ]
        self._held = [self.first, self.second, *map(_numbers, rest)]
        self.num_bytes = sum(part.nbytes for part in self._held)
        addresses = [part.ctypes.data for part in self._held]
        self.addresses = np.array([*addresses, *addresses[-1:] * (2 - states)], np.int64)

    def take(self, picture: np.ndarray, rows: np.ndarray) -> None:
        """The picture as the full scale of a pyramid."""
        pyramid, _ = self.kind
        full = rows[: pyramid.height * pyramid.pitch].reshape(pyramid.height, pyramid.pitch)
        full[:, : pyramid.width] = picture


def _numbers(count: int) -> np.ndarray:
    """So many float32, or some more, from a line of the cache on; zeros."""
    part = np.zeros(count + 2 * _LINE // _FLOAT, np.float32)
    return part[-part.ctypes.data % _LINE // _FLOAT :]


class _Spaces:
    """Workspaces that wait to be used again: taking memory from the system costs a fault for each page."""

    _most = 2**27  # bytes

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Without any; in a forked process the lock may be one that is never freed."""
        self._lock = threading.Lock()
        self._idle: list[_Workspace] = []

    @contextmanager
    def lent(self, pyramid: _Pyramid, states: int) -> Iterator[_Workspace]:
        with self._lock:
            fitting = [space for space in self._idle if space.kind == (pyramid, states)]
            if fitting:
                self._idle.remove(fitting[0])
        space = fitting[0] if fitting else _Workspace(pyramid, states)
        yield space
        with self._lock:
            self._idle.append(space)
            while sum(waiting.num_bytes for waiting in self._idle) > self._most:
                del self._idle[0]


_SPACES = _Spaces()
after_fork(_SPACES.begin_anew)


def tvl1_on_cpu(previous: np.ndarray, following: np.ndarray, settings: TVL1, threads: int = 1) -> np.ndarray:
    """Flow (B, 2, H, W) float32 between pictures (B, H, W) of any number type, on so many threads.

    Raises:
        Exception: the kernels cannot be compiled or loaded here.
    """
    num_pairs, height, width = previous.shape
    flow = np.empty((num_pairs, 2, height, width), np.float32)
    if num_pairs == 0:
        return flow
    find = finder()
    pyramid = _pyramid(height, width, settings.num_scales, settings.scale_step)
    counts, numbers = _as_numbers(settings, pyramid)
    # Iterations that end once the flow hardly moves go from one state to another; others stay in place.
    states = 2 if settings.epsilon > 0 or settings.exact_length else 1

    def one(pair: int) -> None:
        with _SPACES.lent(pyramid, states) as space:
            space.take(previous[pair], space.first)
            space.take(following[pair], space.second)
            given = pyramid.table, counts, numbers, space.addresses, flow[pair]
            find(*(part.ctypes.data for part in given))

    if min(threads, num_pairs) == 1:
        for pair in range(num_pairs):
            one(pair)
    else:
        deque(kept_threads(min(threads, num_pairs)).map(one, range(num_pairs)), maxlen=0)
    return flow


def _as_numbers(settings: TVL1, pyramid: _Pyramid) -> tuple[np.ndarray, np.ndarray]:
    """The settings as the kernel wants them: whole numbers, and others."""
    ratio, bound = settings.tau / settings.theta, settings.attachment * settings.theta
    careful = settings.exact_length
    counts = np.array(
        [
            pyramid.num_scales,
            settings.num_warps,
            settings.rounds,
            settings.round_iterations,
            settings.median,
            settings.warp == "bicubic",
            careful,
            settings.epsilon > 0,
        ],
        np.int64,
    )
    times = 1.0 if careful else ratio  # as which u is kept
    weights = (settings.theta, ratio, bound) if careful else (settings.tau, ratio, bound * ratio**2)
    enough = (settings.epsilon * times) ** 2 if settings.epsilon > 0 else -1.0  # of a pixel
    return counts, np.array([*weights, times, enough, 1 / settings.scale_step])
