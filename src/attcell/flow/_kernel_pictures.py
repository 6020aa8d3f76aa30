"""What TV-L1 does between its iterations, for the CPU: pictures resized and warped.

Rows are laid out as in :mod:`attcell.flow._kernel_iterations`. A picture that is warped lies there in quads:
a pixel's brightness, its gradient in x and y, and a zero; so one load brings all that is wanted of a pixel.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types

from attcell.flow._vectors import (
    BORDER,
    LANES,
    OPTIONS,
    PICTURE,
    QUAD,
    STATE,
    channel_0,
    channel_1,
    channel_2,
    counted,
    floor,
    fused,
    larger,
    load,
    load_quad,
    minus,
    places_at,
    rounded_once,
    row_at,
    shift,
    smaller,
    spread,
    spread_quad,
    store,
    store_quad,
    store_whole,
)

Row = Any  # the address of float32 numbers
Places = Any  # the address of int32 numbers
Addresses = Any  # the address of whole numbers, some of which are addresses themselves
Vector = Any  # some float32 side by side
number = types.float32

# A scale of the pyramid, as whole numbers: its size, the pitch and the place of its pictures' rows, and the
# addresses of how pictures and flow are resized to it: low, high and part in x, and in y.
HEIGHT, WIDTH, PITCH, START, SHRINK, GROW, SCALE = 0, 1, 2, 3, 4, 10, 16


@njit(**OPTIONS)
def _widened(
    source: Row, low: Places, high: Places, part: Row, below: Row, above: Row, to: Row, width: int
) -> None:
    """A row between the pixels ``low`` and ``high``."""
    for x in range(width):
        below[x] = source[low[x]]
        above[x] = source[high[x]]
    for x in range(0, width, LANES):
        a = load(below, x)
        store(to, x, rounded_once(load(above, x) - a, load(part, x), a))


@njit(**OPTIONS)
def resize(
    source: Row, source_pitch: int, to: Row, to_pitch: int, planes: int, scale: Addresses, axes: Addresses,
    scratch: Row, times: float,
) -> None:  # fmt: skip
    """Linearly, first in x and then in y, to the size of a scale, times a number; scratch: four rows.

    The result is one of so many planes of blocks; with one plane, plain rows.
    """
    height, width, pitch = scale[HEIGHT], scale[WIDTH], scale[PITCH]
    low_x, high_x, part_x = places_at(axes[0]), places_at(axes[1]), row_at(axes[2])
    low_y, high_y, part_y = places_at(axes[3]), places_at(axes[4]), row_at(axes[5])
    held = -1, -1  # which rows of the source lie in the scratch's last two
    factor = spread(times)
    for y in range(height):
        wanted = low_y[y], high_y[y]
        slots = 0, 0
        for which in range(2):
            row, other = wanted[which], wanted[1 - which]
            slot = 0 if held[0] == row else 1 if held[1] == row else 1 if held[0] == other else 0
            if held[slot] != row:
                line = shift(source, row * source_pitch)
                into = shift(scratch, (2 + slot) * pitch)
                _widened(line, low_x, high_x, part_x, scratch, shift(scratch, pitch), into, width)
                held = (row, held[1]) if slot == 0 else (held[0], row)
            slots = (slot, slots[1]) if which == 0 else (slots[0], slot)
        part = spread(part_y[y])
        for x in range(0, width, LANES):
            a = load(scratch, (2 + slots[0]) * pitch + x)
            b = load(scratch, (2 + slots[1]) * pitch + x)
            store(to, y * to_pitch + x * planes, rounded_once(b - a, part, a) * factor)


@njit(**OPTIONS)
def pack(picture: Row, pitch: int, quads: Row, height: int, width: int) -> None:
    """Brightness, gradient and zero of each pixel, with ``BORDER`` pixels of zero around the picture."""
    half, zero = number(0.5), number(0)
    quad_pitch = QUAD * (width + 2 * BORDER)
    for y in range(-BORDER, height + BORDER):
        quad = shift(quads, (y + BORDER) * quad_pitch)
        if y < 0 or y >= height:
            for x in range(quad_pitch):
                quad[x] = zero
            continue
        here = shift(picture, y * pitch)
        above, below = shift(picture, max(y - 1, 0) * pitch), shift(picture, min(y + 1, height - 1) * pitch)
        for x in range(QUAD * BORDER):
            quad[x] = zero
            quad[quad_pitch - 1 - x] = zero
        quad = shift(quad, QUAD * BORDER)
        for x in range(width):
            quad[QUAD * x] = here[x]
            quad[QUAD * x + 1] = (here[min(x + 1, width - 1)] - here[max(x - 1, 0)]) * half
            quad[QUAD * x + 2] = (below[x] - above[x]) * half
            quad[QUAD * x + 3] = zero


# The second picture and its gradient, seen through the flow; from them, what is linear around it.


@njit(**OPTIONS)
def _seen_bilinear(
    u: Row, y: int, quads: Row, height: int, width: int, pitch: int, scale: float, places: Places,
    scratch: Row, seen: Row,
) -> None:  # fmt: skip
    quad_pitch = QUAD * (width + 2 * BORDER)
    low, right, down = spread(number(-2)), spread(number(width)), spread(number(height))
    border, scales, line = spread(number(BORDER)), spread(scale), spread(number(y))
    for x in range(0, width, LANES):
        u1, u2 = load(u, x * STATE), load(u, x * STATE + LANES)
        at_x = smaller(larger(fused(u1, scales, counted(x)), low), right) + border
        at_y = smaller(larger(fused(u2, scales, line), low), down) + border
        left, top = floor(at_x), floor(at_y)
        store_whole(places, x, left)
        store_whole(places, pitch + x, top)
        store(scratch, x, at_x - left)
        store(scratch, pitch + x, at_y - top)
    for x in range(width):
        at = places[pitch + x] * quad_pitch + places[x] * QUAD
        part_x, part_y = spread_quad(scratch[x]), spread_quad(scratch[pitch + x])
        a, b = load_quad(quads, at), load_quad(quads, at + QUAD)
        c, d = load_quad(quads, at + quad_pitch), load_quad(quads, at + quad_pitch + QUAD)
        above, below = fused(part_x, b - a, a), fused(part_x, d - c, c)
        store_quad(seen, QUAD * x, fused(part_y, below - above, above))


@njit(**OPTIONS)
def _cubic_weights(part: Vector, to: Row, pitch: int) -> None:
    """Keys' kernel with a = −0.75 at −1 − part, −part, 1 − part and 2 − part."""
    one, a = spread(number(1)), spread(number(-0.75))
    rest, squared = one - part, part * part
    outer, last = a * (part * (rest * rest)), a * (squared * rest)
    slope = rounded_once(spread(number(1.25)), part, spread(number(-2.25)))
    inner = rounded_once(slope, squared, one)
    store(to, 0, outer)
    store(to, pitch, inner)
    store(to, 2 * pitch, ((one - outer) - inner) - last)
    store(to, 3 * pitch, last)


