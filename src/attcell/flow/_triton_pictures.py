"""The median, and the warp of the second picture, as Triton kernels.

:mod:`attcell.flow._triton_iterations` says what the kernels' tensors hold.
"""

from __future__ import annotations

import triton
import triton.language as tl

from attcell.flow._triton_iterations import standing

# The median of each pixel's 5×5 neighbourhood; attcell.flow._settings says why it is found so.


@triton.jit
def _ordered(a, b):
    return tl.minimum(a, b), tl.maximum(a, b)


@triton.jit
def _sorted_five(a, b, c, d, e):
    a, b = _ordered(a, b)
    d, e = _ordered(d, e)
    c, e = _ordered(c, e)
    c, d = _ordered(c, d)
    a, d = _ordered(a, d)
    a, c = _ordered(a, c)
    b, e = _ordered(b, e)
    b, d = _ordered(b, d)
    b, c = _ordered(b, c)
    return a, b, c, d, e


@triton.jit
def _without_extremes(values):
    """A tuple without its smallest and its largest."""
    front, back, kept = (), (), ()
    for i in tl.static_range(len(values) // 2):
        low, high = _ordered(values[i], values[len(values) - 1 - i])
        front, back = front + (low,), back + (high,)
    if len(values) % 2 == 1:  # the one in the middle may be either
        least, high = _ordered(front[0], values[len(values) // 2])
        front, back = (least,) + front[1:], back + (high,)
    least, most = front[0], back[0]
    for i in tl.static_range(1, len(front)):
        least, other = _ordered(least, front[i])
        kept = kept + (other,)
    for i in tl.static_range(1, len(back)):
        other, most = _ordered(back[i], most)
        kept = kept + (other,)
    return kept


@triton.jit
def _neighbours(plane, x, y, height, width, inside):
    """Five sorted columns of five, around each pixel; beyond the border the nearest pixel is repeated."""
    columns = ()
    for i in tl.static_range(-2, 3):
        column = tl.minimum(tl.maximum(x + i, 0), width - 1)
        values = ()
        for j in tl.static_range(-2, 3):
            row = tl.minimum(tl.maximum(y + j, 0), height - 1)
            values = values + (tl.load(plane + row * width + column, mask=inside, other=0.0),)
        columns = columns + (_sorted_five(values[0], values[1], values[2], values[3], values[4]),)
    return columns


@triton.jit(do_not_specialize=["pairs", "height", "width", "blocks", "turn", "fresh"])
def median(
    state,
    smooth,
    progress,
    moved,
    pairs,
    height,
    width,
    blocks,
    turn,
    fresh,
    STEPS: tl.constexpr,
    MEASURED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """From ``state`` to ``smooth``, both planes of the flow, ``blocks`` to a plane.

    Pairs that were done with the launch before are passed by: the next launch may need again what is there.
    """
    plane, block = tl.program_id(0) // blocks, tl.program_id(0) % blocks
    pair = plane // 2
    side, done, ended = standing(progress, moved, pair, pairs, turn, fresh, STEPS, MEASURED)
    if (done == 0) & (ended == 0):
        area = height * width
        at = block * BLOCK + tl.arange(0, BLOCK)
        inside = at < area
        old = state + ((side * pairs + pair).to(tl.int64) * 6 + plane % 2) * area
        columns = _neighbours(old, at % width, at // width, height, width, inside)
        left = ()
        for i in tl.static_range(5):
            row = _sorted_five(columns[0][i], columns[1][i], columns[2][i], columns[3][i], columns[4][i])
            for j in tl.static_range(5):
                if ((i + 1) * (j + 1) <= 13) & ((5 - i) * (5 - j) <= 13):
                    left = left + (row[j],)
        kept = _without_extremes(left[:8])
        for i in tl.static_range(5):
            kept = _without_extremes(kept + (left[12 - i],))
        tl.store(smooth + plane.to(tl.int64) * area + at, kept[0], mask=inside)


# The second picture and its gradient, seen through the flow.


@triton.jit
def _value(plane, row, column, height, width, inside):
    """Of a picture, zero outside of it."""
    seen = inside & (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return tl.load(plane + row * width + column, mask=seen, other=0.0)


@triton.jit
def _place(target, most):
    """The pixel at or before a target, at most three beyond the picture's border, and the part of a pixel."""
    low = tl.floor(target)
    return tl.minimum(tl.maximum(low, -3.0), most + 1.0).to(tl.int32), target - low


@triton.jit
def _bilinear(plane, x, y, height, width, inside):
    column, part_x = _place(x, width)
    row, part_y = _place(y, height)
    weights_x, weights_y = (1 - part_x, part_x), (1 - part_y, part_y)
    total = tl.zeros_like(x)
    for j in tl.static_range(2):
        for i in tl.static_range(2):
            value = _value(plane, row + j, column + i, height, width, inside)
            total += value * (weights_x[i] * weights_y[j])
    return total


@triton.jit
def _weights(part):
    """Keys' cubic kernel at -1 - part, -part, 1 - part and 2 - part."""
    rest, squared = 1 - part, part * part
    outer, last = -0.75 * (part * (rest * rest)), -0.75 * (squared * rest)
    one = tl.full(part.shape, 1.0, tl.float32)
    inner = tl.fma(tl.fma(one * 1.25, part, one * -2.25), squared, one)
    return outer, inner, one - outer - inner - last, last


@triton.jit
def _bicubic(plane, x, y, height, width, inside):
    """Every rounding as in OpenCV 5's remap."""
    column, part_x = _place(x, width)
    row, part_y = _place(y, height)
    weights_x, weights_y = _weights(part_x), _weights(part_y)
    total = tl.zeros_like(x)
    for j in tl.static_range(4):
        line = tl.zeros_like(x)
        for i in tl.static_range(4):
            value = _value(plane, row + (j - 1), column + (i - 1), height, width, inside)
            line = tl.fma(value, weights_x[i], line)
        total = tl.fma(line, weights_y[j], total)
    return total


@triton.jit(do_not_specialize=["pairs", "height", "width", "blocks", "turn"])
def linearise(
    state,
    linear,
    progress,
    first,
    moving,
    pairs,
    height,
    width,
    blocks,
    turn,
    BICUBIC: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The second picture around the flow: from ``state`` to ``linear``, ``blocks`` to a pair.

    Args:
        first: the first picture (B, H, W).
        moving: the second picture and its gradient in x and y (B, 3, H, W).
    """
    pair, block = tl.program_id(0) // blocks, tl.program_id(0) % blocks
    area = height * width
    at = block * BLOCK + tl.arange(0, BLOCK)
    inside = at < area
    side = tl.load(progress + ((turn + 2) % 3) * pairs + pair) & 1
    flow = state + (side * pairs + pair).to(tl.int64) * 6 * area + at
    u1 = tl.load(flow, mask=inside, other=0.0)
    u2 = tl.load(flow + area, mask=inside, other=0.0)
    x, y = (at % width).to(tl.float32) + u1, (at // width).to(tl.float32) + u2
    seen = ()
    for plane in tl.static_range(3):
        picture = moving + (pair.to(tl.int64) * 3 + plane) * area
        if BICUBIC:
            seen = seen + (_bicubic(picture, x, y, height, width, inside),)
        else:
            seen = seen + (_bilinear(picture, x, y, height, width, inside),)
    before = tl.load(first + pair.to(tl.int64) * area + at, mask=inside, other=0.0)
    new = linear + pair.to(tl.int64) * 3 * area + at
    tl.store(new, seen[1], mask=inside)
    tl.store(new + area, seen[2], mask=inside)
    tl.store(new + 2 * area, seen[0] - seen[1] * u1 - seen[2] * u2 - before, mask=inside)
