"""From a network's moments to actions in time: two ways to keep samples and to group them.

STAN's own (Section V-H) holds the temporal scores and the class scores against a threshold each. The other,
after STPN (Nguyen et al. 2018), holds their product against one, between samples too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from attcell.records import Detection, Track

Attention = Literal["relative", "raw", "sigmoid", "none"]
STEPS = 5  # points that a sample becomes; with a sample every 5 frames, its frames


@dataclass(frozen=True)
class GroupRule:
    """STAN's rule: samples above both thresholds are action, and consecutive ones are one action.

    Attributes:
        attention: what becomes of the temporal scores k of a video. ``raw``: k itself, as in the paper.
            ``sigmoid``: σ(k).
        attention_threshold: samples at or below it are dropped.
        class_threshold: samples are kept for the classes whose score, by the separate segment classifier, is
            above it.
        length_normalised: a found action scores the mean over its samples, not the sum.
    """

    attention: Attention
    attention_threshold: float
    class_threshold: float
    length_normalised: bool = False


@dataclass(frozen=True)
class ActivationRule:
    """STPN's rule: where attention × class score, by the network's own classifier, is above a threshold.

    Attributes:
        attention: ``sigmoid`` as in STPN; or ``relative``: from 0 for the video's least k to 1 for its
            largest, which no constant added to k changes; or ``none``: 1 everywhere.
        threshold: of the product.
        video_threshold: classes whose score for the whole video is at or below it are left out.
        length_normalised: a found action scores the mean over its length, not the sum over its samples.
        with_video_score: its score is multiplied by the class's score for the whole video.
    """

    attention: Attention
    threshold: float
    video_threshold: float = 0.0
    length_normalised: bool = False
    with_video_score: bool = True


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


def find_by_groups(track: Track, labels: tuple[str, ...], rule: GroupRule) -> list[Detection]:
    """The actions that STAN's rule finds, best first.

    An action is from its first sample's start to its last one's end, and scores the sum of class score ×
    attention over its samples.
    """
    attention = attention_of(track.temporal_scores, rule.attention)
    scores = track.separate_scores
    assert scores is not None, "the rule was chosen for this model"
    kept = (attention > rule.attention_threshold)[:, None] & (scores > rule.class_threshold)
    found = []
    for label in np.flatnonzero(kept.any(axis=0)).tolist():
        worth = attention * scores[:, label]
        for first, end in runs(kept[:, label]):
            score = float(worth[first:end].mean() if rule.length_normalised else worth[first:end].sum())
            start, stop = float(track.seconds[first, 0]), float(track.seconds[end - 1, 1])
            found.append(Detection(labels[label], start, stop, score))
    return sorted(found, key=lambda detection: -detection.score)


def find_by_activation(
    track: Track, labels: tuple[str, ...], video_scores: Float[np.ndarray, " A"], rule: ActivationRule
) -> list[Detection]:
    """The actions that STPN's rule finds, best first.

    *Reading*: the product is a line between the samples' starts, and holds after the last. With one threshold
    the parts of a class never overlap, so that STPN's suppression (NMS at 0.5) has nothing to take away.
    """
    attention = attention_of(track.temporal_scores, rule.attention)
    samples = np.arange(len(attention))
    points = np.arange((len(attention) - 1) * STEPS + 1) / STEPS  # in samples
    starts = np.interp(points, samples, track.seconds[:, 0])
    ends = np.append(starts[1:], track.seconds[-1, 1])
    found = []
    for label in np.flatnonzero(video_scores > rule.video_threshold).tolist():
        worth = np.interp(points, samples, attention * track.class_scores[:, label])
        for first, end in runs(worth > rule.threshold):
            total = float(worth[first:end].sum())
            score = total / (end - first if rule.length_normalised else STEPS)
            score *= float(video_scores[label]) if rule.with_video_score else 1.0
            found.append(Detection(labels[label], float(starts[first]), float(ends[end - 1]), score))
    return sorted(found, key=lambda detection: -detection.score)


def runs(kept: Bool[np.ndarray, " T"]) -> list[tuple[int, int]]:
    """[first, end) of each row of consecutive kept samples."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], kept, [False])).astype(np.int8)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]