@njit(**OPTIONS)
def _along_line(quads: Row, at: int, a: Vector, b: Vector, c: Vector, d: Vector) -> Vector:
    line = rounded_once(load_quad(quads, at + QUAD), b, load_quad(quads, at) * a)
    line = rounded_once(load_quad(quads, at + 2 * QUAD), c, line)
    return rounded_once(load_quad(quads, at + 3 * QUAD), d, line)


@njit(**OPTIONS)
def _seen_bicubic(
    u: Row, y: int, quads: Row, height: int, width: int, pitch: int, scale: float, places: Places,
    scratch: Row, seen: Row,
) -> None:  # fmt: skip
    quad_pitch = QUAD * (width + 2 * BORDER)
    low, right, down = spread(number(-3)), spread(number(width + 1)), spread(number(height + 1))
    before, scales, line = spread(number(BORDER - 1)), spread(scale), spread(number(y))
    weights_y = shift(scratch, 4 * pitch)
    for x in range(0, width, LANES):
        u1, u2 = load(u, x * STATE), load(u, x * STATE + LANES)
        at_x, at_y = fused(u1, scales, counted(x)), fused(u2, scales, line)
        left, top = floor(at_x), floor(at_y)
        _cubic_weights(at_x - left, shift(scratch, x), pitch)
        _cubic_weights(at_y - top, shift(weights_y, x), pitch)
        store_whole(places, x, smaller(larger(left, low), right) + before)
        store_whole(places, pitch + x, smaller(larger(top, low), down) + before)
    for x in range(width):
        at = places[pitch + x] * quad_pitch + places[x] * QUAD
        a, b = spread_quad(scratch[x]), spread_quad(scratch[pitch + x])
        c, d = spread_quad(scratch[2 * pitch + x]), spread_quad(scratch[3 * pitch + x])
        value = _along_line(quads, at, a, b, c, d) * spread_quad(weights_y[x])
        for number_of_line in range(1, 4):
            there = _along_line(quads, at + number_of_line * quad_pitch, a, b, c, d)
            value = rounded_once(there, spread_quad(weights_y[number_of_line * pitch + x]), value)
        store_quad(seen, QUAD * x, value)


