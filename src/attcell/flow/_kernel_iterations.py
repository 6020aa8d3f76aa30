"""TV-L1's fixed point iterations for the CPU, several in one sweep over the rows.

Nearly all the time of TV-L1 goes here. One iteration alone would wait for memory, so some of them follow
each other through the picture like waves: iteration t is at row s − t at step s, and what it needs is still
in the core's cache. Row y of the flow u can be computed from the dual variables p of rows y and y − 1, and p
of row y − 1 from the new u of rows y − 1 and y: so both are done in turn, and in place.

A picture's row is its planes' rows one after another, each of ``pitch`` numbers and beginning with ``LEFT``
zeros; so what lies left of the picture is there, and zero. Right of it the last u is repeated, which makes
the difference over the border zero. State: u1, u2, p11, p12 (of u1), p21, p22 (of u2), and one row of zeros
above. Picture: gradient in x and y, ρ where the flow is zero, and what divides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit, types

from attcell.flow._vectors import (
    LANES,
    TARGET,
    estimated_inverse,
    exact_length,
    fused,
    larger,
    load,
    minus,
    root,
    rounded_once,
    smaller,
    spread,
    store,
    total,
    with_first_of,
)

LEFT, STATE, PICTURE = 16, 6, 5  # numbers before a row; planes
BORDER = 4  # pixels of zero around a picture; whatever is seen from beyond them is zero
OPTIONS = {"error_model": "numpy", "boundscheck": False}
EXACT_FMA = TARGET.fuses
number = types.float32

Row = Any  # the address of float32 numbers
Vector = Any  # some float32 side by side
KERNELS: dict[str, tuple[str, Callable[..., None]]] = {}


# Carefully: every rounding as in the plain version.


@njit(**OPTIONS)
def _compensated_length(x: Vector, y: Vector) -> Vector:
    """√(x² + y²) rounded once, by the errors of the float32 operations; where it is zero some 1e-18."""
    a = rounded_once(x, x, spread(number(1e-36)))
    b = y * y
    error_a, error_b = rounded_once(x, x, minus(a)), rounded_once(y, y, minus(b))
    s = a + b
    back = s - a
    error = ((a - (s - back)) + (b - back)) + (error_a + error_b)
    r = root(s)
    rest = rounded_once(minus(r), r, s) + error
    inverse = estimated_inverse(r)
    inverse = inverse * rounded_once(minus(r), inverse, spread(number(2)))
    return rounded_once(rest * spread(number(0.5)), inverse, r)


@njit(**OPTIONS)
def _careful_length(x: Vector, y: Vector) -> Vector:
    return _compensated_length(x, y) if EXACT_FMA else exact_length(x, y)


@njit(**OPTIONS)
def _divided(a: Vector, b: Vector, inverse: Vector) -> Vector:
    """a / b rounded once, from the rounded 1 / b (Markstein 1990)."""
    if EXACT_FMA:
        q = a * inverse
        return rounded_once(rounded_once(minus(q), b, a), inverse, q)
    return a / b


@njit(**OPTIONS)
def _careful_flow(
    old: Row, new: Row, o: int, picture: Row, k: int, mask: Row, width: int, pitch: int, theta: float,
    most: float,
) -> float:  # fmt: skip
    """u of the row at ``o``; the sum of squares by which it moved."""
    above = STATE * pitch
    thetas, high, low = spread(theta), spread(most), spread(-most)
    moved = spread(number(0))
    for x in range(0, width, LANES):
        i, q = o + x, k + x
        u1, u2 = load(old, i), load(old, i + pitch)
        gx, gy = load(picture, q), load(picture, q + pitch)
        rho = load(picture, q + 2 * pitch) + (gx * u1 + gy * u2)
        ratio = _divided(rho, load(picture, q + 3 * pitch), load(picture, q + 4 * pitch))
        move = smaller(larger(ratio, low), high)
        left1, left2 = load(old, i + 2 * pitch - 1), load(old, i + 4 * pitch - 1)
        here1, here2 = load(old, i + 2 * pitch), load(old, i + 4 * pitch)
        down1, down2 = load(old, i + 3 * pitch), load(old, i + 5 * pitch)
        up1, up2 = load(old, i + 3 * pitch - above), load(old, i + 5 * pitch - above)
        d1 = (here1 - left1) + (down1 - up1)
        d2 = (here2 - left2) + (down2 - up2)
        if x == 0:
            d1 = with_first_of(d1, (here1 + down1) - up1)
            d2 = with_first_of(d2, (here2 + down2) - up2)
        n1 = (u1 + move * gx) + thetas * d1
        n2 = (u2 + move * gy) + thetas * d2
        store(new, i, n1)
        store(new, i + pitch, n2)
        m1, m2 = n1 - u1, n2 - u2
        moved = moved + (m1 * m1 + m2 * m2) * load(mask, x)
    new[o + width] = new[o + width - 1]
    new[o + pitch + width] = new[o + pitch + width - 1]
    return total(moved)


@njit(**OPTIONS)
def _careful_dual(old: Row, new: Row, o: int, below: int, width: int, pitch: int, step: float) -> None:
    """p of the row at ``o``, from u of this row and the one ``below``."""
    steps, one = spread(step), spread(number(1))
    for x in range(0, width, LANES):
        i = o + x
        u1, u2 = load(new, i), load(new, i + pitch)
        dx1, dx2 = load(new, i + 1) - u1, load(new, i + pitch + 1) - u2
        dy1, dy2 = load(new, i + below) - u1, load(new, i + below + pitch) - u2
        v1 = one + steps * _careful_length(dx1, dy1)
        v2 = one + steps * _careful_length(dx2, dy2)
        r1, r2 = one / v1, one / v2
        store(new, i + 2 * pitch, _divided(load(old, i + 2 * pitch) + steps * dx1, v1, r1))
        store(new, i + 3 * pitch, _divided(load(old, i + 3 * pitch) + steps * dy1, v1, r1))
        store(new, i + 4 * pitch, _divided(load(old, i + 4 * pitch) + steps * dx2, v2, r2))
        store(new, i + 5 * pitch, _divided(load(old, i + 5 * pitch) + steps * dy2, v2, r2))


# Quickly: u is kept times τ/θ, which leaves out some products, and products and sums are rounded together.


@njit(**OPTIONS)
def _quick_flow(
    old: Row, new: Row, o: int, picture: Row, k: int, mask: Row, width: int, pitch: int, tau: float,
    most: float,
) -> float:  # fmt: skip
    above = STATE * pitch
    taus, high, low = spread(tau), spread(most), spread(-most)
    moved = spread(number(0))
    for x in range(0, width, LANES):
        i, q = o + x, k + x
        u1, u2 = load(old, i), load(old, i + pitch)
        gx, gy = load(picture, q), load(picture, q + pitch)
        rho = fused(gx, u1, fused(gy, u2, load(picture, q + 2 * pitch)))
        move = smaller(larger(rho * load(picture, q + 3 * pitch), low), high)
        here1, here2 = load(old, i + 2 * pitch), load(old, i + 4 * pitch)
        left1, left2 = load(old, i + 2 * pitch - 1), load(old, i + 4 * pitch - 1)
        down1, down2 = load(old, i + 3 * pitch), load(old, i + 5 * pitch)
        up1, up2 = load(old, i + 3 * pitch - above), load(old, i + 5 * pitch - above)
        n1 = fused(taus, (here1 - left1) + (down1 - up1), fused(move, gx, u1))
        n2 = fused(taus, (here2 - left2) + (down2 - up2), fused(move, gy, u2))
        store(new, i, n1)
        store(new, i + pitch, n2)
        m1, m2 = n1 - u1, n2 - u2
        moved = fused(fused(m1, m1, m2 * m2), load(mask, x), moved)
    new[o + width] = new[o + width - 1]
    new[o + pitch + width] = new[o + pitch + width - 1]
    return total(moved)


@njit(**OPTIONS)
def _quick_dual(old: Row, new: Row, o: int, below: int, width: int, pitch: int, _: float) -> None:
    one = spread(number(1))
    for x in range(0, width, LANES):
        i = o + x
        u1, u2 = load(new, i), load(new, i + pitch)
        dx1, dx2 = load(new, i + 1) - u1, load(new, i + pitch + 1) - u2
        dy1, dy2 = load(new, i + below) - u1, load(new, i + below + pitch) - u2
        v1 = one + root(fused(dx1, dx1, dy1 * dy1))
        v2 = one + root(fused(dx2, dx2, dy2 * dy2))
        both = one / (v1 * v2)  # one division for two
        r1, r2 = both * v2, both * v1
        store(new, i + 2 * pitch, (load(old, i + 2 * pitch) + dx1) * r1)
        store(new, i + 3 * pitch, (load(old, i + 3 * pitch) + dy1) * r1)
        store(new, i + 4 * pitch, (load(old, i + 4 * pitch) + dx2) * r2)
        store(new, i + 5 * pitch, (load(old, i + 5 * pitch) + dy2) * r2)


def _wave(flow: Any, dual: Any) -> Callable[..., None]:
    def wave(
        old: Row, new: Row, picture: Row, mask: Row, errors: Any, height: int, width: int, pitch: int,
        steps: int, weight: float, step: float, most: float,
    ) -> None:  # fmt: skip
        """So many iterations from ``old`` to ``new``, which may be the same; how far each moved to errors."""
        row = STATE * pitch
        for t in range(steps):
            errors[t] = 0.0
        for s in range(height + steps):
            for t in range(max(0, s - height), min(steps, s + 1)):
                y = s - t
                o = (y + 1) * row + LEFT
                source = old if t == 0 else new
                if y < height:
                    k = y * PICTURE * pitch + LEFT
                    errors[t] += flow(source, new, o, picture, k, mask, width, pitch, weight, most)
                if y > 0:
                    dual(source, new, o - row, row if y < height else 0, width, pitch, step)

    return wave


KERNELS["careful_wave"] = ("ppppdiiiifff", _wave(_careful_flow, _careful_dual))
KERNELS["quick_wave"] = ("ppppdiiiifff", _wave(_quick_flow, _quick_dual))
