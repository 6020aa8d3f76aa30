"""TV-L1's fixed point iterations for the CPU, several in one sweep over the rows.

Nearly all the time of TV-L1 goes here. One iteration alone would wait for memory, so some of them follow
each other through the picture like waves: iteration t is at row s − t at step s, and what it needs is still
in the core's cache. Row y of the flow u can be computed from the dual variables p of rows y and y − 1, and p
of row y − 1 from the new u of rows y − 1 and y: so both are done in one loop, and in place.

A row is kept as blocks of ``LANES`` pixels, and a block as its planes one after another: so all that is
needed of some pixels lies together, and a row is one stream to the processor. Planes of the state: u1, u2,
p11, p12 (of u1), p21, p22 (of u2). Of the picture: its gradient in x and y, ρ where the flow is zero, and
what divides. One row of zeros lies above the state, and at least one pixel behind each row, in which the last
u is repeated: so the difference over the border is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit, types

from attcell.flow._vectors import (
    LANES,
    TARGET,
    estimated_inverse,
    estimated_inverse_root,
    exact_length,
    fused,
    larger,
    left_neighbours,
    load,
    load_aligned,
    minus,
    right_neighbours,
    root,
    rounded_once,
    smaller,
    spread,
    store_aligned,
    total,
    with_first_of,
)

STATE, PICTURE = 6, 4  # planes
BORDER = 4  # pixels of zero around a picture; whatever is seen from beyond them is zero
OPTIONS = {"error_model": "numpy", "boundscheck": False}
FUSES, ESTIMATES = TARGET.fuses, TARGET.estimates
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
    return _compensated_length(x, y) if FUSES else exact_length(x, y)


@njit(**OPTIONS)
def _careful_row(
    old: Row, new: Row, o: int, picture: Row, k: int, mask: Row, blocks: int, step: int, weight: float,
    ratio: float, most: float, do_flow: bool, do_dual: bool,
) -> float:  # fmt: skip
    """u of the row at ``o``, and p of the row before it; the sum of squares by which u moved."""
    weights, ratios, high, low = spread(weight), spread(ratio), spread(most), spread(-most)
    zero, one = spread(number(0)), spread(number(1))
    moved, before1, before2 = zero, zero, zero
    above = o - step
    next1, next2 = load_aligned(new, above), load_aligned(new, above + LANES)
    for block in range(blocks):
        i, j, q = o + block * STATE * LANES, above + block * STATE * LANES, k + block * PICTURE * LANES
        above1, above2 = next1, next2
        n1, n2 = above1, above2  # if there is no row below: differences of zero
        up12, up22 = load_aligned(old, j + 3 * LANES), load_aligned(old, j + 5 * LANES)
        if do_flow:
            u1, u2 = load_aligned(old, i), load_aligned(old, i + LANES)
            p11, p12 = load_aligned(old, i + 2 * LANES), load_aligned(old, i + 3 * LANES)
            p21, p22 = load_aligned(old, i + 4 * LANES), load_aligned(old, i + 5 * LANES)
            gx, gy = load_aligned(picture, q), load_aligned(picture, q + LANES)
            rho = load_aligned(picture, q + 2 * LANES) + (gx * u1 + gy * u2)
            move = smaller(larger(rho / load_aligned(picture, q + 3 * LANES), low), high)
            d1 = (p11 - left_neighbours(before1, p11)) + (p12 - up12)
            d2 = (p21 - left_neighbours(before2, p21)) + (p22 - up22)
            if block == 0:
                d1 = with_first_of(d1, (p11 + p12) - up12)
                d2 = with_first_of(d2, (p21 + p22) - up22)
            before1, before2 = p11, p21
            n1 = (u1 + move * gx) + weights * d1
            n2 = (u2 + move * gy) + weights * d2
            store_aligned(new, i, n1)
            store_aligned(new, i + LANES, n2)
            m1, m2 = n1 - u1, n2 - u2
            squares = m1 * m1 + m2 * m2
            if block == blocks - 1:
                squares = squares * load(mask, 0)
            moved = moved + squares
        if do_dual:
            following = j + STATE * LANES
            next1, next2 = load_aligned(new, following), load_aligned(new, following + LANES)
            dx1, dx2 = right_neighbours(above1, next1) - above1, right_neighbours(above2, next2) - above2
            dy1, dy2 = n1 - above1, n2 - above2
            v1 = one + ratios * _careful_length(dx1, dy1)
            v2 = one + ratios * _careful_length(dx2, dy2)
            store_aligned(new, j + 2 * LANES, (load_aligned(old, j + 2 * LANES) + ratios * dx1) / v1)
            store_aligned(new, j + 3 * LANES, (up12 + ratios * dy1) / v1)
            store_aligned(new, j + 4 * LANES, (load_aligned(old, j + 4 * LANES) + ratios * dx2) / v2)
            store_aligned(new, j + 5 * LANES, (up22 + ratios * dy2) / v2)
    return total(moved)


# Quickly: u is kept times τ/θ, which leaves out some products, and products and sums are rounded together.


@njit(**OPTIONS)
def _quick_inverses(a: Vector, b: Vector) -> tuple[Vector, Vector]:
    """1 / (1 + √a) and 1 / (1 + √b): to 11 bits or more where the processor estimates, and a > 0."""
    one = spread(number(1))
    if ESTIMATES:
        return (
            estimated_inverse(fused(a, estimated_inverse_root(a), one)),
            estimated_inverse(fused(b, estimated_inverse_root(b), one)),
        )
    a, b = one + root(a), one + root(b)
    both = one / (a * b)  # one division for two
    return both * b, both * a


def _quick_row(*, is_measured: bool) -> Any:
    @njit(**OPTIONS)
    def row(
        old: Row, new: Row, o: int, picture: Row, k: int, mask: Row, blocks: int, step: int, weight: float,
        _: float, most: float, do_flow: bool, do_dual: bool,
    ) -> float:  # fmt: skip
        weights, high, low = spread(weight), spread(most), spread(-most)
        zero, tiny = spread(number(0)), spread(number(1e-30))
        moved, before1, before2 = zero, zero, zero
        above = o - step
        next1, next2 = load_aligned(new, above), load_aligned(new, above + LANES)
        for block in range(blocks):
            i, j, q = o + block * STATE * LANES, above + block * STATE * LANES, k + block * PICTURE * LANES
            above1, above2 = next1, next2
            n1, n2 = above1, above2
            up12, up22 = load_aligned(old, j + 3 * LANES), load_aligned(old, j + 5 * LANES)
            if do_flow:
                u1, u2 = load_aligned(old, i), load_aligned(old, i + LANES)
                p11, p12 = load_aligned(old, i + 2 * LANES), load_aligned(old, i + 3 * LANES)
                p21, p22 = load_aligned(old, i + 4 * LANES), load_aligned(old, i + 5 * LANES)
                gx, gy = load_aligned(picture, q), load_aligned(picture, q + LANES)
                rho = fused(gx, u1, fused(gy, u2, load_aligned(picture, q + 2 * LANES)))
                move = smaller(larger(rho * load_aligned(picture, q + 3 * LANES), low), high)
                d1 = (p11 - left_neighbours(before1, p11)) + (p12 - up12)
                d2 = (p21 - left_neighbours(before2, p21)) + (p22 - up22)
                before1, before2 = p11, p21
                n1 = fused(weights, d1, fused(move, gx, u1))
                n2 = fused(weights, d2, fused(move, gy, u2))
                store_aligned(new, i, n1)
                store_aligned(new, i + LANES, n2)
                if is_measured:
                    m1, m2 = n1 - u1, n2 - u2
                    squares = fused(m1, m1, m2 * m2)
                    if block == blocks - 1:
                        squares = squares * load(mask, 0)
                    moved = moved + squares
            if do_dual:
                next1, next2 = (
                    load_aligned(new, j + STATE * LANES),
                    load_aligned(new, j + (STATE + 1) * LANES),
                )
                dx1, dx2 = right_neighbours(above1, next1) - above1, right_neighbours(above2, next2) - above2
                dy1, dy2 = n1 - above1, n2 - above2
                r1, r2 = _quick_inverses(
                    fused(dx1, dx1, fused(dy1, dy1, tiny)), fused(dx2, dx2, fused(dy2, dy2, tiny))
                )
                store_aligned(new, j + 2 * LANES, (load_aligned(old, j + 2 * LANES) + dx1) * r1)
                store_aligned(new, j + 3 * LANES, (up12 + dy1) * r1)
                store_aligned(new, j + 4 * LANES, (load_aligned(old, j + 4 * LANES) + dx2) * r2)
                store_aligned(new, j + 5 * LANES, (up22 + dy2) * r2)
        return total(moved)

    return row


@njit(**OPTIONS)
def place(plane: int, x: int, planes: int) -> int:
    """Where a pixel's number lies in a row of blocks."""
    return x // LANES * (planes * LANES) + plane * LANES + x % LANES


