"""The fixed point iterations of TV-L1 as a Triton kernel, and what the kernels share.

Of a batch of B pairs, H×W pixels each, all float32, the kernels see

- ``state`` (2, B, 6, H, W): twice the flow u1, u2 and its dual variables p11, p12, p21, p22. A launch reads
  one of the two and writes the other; the ``side`` of a pair says which of them holds its last iteration.
- ``smooth`` (B, 2, H, W): the flow after the median.
- ``linear`` (B, 3, H, W): the warped picture's gradient in x and y; what ρ is where the flow is zero.
- ``progress`` (3, B) int32: the side of each pair, and 2 more once it is done with this warp.
- ``moved`` (3, B, STEPS) int64: by how much each iteration of a launch moved a pair's flow; sums of squares
  in units of the limit, in whole numbers, so that it does not matter in which order blocks add.

The last two have three rows: one for the launch before, one for this launch (its ``turn``, 0 to 2), one that
is made ready for the next. So a pair that is done is found out by the next launch, on the device: it repeats
the iterations up to the one that was the last, over what went too far, and later launches pass the pair by.

Several iterations go through the rows as a wave. A block is one warp of a GPU and holds one row of a strip,
a thread a pixel: the neighbours above and below are what it saw before, those left and right come from the
threads beside it. Shared memory and barriers are not needed, and a pixel is read and written once a launch.
"""

from __future__ import annotations

import triton
import triton.language as tl

DONE = tl.constexpr(2)
ENOUGH = tl.constexpr(2**40)  # the limit in ``moved``: a pair whose sum is not above it is done
_TINY = tl.constexpr(1.1754943508222875e-38)  # the smallest float32 that has all its bits


@triton.jit
def standing(progress, moved, pair, pairs, turn, fresh, steps: tl.constexpr, measured: tl.constexpr):
    """What the launch before left of a pair: its side, whether it was done then, after how many iterations.

    The number is 0 if no iteration of that launch was the last; so it is in the first launch of a warp
    (``fresh``), whatever the warp before left.
    """
    row = ((turn + 2) % 3) * pairs + pair
    word = tl.load(progress + row)
    done = (word >= DONE) & (fresh == 0)
    ended = 0
    if measured:
        for back in tl.static_range(steps):
            step = steps - 1 - back
            ended = tl.where(tl.load(moved + row * steps + step) <= ENOUGH, step + 1, ended)
        ended = tl.where(done | (fresh != 0), 0, ended)
    return word & 1, done, ended


@triton.jit
def _note(progress, moved, pair, pairs, turn, word, steps: tl.constexpr):
    """How a pair stands after this launch, and zeros where the next one adds."""
    tl.store(progress + turn * pairs + pair, word)
    for step in tl.static_range(steps):
        tl.store(moved + (((turn + 1) % 3) * pairs + pair) * steps + step, tl.zeros((), tl.int64))


@triton.jit
def _read(place, area, mask, count: tl.constexpr):
    values = ()
    for plane in tl.static_range(count):
        values = values + (tl.load(place + plane * area, mask=mask, other=0.0),)
    return values


@triton.jit
def _quotient(a, b, inverse):
    """a / b, rounded once, by the rounded 1 / b (Markstein 1990)."""
    near = a * inverse
    return tl.fma(tl.fma(-near, b, a), inverse, near)


@triton.jit
def _length(x, y, exact: tl.constexpr):
    """√(x² + y²). Exact: as computed in float64 and rounded once, by the errors of the roundings."""
    xx, yy = x * x, y * y
    total = xx + yy
    inverse = tl.rsqrt(tl.maximum(total, 1e-36))  # what is shorter changes no divisor
    root = total * inverse
    if exact:
        part = total - xx
        lost = (xx - (total - part)) + (yy - part) + (tl.fma(x, x, -xx) + tl.fma(y, y, -yy))
        root = tl.fma((tl.fma(-root, root, total) + lost) * 0.5, inverse, root)
    return root


@triton.jit
def _divergence(px, py, above, left, is_first):
    """Backward differences of a row; in the first column the terms are added in another order, as OpenCV."""
    dx = px - tl.gather(px, left, 0)
    return tl.where(is_first, (dx + py) - above, dx + (py - above))