@njit(**OPTIONS)
def _linear_careful(seen: Row, u: Row, first: Row, picture: Row, width: int) -> None:
    """Gradient, ρ at zero flow, and minus the squared gradient, as the plain version rounds."""
    # Without a gradient any negative number does: nothing moves along no gradient.
    tiny = spread(number(1e-20))
    for x in range(0, width, LANES):
        gx, gy = channel_1(seen, QUAD * x), channel_2(seen, QUAD * x)
        value = channel_0(seen, QUAD * x)
        u1, u2 = load(u, x * STATE), load(u, x * STATE + LANES)
        squared = minus(larger(gx * gx + gy * gy, tiny))
        at = x * PICTURE
        store(picture, at, gx)
        store(picture, at + LANES, gy)
        store(picture, at + 2 * LANES, ((value - gx * u1) - gy * u2) - load(first, x))
        store(picture, at + 3 * LANES, squared)


@njit(**OPTIONS)
def _linear_quick(seen: Row, u: Row, first: Row, picture: Row, width: int, times: float) -> None:
    """For a u that is kept ``times`` as large; what ρ is multiplied by in place of what it is divided by."""
    inverse, tiny = spread(number(1) / times), spread(number(1e-20))
    minus_squared = spread(-times * times)
    for x in range(0, width, LANES):
        gx, gy = channel_1(seen, QUAD * x), channel_2(seen, QUAD * x)
        hx, hy = gx * inverse, gy * inverse
        u1, u2 = load(u, x * STATE), load(u, x * STATE + LANES)
        at = x * PICTURE
        store(picture, at, hx)
        store(picture, at + LANES, hy)
        store(picture, at + 2 * LANES, channel_0(seen, QUAD * x) - hx * u1 - hy * u2 - load(first, x))
        store(picture, at + 3 * LANES, minus_squared / larger(gx * gx + gy * gy, tiny))


@njit(**OPTIONS)
def warp(
    state: Row, first: Row, quads: Row, picture: Row, height: int, width: int, pitch: int, is_bicubic: int,
    is_careful: int, places: Places, scratch: Row, times: float,
) -> None:  # fmt: skip
    """The picture's planes for the next iterations, around the flow of the state; scratch: 13 rows."""
    seen = shift(scratch, 8 * pitch)
    scale = number(1) / times
    for x in range(QUAD * width, QUAD * (width + LANES)):
        seen[x] = number(0)
    for y in range(height):
        u, line = shift(state, (y + 1) * STATE * pitch), shift(first, y * pitch)
        to = shift(picture, y * PICTURE * pitch)
        if is_bicubic:
            _seen_bicubic(u, y, quads, height, width, pitch, scale, places, scratch, seen)
        else:
            _seen_bilinear(u, y, quads, height, width, pitch, scale, places, scratch, seen)
        if is_careful:
            _linear_careful(seen, u, line, to, width)
        else:
            _linear_quick(seen, u, line, to, width, times)


@njit(**OPTIONS)
def read_flow(state: Row, pitch: int, to: Row, plane: int, height: int, width: int, times: float) -> None:
    """One plane of u, times a number, to plain rows."""
    whole, scale = width // LANES * LANES, spread(times)
    for y in range(height):
        u = shift(state, (y + 1) * STATE * pitch + plane * LANES)
        for x in range(0, whole, LANES):
            store(to, y * width + x, load(u, x * STATE) * scale)
        for x in range(whole, width):
            to[y * width + x] = u[whole * STATE + x - whole] * times