def _wave(compute: Any) -> Callable[..., None]:
    def wave(
        old: Row, new: Row, picture: Row, mask: Row, errors: Any, height: int, width: int, pitch: int,
        steps: int, weight: float, ratio: float, most: float,
    ) -> None:  # fmt: skip
        """So many iterations from ``old`` to ``new``, which may be the same; how far each moved to errors."""
        row = STATE * pitch
        blocks = (width + LANES - 1) // LANES
        last, behind = place(0, width - 1, STATE), place(0, width, STATE)
        for t in range(steps):
            errors[t] = 0.0
        for s in range(height + steps):
            for t in range(max(0, s - height), min(steps, s + 1)):
                y = s - t
                o, k = (y + 1) * row, y * PICTURE * pitch
                errors[t] += compute(
                    old if t == 0 else new, new, o, picture, k, mask, blocks, row, weight, ratio, most,
                    y < height, y > 0,
                )  # fmt: skip
                if y < height:
                    new[o + behind] = new[o + last]
                    new[o + LANES + behind] = new[o + LANES + last]

    return wave


KERNELS["careful_wave"] = ("ppppdiiiifff", _wave(_careful_row))
KERNELS["quick_wave"] = ("ppppdiiiifff", _wave(_quick_row(is_measured=False)))
KERNELS["quick_measured_wave"] = ("ppppdiiiifff", _wave(_quick_row(is_measured=True)))
