"""TAN in plain NumPy and Python loops, written from the equations; slow, and independent of PyTorch."""

from __future__ import annotations

import numpy as np

from tests.nn.reference import Weights, below, sigmoid, softmax


def gru(inputs: np.ndarray, weights: Weights, layer: int) -> tuple[np.ndarray, np.ndarray]:
    """One GRU layer's outputs; its states are its outputs. PyTorch's gate order: reset, update, new."""
    hidden = np.zeros(weights[f"weight_hh_l{layer}"].shape[1])
    outputs = []
    for step in inputs:
        given = weights[f"weight_ih_l{layer}"] @ step + weights[f"bias_ih_l{layer}"]
        kept = weights[f"weight_hh_l{layer}"] @ hidden + weights[f"bias_hh_l{layer}"]
        (reset, update, new), (old_reset, old_update, old_new) = np.split(given, 3), np.split(kept, 3)
        candidate = np.tanh(new + sigmoid(reset + old_reset) * old_new)
        share = sigmoid(update + old_update)
        hidden = (1 - share) * candidate + share * hidden
        outputs.append(hidden)
    return np.array(outputs), np.array(outputs)


def lstm(inputs: np.ndarray, weights: Weights, layer: int) -> tuple[np.ndarray, np.ndarray]:
    """One LSTM layer's outputs and cells. PyTorch's gate order: in, forget, cell, out."""
    hidden = np.zeros(weights[f"weight_hh_l{layer}"].shape[1])
    cell = np.zeros_like(hidden)
    outputs, cells = [], []
    for step in inputs:
        gates = weights[f"weight_ih_l{layer}"] @ step + weights[f"bias_ih_l{layer}"]
        gates = gates + weights[f"weight_hh_l{layer}"] @ hidden + weights[f"bias_hh_l{layer}"]
        enter, forget, new, leave = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(leave) * np.tanh(cell)
        outputs.append(hidden)
        cells.append(cell)
    return np.array(outputs), np.array(cells)


def remember(maps: np.ndarray, weights: Weights, cell: str, layers: int) -> tuple[np.ndarray, np.ndarray]:
    """(T, F, K, K) feature maps: the mean over the regions, then the recurrent layers."""
    values = np.array([[region.mean() for region in step] for step in maps])
    states = values
    for layer in range(layers):
        values, states = {"gru": gru, "lstm": lstm}[cell](values, below("recurrent.", weights), layer)
    return values, states


def sharing_gate(h: np.ndarray, s: np.ndarray, g: np.ndarray, t: np.ndarray, weights: Weights) -> np.ndarray:
    """Eq. 1, 3 and 4 for one video: α_ij, the weight of step i for the other branch's step j."""
    scores = np.empty((len(h), len(g)))
    for i, j in np.ndindex(scores.shape):
        m = weights["key_output.weight"] @ h[i] + weights["key_state.weight"] @ s[i]
        m = m + weights["query_output.weight"] @ g[j] + weights["query_state.weight"] @ t[j]
        scores[i, j] = weights["score.weight"][0] @ np.tanh(m)
    return np.array([softmax(scores[:, j]) for j in range(len(g))]).T


def gated_logits(gates: np.ndarray, outputs: np.ndarray, weights: Weights) -> np.ndarray:
    """Eq. 5 and the classifier: (T, A)."""
    steps = range(len(outputs))
    shared = [sum(gates[d, j] * outputs[d] for d in steps) for j in steps]
    return np.array([weights["weight"] @ o + weights["bias"] for o in shared])


def tan(
    frame: np.ndarray, flow: np.ndarray, weights: Weights, cell: str, layers: int, asks: str = "other"
) -> dict[str, np.ndarray]:
    """Eq. 1-5 for one video of feature maps (T, F, K, K) a branch."""
    h, s = remember(frame, below("branches.frame.", weights), cell, layers)
    g, t = remember(flow, below("branches.flow.", weights), cell, layers)
    asking = {"other": (g, t, h, s), "own": (h, s, g, t)}[asks]
    alpha = sharing_gate(h, s, *asking[:2], below("gates.frame.", weights))
    beta = sharing_gate(g, t, *asking[2:], below("gates.flow.", weights))
    frame_logits = gated_logits(alpha, h, below("classifiers.frame.", weights))
    flow_logits = gated_logits(beta, g, below("classifiers.flow.", weights))
    return {
        "frame_gates": alpha,
        "flow_gates": beta,
        "frame_logits": frame_logits,
        "flow_logits": flow_logits,
        "probabilities": (softmax(frame_logits[-1]) + softmax(flow_logits[-1])) / 2,
    }
