"""STAN in plain NumPy and Python loops, written from the equations; slow, and independent of PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Weights = Mapping[str, np.ndarray]


def softmax(values: np.ndarray) -> np.ndarray:
    exponentials = np.exp(values - values.max())
    return exponentials / exponentials.sum()


def att_cell(descriptors: np.ndarray, weight: np.ndarray, bias: float) -> tuple[np.ndarray, np.ndarray]:
    """Eq. 1-2: s_n = Wᵀf_n + b, α = softmax(s), for descriptors (N, D)."""
    scores = np.array([weight @ descriptor + bias for descriptor in descriptors])
    return scores, softmax(scores)


def hidden_layer(descriptors: np.ndarray, weights: Weights) -> np.ndarray:
    """Of an MLP in the place of Eq. 1's linear map: tanh(W f_n + c), for descriptors (N, D)."""
    rows = [weights["hidden.0.weight"] @ descriptor + weights["hidden.0.bias"] for descriptor in descriptors]
    return np.tanh(np.array(rows))


def conv6(maps: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A k×k convolution of (F, K, K), padded with zeros to keep K, and a ReLU: (D, K, K). The paper: 3×3."""
    _, height, width = maps.shape
    size = weight.shape[-1]
    padded = np.pad(maps, ((0, 0), (size // 2, size // 2), (size // 2, size // 2)))
    out = np.empty((len(weight), height, width))
    for d, row, column in np.ndindex(out.shape):
        seen = padded[:, row : row + size, column : column + size]
        out[d, row, column] = (weight[d] * seen).sum() + bias[d]
    return np.maximum(out, 0)


def spatial_attention(
    local: np.ndarray, weight: np.ndarray, bias: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eq. 4-5 for (D, K, K): the scores and the attention (K, K), and f_att = Σ_ij α_ij f_ij."""
    _, height, width = local.shape
    rows = np.array([local[:, i, j] for i in range(height) for j in range(width)])
    scores, attention = att_cell(rows, weight, bias)
    attended = sum(attention[n] * rows[n] for n in range(len(rows)))
    return scores.reshape(height, width), attention.reshape(height, width), np.asarray(attended)


def lstm(inputs: np.ndarray, weights: Weights) -> np.ndarray:
    """Outputs h_1..h_T of one LSTM layer without peepholes; PyTorch's gate order: in, forget, cell, out."""
    hidden_size = weights["weight_hh_l0"].shape[1]
    hidden, cell = np.zeros(hidden_size), np.zeros(hidden_size)
    outputs = []
    for step in inputs:
        gates = weights["weight_ih_l0"] @ step + weights["bias_ih_l0"]
        gates = gates + weights["weight_hh_l0"] @ hidden + weights["bias_hh_l0"]
        enter, forget, new, leave = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(leave) * np.tanh(cell)
        outputs.append(hidden)
    return np.array(outputs)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def stan(maps: Mapping[str, np.ndarray], streams: Sequence[str], weights: Weights) -> dict[str, object]:
    """Eq. 3-8 for one video: stream → (T, F, K, K) feature maps, to everything on the way to the logits."""
    spatial, segments = attended_segments(maps, streams, weights)
    recurrent = {key.split(".")[-1]: value for key, value in weights.items() if ".lstm." in key}
    scores, beta = att_cell(  # Eq. 7
        lstm(segments, recurrent),
        weights["temporal.attention.score.weight"][0],
        weights["temporal.attention.score.bias"][0],
    )
    return _classified(spatial, segments, scores, beta, weights)


def san(maps: Mapping[str, np.ndarray], streams: Sequence[str], weights: Weights) -> dict[str, object]:
    """SAN: the same without Eq. 7; all segments count alike."""
    spatial, segments = attended_segments(maps, streams, weights)
    num = len(segments)
    return _classified(spatial, segments, np.zeros(num), np.full(num, 1 / num), weights)


def attended_segments(
    maps: Mapping[str, np.ndarray], streams: Sequence[str], weights: Weights
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Eq. 3-6 for one video: stream → α (T, K, K), and f_att^t (T, M·D)."""
    spatial, attended = {}, {}
    for name in streams:
        own = below(f"streams.{name}.", weights)
        steps = [
            spatial_attention(
                conv6(step, own["conv6.weight"], own["conv6.bias"]),
                own["attention.score.weight"][0],
                own["attention.score.bias"][0],
            )
            for step in maps[name]
        ]
        spatial[name] = np.array([attention for _, attention, _ in steps])
        attended[name] = np.array([descriptor for _, _, descriptor in steps])
    return spatial, np.concatenate([attended[name] for name in streams], axis=1)  # Eq. 6


def late_fusion(
    maps: Mapping[str, np.ndarray], shares: Sequence[float], weights: Weights
) -> dict[str, object]:
    """One network a stream for one video, and their probabilities, scores and attention summed by shares."""
    alone = {name: stan(maps, [name], below(f"networks.{name}.", weights)) for name in maps}
    parts = list(zip(shares, alone.values(), strict=True))
    return {
        "probabilities": sum(share * softmax(out["logits"]) for share, out in parts),
        "temporal_scores": sum(share * out["temporal_scores"] for share, out in parts),
        "temporal_attention": sum(share * out["temporal_attention"] for share, out in parts),
        "spatial_attention": {name: out["spatial_attention"][name] for name, out in alone.items()},
    }


def below(prefix: str, weights: Weights) -> dict[str, np.ndarray]:
    """The weights whose key begins with the prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}


def _classified(
    spatial: dict[str, np.ndarray],
    segments: np.ndarray,
    scores: np.ndarray,
    beta: np.ndarray,
    weights: Weights,
) -> dict[str, object]:
    """Eq. 8 and the classifier."""
    video = np.asarray(sum(beta[t] * segments[t] for t in range(len(segments))))
    return {
        "logits": weights["classifier.weight"] @ video + weights["classifier.bias"],
        "spatial_attention": spatial,
        "temporal_scores": scores,
        "temporal_attention": beta,
        "segments": segments,
        "video": video,
    }
