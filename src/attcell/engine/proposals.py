"""From a network's moments to actions in time (STAN, Section V-H): a rule keeps samples and groups them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from attcell.records import Detection, Track

Attention = Literal["relative", "raw", "sigmoid", "none"]


@dataclass(frozen=True)
class DetectionRule:
    """Which samples are action, and what a found action scores.

    Attributes:
        attention: what becomes of the temporal scores k of a video. ``raw``: k itself, as in the paper.
            ``relative``: from 0 for the video's least to 1 for its largest, which no constant added to k
            changes. ``sigmoid``: σ(k). ``none``: 1 everywhere, which is detection without attention.
        attention_threshold: samples at or below it are dropped. None: those below the video's mean.
        classifier: ``separate``, the segment classifier of the paper, or the network's ``own``.
        class_threshold: samples are kept for the classes whose score is above it.
        length_normalised: a found action scores the mean over its samples, not the sum.
        with_video_score: its score is multiplied by the class's score for the whole video.
    """

    attention: Attention
    attention_threshold: float | None
    classifier: Literal["own", "separate"]
    class_threshold: float
    length_normalised: bool = False
    with_video_score: bool = False


def attention_of(temporal_scores: Float[np.ndarray, " T"], kind: Attention) -> Float[np.ndarray, " T"]:
    """The temporal scores as a rule takes them. Scores that are all alike are no attention: 1 everywhere."""
    k = temporal_scores.astype(np.float64)
    if kind == "raw":
        return k
    if kind == "sigmoid":
        return 1 / (1 + np.exp(-np.clip(k, -700, 700)))
    spread = float(np.ptp(k))
    if kind == "none" or spread < 1e-6 * max(1.0, float(np.abs(k).max())):
        return np.ones_like(k)
    return (k - k.min()) / spread


def find_actions(
    track: Track, labels: tuple[str, ...], video_scores: Float[np.ndarray, " A"], rule: DetectionRule
) -> list[Detection]:
    """The actions that a rule finds, best first.

    Consecutive kept samples are one action, from the first one's start to the last one's end. It scores the
    sum of class score × attention over its samples.
    """
    attention = attention_of(track.temporal_scores, rule.attention)
    scores = track.separate_scores if rule.classifier == "separate" else track.class_scores
    assert scores is not None, "the rule was chosen for this model"
    bar = rule.attention_threshold
    attended = attention >= attention.mean() if bar is None else attention > bar
    kept = attended[:, None] & (scores > rule.class_threshold)
    worth = np.concatenate([np.zeros((1, len(labels))), np.cumsum(attention[:, None] * scores, axis=0)])
    found = []
    for label in np.flatnonzero(kept.any(axis=0)).tolist():
        for first, end in runs(kept[:, label]):
            total = float(worth[end, label] - worth[first, label])
            score = total / (end - first) if rule.length_normalised else total
            score *= float(video_scores[label]) if rule.with_video_score else 1.0
            found.append(_detection(track, labels[label], first, end, score))
    return sorted(found, key=lambda detection: -detection.score)


def runs(kept: Bool[np.ndarray, " T"]) -> list[tuple[int, int]]:
    """[first, end) of each row of consecutive kept samples."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], kept, [False])).astype(np.int8)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def _detection(track: Track, label: str, first: int, end: int, score: float) -> Detection:
    return Detection(label, float(track.seconds[first, 0]), float(track.seconds[end - 1, 1]), score)