@triton.jit
def _ascended(px, py, dx, dy, tau_theta, exact: tl.constexpr):
    """The dual variable a step along the gradient (dx, dy), and kept within its bound."""
    divisor = 1 + tau_theta * _length(dx, dy, exact)
    px, py = px + tau_theta * dx, py + tau_theta * dy
    if exact:
        inverse = tl.div_rn(1.0, divisor)
        return _quotient(px, divisor, inverse), _quotient(py, divisor, inverse)
    inverse = tl.rsqrt(divisor)
    inverse = inverse * inverse  # in two instructions, where a division takes eight
    return px * inverse, py * inverse


@triton.jit
def _moved_row(row, above, left, is_first, theta, reach, limit, exact: tl.constexpr):
    """The flow of a row after an iteration: ten values to ten, of which u1 and u2 are new."""
    u1, u2, p11, p12, p21, p22, gx, gy, rest, inverse = row
    # The auxiliary flow minimises its quadratic distance to u plus λθ|ρ| at each pixel: the thresholding.
    rho = rest + (gx * u1 + gy * u2)
    move = rho * inverse
    if exact:  # clipped before, too: what is far too large could not be corrected
        move = tl.minimum(tl.maximum(move, -2 * limit), 2 * limit)
        move = tl.fma(tl.fma(move, tl.maximum(gx * gx + gy * gy, _TINY), rho), inverse, move)
    move = tl.minimum(tl.maximum(move, -reach), reach)
    u1 = (u1 + move * gx) + theta * _divergence(p11, p12, above[3], left, is_first)
    u2 = (u2 + move * gy) + theta * _divergence(p21, p22, above[5], left, is_first)
    return u1, u2, p11, p12, p21, p22, gx, gy, rest, inverse


@triton.jit
def _ascended_row(row, below, has_below, right, has_right, tau_theta, exact: tl.constexpr):
    """The dual variables of a row after an iteration: ten values to ten. Of both rows the flow is new."""
    u1, u2, p11, p12, p21, p22, gx, gy, rest, inverse = row
    dx1 = tl.where(has_right, tl.gather(u1, right, 0) - u1, 0.0)
    dx2 = tl.where(has_right, tl.gather(u2, right, 0) - u2, 0.0)
    dy1, dy2 = tl.where(has_below, below[0] - u1, 0.0), tl.where(has_below, below[1] - u2, 0.0)
    p11, p12 = _ascended(p11, p12, dx1, dy1, tau_theta, exact)
    p21, p22 = _ascended(p21, p22, dx2, dy2, tau_theta, exact)
    return u1, u2, p11, p12, p21, p22, gx, gy, rest, inverse


