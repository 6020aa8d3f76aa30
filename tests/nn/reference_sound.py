"""Networks for sound in plain NumPy and Python loops, from their published descriptions.

Of one picture (T, M). CNN14: Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio
Pattern Recognition", 2020, Section II and Table I: each band normalised; blocks of two convolutions of 3×3,
each with batch normalisation and ReLU; the mean of 2×2 regions behind each block but the last. VGGish:
Hershey et al., "CNN Architectures for Large-Scale Audio Classification", 2017: VGG without its last group, on
one channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

State = Mapping[str, np.ndarray]


def convolution(maps: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """(C, R, K) to (F, R, K): 3×3, zeros around the rim."""
    _, rows, columns = maps.shape
    padded = np.zeros((len(maps), rows + 2, columns + 2))
    padded[:, 1:-1, 1:-1] = maps
    found = np.zeros((len(kernel), rows, columns))
    for f, i, j in np.ndindex(found.shape):
        found[f, i, j] = np.sum(padded[:, i : i + 3, j : j + 3] * kernel[f])
        found[f, i, j] += 0 if bias is None else bias[f]
    return found


def normalised(values: np.ndarray, state: State, layer: str) -> np.ndarray:
    """(C, …), each channel by the figures of its layer, as at test."""
    found = np.empty_like(values)
    for c in range(len(values)):
        mean, variance = state[f"{layer}.running_mean"][c], state[f"{layer}.running_var"][c]
        found[c] = (values[c] - mean) / np.sqrt(variance + 1e-5)
        found[c] = found[c] * state[f"{layer}.weight"][c] + state[f"{layer}.bias"][c]
    return found


def pooled(maps: np.ndarray, how: str) -> np.ndarray:
    """2×2 regions to one; what is left over at an odd side is dropped."""
    channels, rows, columns = maps.shape
    found = np.zeros((channels, rows // 2, columns // 2))
    for c, i, j in np.ndindex(found.shape):
        region = maps[c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        found[c, i, j] = region.max() if how == "max" else region.sum() / 4
    return found


def cnn14(picture: np.ndarray, state: State, num_blocks: int, last: int = 6) -> np.ndarray:
    """The map behind a block; ``last`` is the one without a pooling."""
    maps = normalised(picture.T, state, "bn0").T[None]
    for number in range(1, num_blocks + 1):
        block = f"conv_block{number}"
        for part in ("1", "2"):
            maps = convolution(maps, state[f"{block}.conv{part}.weight"])
            maps = np.maximum(normalised(maps, state, f"{block}.bn{part}"), 0)
        maps = maps if number == last else pooled(maps, "mean")
    return maps


def vggish(picture: np.ndarray, stages: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]]) -> np.ndarray:
    """The map behind the last pooling: of each stage the kernels and biases."""
    maps = picture[None]
    for stage in stages:
        for kernel, bias in stage:
            maps = np.maximum(convolution(maps, kernel, bias), 0)
        maps = pooled(maps, "max")
    return maps


def statistics(rows: np.ndarray) -> np.ndarray:
    """Mean and deviation over time of each column."""
    means = [sum(column) / len(column) for column in rows.T]
    deviations = [
        (sum((value - mean) ** 2 for value in column) / len(column)) ** 0.5
        for column, mean in zip(rows.T, means, strict=True)
    ]
    return np.array(means + deviations)


def mfcc(picture: np.ndarray, coefficients: int = 20) -> np.ndarray:
    """Statistics of cepstral coefficients (DCT-II) and of the slope of a line through five of them."""
    bands = picture.shape[1]
    cepstra = np.zeros((len(picture), coefficients))
    for t, k in np.ndindex(cepstra.shape):
        total = sum(picture[t, m] * np.cos(np.pi * k * (2 * m + 1) / (2 * bands)) for m in range(bands))
        cepstra[t, k] = total * np.sqrt((1 if k == 0 else 2) / bands)
    slopes = np.zeros_like(cepstra)
    for t in range(len(cepstra)):
        near = [cepstra[min(max(t + step, 0), len(cepstra) - 1)] for step in range(-2, 3)]
        for k in range(coefficients):
            slopes[t, k] = np.polyfit(range(5), [row[k] for row in near], 1)[0]
    return statistics(np.concatenate([cepstra, slopes], axis=1))
