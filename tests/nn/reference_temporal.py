"""What weights the segments of a video, in plain NumPy and Python loops, written from the equations."""

from __future__ import annotations

import numpy as np

from tests.nn.reference import Weights, att_cell, below, lstm, sigmoid, softmax


def encoder_decoder(
    segments: np.ndarray, weights: Weights, *, bidirectional: bool, additive: bool
) -> tuple[np.ndarray, np.ndarray]:
    """k and β (Q, T) of a video's segments (T, D): one row, or one of each class."""
    outputs, last = encoded(segments, below("encoder.", weights), bidirectional=bidirectional)
    first = np.tanh(weights["begin.weight"] @ last + weights["begin.bias"])
    steps = weights["start.weight"] if "start.weight" in weights else weights["classes.weight"]
    scores = np.empty((len(steps), len(outputs)))
    for q, step in enumerate(steps):
        state = gru_step(step, first, below("decoder.", weights))
        for t, output in enumerate(outputs):
            key = weights["attention.key.weight"] @ output
            if additive:
                query = weights["attention.query.weight"] @ state
                scores[q, t] = weights["attention.score.weight"][0] @ np.tanh(query + key)
            else:
                scores[q, t] = state @ key
    return scores, np.array([softmax(row) for row in scores])


def encoded(segments: np.ndarray, weights: Weights, *, bidirectional: bool) -> tuple[np.ndarray, np.ndarray]:
    """The outputs (T, E) of an LSTM of one layer, and the last output of each direction side by side."""
    forward = lstm(segments, weights)
    if not bidirectional:
        return forward, forward[-1]
    turned = {
        key.removesuffix("_reverse"): value for key, value in weights.items() if key.endswith("_reverse")
    }
    backward = lstm(segments[::-1], turned)
    return np.concatenate([forward, backward[::-1]], axis=1), np.concatenate([forward[-1], backward[-1]])


def gru_step(inputs: np.ndarray, state: np.ndarray, weights: Weights) -> np.ndarray:
    """The next state of a GRU; PyTorch's gate order: reset, update, new."""
    entering = np.split(weights["weight_ih"] @ inputs + weights["bias_ih"], 3)
    kept = np.split(weights["weight_hh"] @ state + weights["bias_hh"], 3)
    reset, update = sigmoid(entering[0] + kept[0]), sigmoid(entering[1] + kept[1])
    new = np.tanh(entering[2] + reset * kept[2])
    return (1 - update) * new + update * state


def by_class(segments: np.ndarray, attention: np.ndarray, classifier: Weights) -> np.ndarray:
    """Eq. 8 one a class: the logits (A,) from β (A, T), each class's row on this class's sum."""
    logits = []
    for a, beta in enumerate(attention):
        video = sum(beta[t] * segments[t] for t in range(len(segments)))
        logits.append(classifier["weight"][a] @ video + classifier["bias"][a])
    return np.array(logits)


def self_attention(segments: np.ndarray, weights: Weights, heads: int) -> tuple[np.ndarray, np.ndarray]:
    """k and β (T,) by one transformer layer, whose norms come last, and an AttCell."""
    rows = np.array([weights["enter.weight"] @ segment + weights["enter.bias"] for segment in segments])
    num, dim = rows.shape
    for t in range(num):
        place = 25 * (t + 0.5) / num
        for i in range(dim // 2):
            rows[t, 2 * i] += np.sin(place / 10_000 ** (2 * i / dim))
            rows[t, 2 * i + 1] += np.cos(place / 10_000 ** (2 * i / dim))
    own = below("layer.", weights)
    attended = multi_head(rows, below("self_attn.", own), heads)
    rows = layer_norm(rows + attended, below("norm1.", own))
    inner = np.maximum(rows @ own["linear1.weight"].T + own["linear1.bias"], 0)
    rows = layer_norm(rows + inner @ own["linear2.weight"].T + own["linear2.bias"], below("norm2.", own))
    cell = below("attention.score.", weights)
    return att_cell(rows, cell["weight"][0], cell["bias"][0])


def multi_head(rows: np.ndarray, weights: Weights, heads: int) -> np.ndarray:
    """Scaled dot-product attention of several heads, of all rows (T, H) for all."""
    together = rows @ weights["in_proj_weight"].T + weights["in_proj_bias"]
    queries, keys, values = np.split(together, 3, axis=1)
    size = rows.shape[1] // heads
    found = np.empty_like(rows)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for t in range(len(rows)):
            share = softmax(np.array([queries[t, part] @ key for key in keys[:, part]]) / np.sqrt(size))
            found[t, part] = share @ values[:, part]
    return found @ weights["out_proj.weight"].T + weights["out_proj.bias"]


def layer_norm(rows: np.ndarray, weights: Weights) -> np.ndarray:
    """Each row to mean 0 and deviation 1, then scaled and moved."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    return scaled * weights["weight"] + weights["bias"]
