"""TV-L1 as the equations have it: one pair, plain NumPy, loops over pixels where that is the clearest."""

from __future__ import annotations

import numpy as np


def tvl1(
    first, second, *, tau, attachment, theta, num_scales, scale_step, num_warps, rounds, round_iterations,
    epsilon, median, warp, exact_length,
):  # fmt: skip
    """(H, W) twice, float64 -> flow (2, H, W); lengths are exact here in any case."""
    scales = [(first, second)]
    for _ in range(num_scales - 1):
        height, width = first.shape
        size = (round(height * scale_step), round(width * scale_step))
        if min(size) < 16:
            break
        first, second = (linear_resize(image, size, scale_step) for image in scales[-1])
        scales.append((first, second))
    flow = np.zeros((2, *scales[-1][0].shape))
    for first, second in reversed(scales):
        if flow.shape[1:] != first.shape:
            flow = np.stack([linear_resize(u, first.shape) for u in flow]) / scale_step
        p = np.zeros((2, 2, *first.shape))
        gradient = np.stack([central(second, axis=1), central(second, axis=0)])
        for _ in range(num_warps):
            picture, gx, gy = (sampled(image, flow, warp) for image in (second, *gradient))
            start = flow.copy()
            change = np.inf
            for _ in range(rounds):
                if median and change > epsilon**2 * first.size:
                    flow = np.stack([median_of_25(u) for u in flow])
                for _ in range(round_iterations):
                    if epsilon and change <= epsilon**2 * first.size:
                        break
                    rho = picture + gx * (flow[0] - start[0]) + gy * (flow[1] - start[1]) - first
                    v = flow + thresholded(rho, gx, gy, attachment * theta)
                    new = np.stack([v[d] + theta * divergence(p[d]) for d in range(2)])
                    for d in range(2):
                        du = forward(new[d])
                        p[d] = (p[d] + tau / theta * du) / (1 + tau / theta * np.hypot(*du))
                    change = ((new - flow) ** 2).sum()
                    flow = new
    return flow


def thresholded(rho, gx, gy, bound):
    """What moves the auxiliary flow: λθ∇I, −λθ∇I, or −ρ∇I/|∇I|², whichever case holds."""
    step = np.zeros((2, *rho.shape))
    for at in np.ndindex(*rho.shape):
        g = np.array([gx[at], gy[at]])
        squared = g @ g
        if rho[at] < -bound * squared:
            step[:, at[0], at[1]] = bound * g
        elif rho[at] > bound * squared:
            step[:, at[0], at[1]] = -bound * g
        elif squared > 0:
            step[:, at[0], at[1]] = -rho[at] / squared * g
    return step


def forward(u):
    """Differences to the right and downwards; zero in the last column and row."""
    dx, dy = np.zeros_like(u), np.zeros_like(u)
    dx[:, :-1] = u[:, 1:] - u[:, :-1]
    dy[:-1] = u[1:] - u[:-1]
    return np.stack([dx, dy])


def divergence(p):
    """Minus the adjoint of ``forward``."""
    px, py = p
    result = np.zeros_like(px)
    height, width = px.shape
    for y, x in np.ndindex(height, width):
        if x < width - 1:
            result[y, x] += px[y, x]
        if x > 0:
            result[y, x] -= px[y, x - 1]
        if y < height - 1:
            result[y, x] += py[y, x]
        if y > 0:
            result[y, x] -= py[y - 1, x]
    return result


def central(image, axis):
    after = np.take(image, np.minimum(np.arange(image.shape[axis]) + 1, image.shape[axis] - 1), axis)
    before = np.take(image, np.maximum(np.arange(image.shape[axis]) - 1, 0), axis)
    return (after - before) / 2


def linear_resize(image, size, step=None):
    for axis, new in enumerate(size):
        old = image.shape[axis]
        place = (np.arange(new) + 0.5) * (1 / step if step else old / new) - 0.5
        place = np.maximum(place, 0)
        low = np.floor(place).astype(int)
        part = np.expand_dims(place - low, 1 - axis)
        low, high = np.minimum(low, old - 1), np.minimum(low + 1, old - 1)
        image = np.take(image, low, axis) * (1 - part) + np.take(image, high, axis) * part
    return image


def sampled(image, flow, interpolation):
    """The image at x + u, zero outside; the cubic kernel is Keys' with a = −0.75."""
    height, width = image.shape
    reach = 2 if interpolation == "bicubic" else 1
    padded = np.pad(image, 4)
    result = np.zeros_like(image)
    for y, x in np.ndindex(height, width):
        at_x, at_y = x + flow[0, y, x], y + flow[1, y, x]
        left, top = int(np.floor(at_x)), int(np.floor(at_y))
        for j in range(top - reach + 1, top + reach + 1):
            for i in range(left - reach + 1, left + reach + 1):
                if -4 <= j < height + 4 and -4 <= i < width + 4:
                    weight = kernel(at_x - i, interpolation) * kernel(at_y - j, interpolation)
                    result[y, x] += weight * padded[j + 4, i + 4]
    return result


def kernel(distance, interpolation, a=-0.75):
    d = abs(distance)
    if interpolation == "bilinear":
        return max(0.0, 1 - d)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    if d < 2:
        return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return 0.0


def median_of_25(u):
    padded = np.pad(u, 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    return np.median(windows, axis=(2, 3))
