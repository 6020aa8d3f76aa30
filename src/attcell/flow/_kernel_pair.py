"""The flow of one pair of pictures, from a coarse scale to the full one, in one call for the CPU.

What a call needs comes as arrays of whole numbers, some of which are addresses; these are their places.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types

from attcell.flow._kernel_iterations import solve_all_quickly, solve_carefully, solve_quickly
from attcell.flow._kernel_pictures import (
    GROW,
    HEIGHT,
    PITCH,
    SCALE,
    SHRINK,
    START,
    WIDTH,
    Addresses,
    pack,
    read_flow,
    resize,
    warp,
)
from attcell.flow._vectors import LANES, OPTIONS, STATE, Row, Sums, places_at, row_at, shift, sums_at

number = types.float32

# The addresses of memory: the pictures' pyramids, what is linear around a warp's flow, and so on.
FIRST, SECOND, LINEAR, QUADS, SCRATCH, PLACES, MASK, MOVED, ONE, OTHER = range(10)
# The settings, and what follows from them: whole numbers, and others.
SCALES, WARPS, ROUNDS, ITERATIONS, HAS_MEDIAN, IS_BICUBIC, IS_CAREFUL, IS_MEASURED = range(8)
WEIGHT, RATIO, MOST, TIMES, ENOUGH, GROWTH = range(6)


@njit(**OPTIONS)
def _shrink(pictures: Any, scales: Addresses, num: int, scratch: Any) -> None:
    """The pyramid of a picture, whose full scale is there."""
    for at in range(1, num):
        before, scale = shift(scales, (at - 1) * SCALE), shift(scales, at * SCALE)
        resize(
            shift(pictures, before[START]), before[PITCH], shift(pictures, scale[START]), scale[PITCH], 1,
            scale, shift(scale, SHRINK), scratch, number(1),
        )  # fmt: skip


@njit(**OPTIONS)
def _begin(scale: Addresses, coarse: Addresses, growth: float, memory: Addresses) -> None:
    """The state of a scale: u from the coarser one, p of zero. The coarser scale may be none."""
    state, other, quads = row_at(memory[ONE]), row_at(memory[OTHER]), row_at(memory[QUADS])
    row = STATE * scale[PITCH]
    for axis in range(2):
        if coarse[HEIGHT] > 0:
            held = shift(quads, axis * coarse[HEIGHT] * coarse[WIDTH])
            read_flow(state, coarse[PITCH], held, axis, coarse[HEIGHT], coarse[WIDTH], number(1))
    for x in range((scale[HEIGHT] + 1) * row):
        state[x] = 0.0
    for x in range(row):
        other[x] = 0.0
    for axis in range(2):
        if coarse[HEIGHT] > 0:
            held = shift(quads, axis * coarse[HEIGHT] * coarse[WIDTH])
            there = shift(state, row + axis * LANES)
            axes = shift(scale, GROW)
            resize(held, coarse[WIDTH], there, row, STATE, scale, axes, row_at(memory[SCRATCH]), growth)
    mask = row_at(memory[MASK])
    last = (scale[WIDTH] - 1) % LANES
    for x in range(LANES):
        mask[x] = 1.0 if x <= last else 0.0


@njit(**OPTIONS)
def _solve(scale: Addresses, counts: Addresses, numbers: Any, memory: Addresses) -> None:
    """The iterations after a warp; their result is in the state ``ONE``."""
    one, other, linear = row_at(memory[ONE]), row_at(memory[OTHER]), row_at(memory[LINEAR])
    mask, scratch, moved = row_at(memory[MASK]), row_at(memory[SCRATCH]), sums_at(memory[MOVED])
    height, width, pitch = scale[HEIGHT], scale[WIDTH], scale[PITCH]
    rounds, iterations, has_median = counts[ROUNDS], counts[ITERATIONS], counts[HAS_MEDIAN]
    weight, ratio, most = number(numbers[WEIGHT]), number(numbers[RATIO]), number(numbers[MOST])
    enough = number(numbers[ENOUGH] * (height * width))
    is_swapped = False
    if counts[IS_CAREFUL]:
        is_swapped = solve_carefully(
            one, other, linear, mask, scratch, moved, height, width, pitch, rounds, iterations, has_median,
            weight, ratio, most, enough,
        )  # fmt: skip
    elif counts[IS_MEASURED]:
        is_swapped = solve_quickly(
            one, other, linear, mask, scratch, moved, height, width, pitch, rounds, iterations, has_median,
            weight, ratio, most, enough,
        )  # fmt: skip
    else:
        solve_all_quickly(
            one, linear, mask, scratch, moved, height, width, pitch, rounds, iterations, has_median, weight,
            ratio, most,
        )  # fmt: skip
    if is_swapped:
        memory[ONE], memory[OTHER] = memory[OTHER], memory[ONE]


def find(scales: Addresses, counts: Addresses, numbers: Any, memory: Addresses, out: Any) -> None:
    """Flow (2, H, W) to ``out``; the pictures are in memory, in their full scale."""
    num, scratch, quads = counts[SCALES], row_at(memory[SCRATCH]), row_at(memory[QUADS])
    times, growth = number(numbers[TIMES]), number(numbers[GROWTH])
    _shrink(row_at(memory[FIRST]), scales, num, scratch)
    _shrink(row_at(memory[SECOND]), scales, num, scratch)
    for at in range(num - 1, -1, -1):
        scale = shift(scales, at * SCALE)
        height, width, pitch = scale[HEIGHT], scale[WIDTH], scale[PITCH]
        first = shift(row_at(memory[FIRST]), scale[START])
        second = shift(row_at(memory[SECOND]), scale[START])
        _begin(scale, shift(scale, SCALE), growth, memory)  # behind the last scale lies an empty one
        pack(second, pitch, quads, height, width)
        for _ in range(counts[WARPS]):
            warp(
                row_at(memory[ONE]), first, quads, row_at(memory[LINEAR]), height, width, pitch,
                counts[IS_BICUBIC], counts[IS_CAREFUL], places_at(memory[PLACES]), scratch, times,
            )  # fmt: skip
            _solve(scale, counts, numbers, memory)
    for axis in range(2):
        there = shift(out, axis * scales[HEIGHT] * scales[WIDTH])
        state = row_at(memory[ONE])
        read_flow(
            state, scales[PITCH], there, axis, scales[HEIGHT], scales[WIDTH], number(1 / numbers[TIMES])
        )


KINDS = (types.CPointer(types.int64),) * 2 + (Sums, types.CPointer(types.int64), Row)
