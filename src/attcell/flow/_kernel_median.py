"""The median of each pixel's 5×5 neighbourhood, for the CPU: :mod:`attcell.flow._settings` says how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from attcell.flow._settings import MIDDLE_PLACES, SORT_FIVE
from attcell.flow._vectors import LANES, OPTIONS, STATE, Wide, load, place, read, shift, store, write

LEFT = 16  # numbers before a row's copy

_KEYS = ir.VectorType(ir.IntType(32), LANES)


def _key(builder: Any, value: Any) -> Any:
    """A whole number for a float32, in the same order; of such a one, the float32's bits again.

    More processors compare whole numbers twice a cycle than float32.
    """
    sign = builder.ashr(value, ir.Constant(_KEYS, [31] * LANES))
    return builder.xor(value, builder.and_(sign, ir.Constant(_KEYS, [0x7FFFFFFF] * LANES)))


def _order(builder: Any, values: list[Any], low: int, high: int) -> None:
    a, b = values[low], values[high]
    is_less = builder.icmp_signed("<", a, b)
    values[low], values[high] = builder.select(is_less, a, b), builder.select(is_less, b, a)


def _sort(builder: Any, values: list[Any]) -> list[Any]:
    for low, high in SORT_FIVE:
        _order(builder, values, low, high)
    return values


def _drop_extremes(builder: Any, values: list[Any]) -> list[Any]:
    half, last = len(values) // 2, len(values) - 1
    for i in range(half):  # the smaller of each two to the front, the larger to the back
        _order(builder, values, i, last - i)
    for i in range(1, (len(values) + 1) // 2):
        _order(builder, values, 0, i)
    for i in range(half, last):
        _order(builder, values, i, last)
    return values[1:-1]


@intrinsic
def sort_columns(
    typing: Any, rows: Any, place: Any, pitch: Any, to: Any, to_place: Any, to_pitch: Any
) -> Any:
    """Five values above one another, from ``place`` on, sorted into the rows of ``to``, as keys."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        rows, place, pitch, to, to_place, to_pitch = values
        column = []
        for _ in range(5):
            column.append(_key(builder, builder.bitcast(read(builder, rows, place), _KEYS)))
            place = builder.add(place, pitch)
        for value in _sort(builder, column):
            write(builder, builder.bitcast(value, Wide.llvm), to, to_place)
            to_place = builder.add(to_place, to_pitch)
        return context.get_dummy_value()

    return types.void(rows, types.intp, types.intp, to, types.intp, types.intp), emit


@intrinsic
def median_of_columns(typing: Any, columns: Any, place: Any, pitch: Any) -> Any:
    """Of the sorted columns from two to the left of ``place`` to two to the right."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        columns, place, pitch = values
        rows = []
        for _ in range(5):
            reach = [builder.add(place, ir.IntType(64)(x)) for x in range(-2, 3)]
            rows.append(_sort(builder, [builder.bitcast(read(builder, columns, at), _KEYS) for at in reach]))
            place = builder.add(place, pitch)
        left = [rows[i][j] for i, j in MIDDLE_PLACES]
        kept, left = left[:8], left[8:]
        while True:
            kept = _drop_extremes(builder, kept)
            if not left:
                return builder.bitcast(_key(builder, kept[0]), Wide.llvm)
            kept.append(left.pop())

    return Wide(columns, types.intp, types.intp), emit


@njit(**OPTIONS)
def median(state: Any, height: int, width: int, pitch: int, scratch: Any) -> None:
    """The 5×5 median of u1 and u2, in place; scratch: height + 9 rows, 2·``LEFT`` longer."""
    row, wide = STATE * pitch, pitch + 2 * LEFT
    columns = shift(scratch, (height + 4) * wide)
    last, behind = place(0, width - 1, STATE), place(0, width, STATE)
    for plane in range(2):
        u = shift(state, row + plane * LANES)
        for y in range(height):
            copy = shift(scratch, (y + 2) * wide + LEFT)
            for x in range(0, width, LANES):
                store(copy, x, load(u, y * row + x * STATE))
            copy[-1] = copy[-2] = copy[0]
            copy[width] = copy[width + 1] = copy[width - 1]
        for x in range(0, wide, LANES):
            top, bottom = load(scratch, 2 * wide + x), load(scratch, (height + 1) * wide + x)
            store(scratch, x, top)
            store(scratch, wide + x, top)
            store(scratch, (height + 2) * wide + x, bottom)
            store(scratch, (height + 3) * wide + x, bottom)
        for y in range(height):
            for x in range(0, width + LEFT + 2, LANES):
                sort_columns(scratch, y * wide + x, wide, columns, x, wide)
            for x in range(0, width, LANES):
                store(u, y * row + x * STATE, median_of_columns(columns, LEFT + x, wide))
            u[y * row + behind] = u[y * row + last]
