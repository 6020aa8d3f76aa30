"""TAN's rivals in plain NumPy and Python loops, written from what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tests.nn.reference import Weights, below, softmax
from tests.nn.reference_tan import gru, lstm, remember

Outputs = dict[str, np.ndarray]  # branch → (T, H)


def _linear(values: np.ndarray, weights: Weights) -> np.ndarray:
    return weights["weight"] @ values + weights["bias"]


def outputs_of(maps: Mapping[str, np.ndarray], weights: Weights, cell: str, layers: int = 1) -> Outputs:
    return {
        name: of.mean(axis=(2, 3))
        if cell == "none"
        else remember(of, below(f"branches.{name}.", weights), cell, layers)[0]
        for name, of in maps.items()
    }


def averaging(outputs: Outputs, weights: Weights) -> dict[str, np.ndarray]:
    """Branch → (T, A) class scores."""
    return {
        name: np.array([_linear(h, below(f"head.classifiers.{name}.", weights)) for h in of])
        for name, of in outputs.items()
    }


def fc(outputs: Outputs, weights: Weights) -> np.ndarray:
    """(T, A) class scores of both branches."""
    rows = []
    for h, g in zip(*outputs.values(), strict=True):
        joint = np.maximum(_linear(np.concatenate([h, g]), below("head.joint.", weights)), 0)
        rows.append(_linear(joint, below("head.classifier.", weights)))
    return np.array(rows)


def selection(outputs: Outputs, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """(T, A) class scores of both branches, and the gate (T, 2)."""
    rows, gates = [], []
    for h, g in zip(*outputs.values(), strict=True):
        gate = softmax(_linear(np.concatenate([h, g]), below("head.gate.", weights)))
        rows.append(_linear(gate[0] * h + gate[1] * g, below("head.classifier.", weights)))
        gates.append(gate)
    return np.array(rows), np.array(gates)


def looking(
    maps: Mapping[str, np.ndarray], asks: Mapping[str, str], weights: Weights, cell: str
) -> tuple[Outputs, dict[str, np.ndarray]]:
    """Step by step: each step's regions are weighted by what the asking branch remembers of the step before.

    Each step runs the recurrent layer anew over all that was seen so far, so that nothing is carried along.
    """
    run = {"gru": gru, "lstm": lstm}[cell]
    own = {name: below(f"branches.{name}.recurrent.", weights) for name in maps}
    hidden = {name: of["weight_hh_l0"].shape[1] for name, of in own.items()}
    seen: dict[str, list[np.ndarray]] = {name: [] for name in maps}
    attention: dict[str, list[np.ndarray]] = {name: [] for name in maps}
    remembered = {name: (np.zeros(size), np.zeros(size)) for name, size in hidden.items()}
    for step in range(len(next(iter(maps.values())))):
        for name, of in maps.items():
            gate = below(f"regions.gates.{name}.", weights)
            output, state = remembered[asks[name]]
            query = gate["query_output.weight"] @ output + gate["query_state.weight"] @ state
            rows = of[step].reshape(of.shape[1], -1).T
            scores = [gate["score.weight"][0] @ np.tanh(gate["key.weight"] @ row + query) for row in rows]
            alpha = softmax(np.array(scores))
            attention[name].append(alpha.reshape(of.shape[2:]))
            seen[name].append(sum(a * row for a, row in zip(alpha, rows, strict=True)))
        runs = {name: run(np.array(seen[name]), own[name], 0) for name in maps}
        remembered = {name: (outputs[-1], states[-1]) for name, (outputs, states) in runs.items()}
    return {name: of[0] for name, of in runs.items()}, {n: np.array(a) for n, a in attention.items()}