# Numbers that change from launch to launch: no kernel is compiled anew because one of them is 1, say.
@triton.jit(
    do_not_specialize=[
        *("pairs", "height", "width", "strips", "pieces", "tall"),
        *("turn", "fresh", "from_smooth", "was_from_smooth", "closing"),
    ]
)
def iterate(
    state,
    smooth,
    linear,
    progress,
    moved,
    pairs,
    height,
    width,
    strips,
    pieces,
    tall,
    turn,
    fresh,
    from_smooth,
    was_from_smooth,
    closing,
    tau_theta,
    theta,
    limit,
    scale,
    STEPS: tl.constexpr,
    WIDE: tl.constexpr,
    MEASURED: tl.constexpr,
    EXACT: tl.constexpr,
):
    """``STEPS`` iterations of a piece of a strip, in a wave: each is a row behind the one before it.

    A strip is read with a margin of ``STEPS`` columns left and right, a piece with as many rows above and
    below; what is computed there grows wrong from the outside and is thrown away.

    Args:
        strips, pieces: of a picture, and of a strip.
        tall: rows of a piece without its margins; ``WIDE`` counts a strip's columns with them.
        fresh: whether this is a warp's first launch.
        from_smooth, was_from_smooth: whether this launch, or the one before, begins with the smoothed flow.
        closing: whether only pairs that are done have anything left to do.
        limit: λθ, the most that the brightness moves the flow along a gradient of one.
        scale: of squares to units of ``moved``.
    """
    pair, place = tl.program_id(0) // (strips * pieces), tl.program_id(0) % (strips * pieces)
    side, done, ended = standing(progress, moved, pair, pairs, turn, fresh, STEPS, MEASURED)
    again = ended > 0
    if place == 0:
        goes_on = tl.where(closing != 0, side, 1 - side)
        _note(progress, moved, pair, pairs, turn, tl.where(done | again, side + DONE, goes_on), STEPS)
    # A pair that was done with the very last iteration of a launch did not go too far.
    steps = tl.where(again, ended % STEPS, tl.where(done | (closing != 0), 0, STEPS))
    if steps > 0:
        area = height * width
        lane = tl.arange(0, WIDE)
        columns = (place % strips) * (WIDE - 2 * STEPS) - STEPS + lane
        left, right = tl.maximum(lane - 1, 0), tl.minimum(lane + 1, WIDE - 1)
        has_right, is_first = (columns >= 0) & (columns < width - 1), columns == 0
        kept = (lane >= STEPS) & (lane < WIDE - STEPS) & (columns < width)
        source = tl.where(again, 1 - side, side)
        old = state + (source * pairs + pair).to(tl.int64) * 6 * area + columns
        new = state + ((1 - source) * pairs + pair).to(tl.int64) * 6 * area + columns
        picture = linear + pair.to(tl.int64) * 3 * area + columns
        flow = old
        if tl.where(again, was_from_smooth, from_smooth) != 0:
            flow = smooth + pair.to(tl.int64) * 2 * area + columns
        top = (place // strips) * tall
        bottom = tl.minimum(top + tall, height)
        zero = tl.zeros((WIDE,), tl.float32)
        # Of each iteration: the row above, whose flow is new; what it has moved; its steps, which are zero if
        # it is one too many, so that it changes nothing.
        behind, squares, ascents, thetas, reaches = (), (), (), (), ()
        for k in tl.static_range(STEPS):
            behind = behind + ((zero, zero, zero, zero, zero, zero, zero, zero, zero, zero),)
            squares = squares + (zero,)
            ascents = ascents + (tl.where(k < steps, tau_theta, 0.0),)
            thetas = thetas + (tl.where(k < steps, theta, 0.0),)
            reaches = reaches + (tl.where(k < steps, limit, 0.0),)
        for first in range(tl.maximum(top - STEPS, 0), bottom + STEPS):
            at = first * width
            here = (columns >= 0) & (columns < tl.where(first < height, width, 0))
            row = _read(flow + at, area, here, 2) + _read(old + 2 * area + at, area, here, 4)
            gx, gy, rest = _read(picture + at, area, here, 3)
            # Without a gradient any negative number does: nothing moves along no gradient.
            row = row + (gx, gy, rest, tl.div_rn(-1.0, tl.maximum(gx * gx + gy * gy, _TINY)))
            next_behind, next_squares = (), ()
            for k in tl.static_range(STEPS):
                y = first - k
                next_row = _moved_row(row, behind[k], left, is_first, thetas[k], reaches[k], limit, EXACT)
                if MEASURED:
                    by1, by2 = next_row[0] - row[0], next_row[1] - row[1]
                    counts = tl.where((y >= top) & (y < bottom), 1.0, 0.0)
                    next_squares = next_squares + (squares[k] + counts * (by1 * by1 + by2 * by2),)
                has_below = (y > 0) & (y < height)
                row = _ascended_row(behind[k], next_row, has_below, right, has_right, ascents[k], EXACT)
                next_behind = next_behind + (next_row,)
            behind = next_behind
            if MEASURED:
                squares = next_squares
            ready = kept & (lane < tl.where(first - STEPS >= top, WIDE, 0))
            for plane in tl.static_range(6):
                tl.store(new + plane * area + at - STEPS * width, row[plane], mask=ready)
        if MEASURED:
            for k in tl.static_range(STEPS):
                square = tl.sum(tl.where(kept, squares[k], 0.0))
                units = tl.minimum(square * scale, 2.0 * ENOUGH).to(tl.int64)
                tl.atomic_add(moved + (turn * pairs + pair) * STEPS + k, units)
