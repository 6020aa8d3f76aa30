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

from typing import Any

from numba import njit, types

from attcell.flow._kernel_median import median
from attcell.flow._vectors import (
    LANES,
    OPTIONS,
    PICTURE,
    STATE,
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
    place,
    right_neighbours,
    root,
    rounded_once,
    smaller,
    spread,
    store_aligned,
    total,
    with_first_of,
)

FUSES, HAS_ESTIMATES = TARGET.fuses, TARGET.estimates
AT_ONCE = 5  # iterations in a wave that may have gone too far
IN_PLACE = 20  # in one that cannot: more gain nothing
number = types.float32

Row = Any  # the address of float32 numbers
Vector = Any  # some float32 side by side


# Carefully: every rounding as in the plain version.


@njit(**OPTIONS)
def _rough_inverse(r: Vector) -> Vector:
    """1 / r, to some bits less than a float32 has."""
    if HAS_ESTIMATES:
        inverse = estimated_inverse(r)
        return inverse * rounded_once(minus(r), inverse, spread(number(2)))
    return spread(number(1)) / r


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
    inverse = _rough_inverse(r)
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
    if HAS_ESTIMATES:
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


# The iterations of one warp.


def _wave(compute: Any) -> Any:
    @njit(**OPTIONS)
    def wave(
        old: Row, new: Row, picture: Row, mask: Row, moved: Any, height: int, width: int, pitch: int,
        steps: int, weight: float, ratio: float, most: float,
    ) -> None:  # fmt: skip
        """So many iterations from ``old`` to ``new``, which may be the same; by how much each moved u."""
        row = STATE * pitch
        blocks = (width + LANES - 1) // LANES
        last, behind = place(0, width - 1, STATE), place(0, width, STATE)
        for t in range(steps):
            moved[t] = 0.0
        for s in range(height + steps):
            for t in range(max(0, s - height), min(steps, s + 1)):
                y = s - t
                o, k = (y + 1) * row, y * PICTURE * pitch
                moved[t] += compute(
                    old if t == 0 else new, new, o, picture, k, mask, blocks, row, weight, ratio, most,
                    y < height, y > 0,
                )  # fmt: skip
                if y < height:
                    new[o + behind] = new[o + last]
                    new[o + LANES + behind] = new[o + LANES + last]

    return wave


def _solver(wave: Any) -> Any:
    @njit(**OPTIONS)
    def solve(
        one: Row, other: Row, picture: Row, mask: Row, scratch: Row, moved: Any, height: int, width: int,
        pitch: int, rounds: int, iterations: int, has_median: int, weight: float, ratio: float, most: float,
        enough: float,
    ) -> bool:  # fmt: skip
        """Rounds of iterations, each after a median, until one iteration moves u no more than ``enough``.

        From ``one``; whether the result is in ``other`` in the end. A wave goes from one to the other, so
        that a wave that went too far can be done again.
        """
        old, new, swaps, is_done = one, other, 0, False
        for _ in range(rounds):
            if has_median:
                median(old, height, width, pitch, scratch)
            left, foreseen, last = iterations, AT_ONCE, 0.0
            while left > 0 and not is_done:
                steps = min(left, foreseen)
                wave(old, new, picture, mask, moved, height, width, pitch, steps, weight, ratio, most)
                took = steps
                for t in range(steps - 1, -1, -1):
                    if number(moved[t]) <= enough:
                        took, is_done = t + 1, True
                if took < steps:
                    wave(old, new, picture, mask, moved, height, width, pitch, took, weight, ratio, most)
                before, last = moved[steps - 2] if steps > 1 else last, moved[steps - 1]
                foreseen = _foreseen(before, last, enough)
                left -= steps
                old, new, swaps = new, old, swaps + 1
            if is_done:
                break
        return swaps % 2 == 1

    return solve


@njit(**OPTIONS)
def _foreseen(before: float, last: float, enough: float) -> int:
    """How many more iterations until it is enough, if the changes fall on as they do; at most ``AT_ONCE``.

    A wave that ends where a pair is done need not be made again. A wrong guess costs time and no accuracy.
    """
    num = 1
    if before > last:
        after = last * (last / before)
        while after > enough and num < AT_ONCE:
            after *= last / before
            num += 1
        return num
    return AT_ONCE


_quick_wave = _wave(_quick_row(is_measured=False))


@njit(**OPTIONS)
def solve_all_quickly(
    state: Row, picture: Row, mask: Row, scratch: Row, moved: Any, height: int, width: int, pitch: int,
    rounds: int, iterations: int, has_median: int, weight: float, ratio: float, most: float,
) -> None:  # fmt: skip
    """All the rounds and iterations, in place."""
    for _ in range(rounds):
        if has_median:
            median(state, height, width, pitch, scratch)
        left = iterations
        while left > 0:
            steps = min(left, IN_PLACE)
            _quick_wave(state, state, picture, mask, moved, height, width, pitch, steps, weight, ratio, most)
            left -= steps


solve_carefully = _solver(_wave(_careful_row))
solve_quickly = _solver(_wave(_quick_row(is_measured=True)))
