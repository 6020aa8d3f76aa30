"""From a network's samples to actions in time: two ways to keep and to group them.

STAN's own (Section V-H) holds the temporal scores and the class scores against a threshold each. The other,
after STPN (Nguyen et al. 2018), holds their product against one, between samples too. In the place of the
class score there may be the class's evidence, which does not saturate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float

from attcell._checks import shown
from attcell.choices import DetectionRule
from attcell.errors import CallError
from attcell.inference.calibration import Calibration
from attcell.types import AttentionTrack, Detection, Prediction

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

    Or attention × evidence for the class, which has no scale of its own: then the threshold is a share of its
    largest value in the video.

    Attributes:
        attention: ``sigmoid`` as in STPN; or ``relative``: from 0 for the video's least k to 1 for its
            largest, which no constant added to k changes; or ``none``: 1 everywhere.
        threshold: of the product.
        video_threshold: classes whose score for the whole video is at or below it are left out.
        length_normalised: a found action scores the mean over its length, not the sum over its samples.
        with_video_score: its score is multiplied by the class's score for the whole video.
        of_evidence: evidence in the place of class scores; what speaks against a class counts as nothing.
    """

    attention: Attention
    threshold: float
    video_threshold: float = 0.0
    length_normalised: bool = False
    with_video_score: bool = True
    of_evidence: bool = False


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


def find_by_groups(track: AttentionTrack, labels: tuple[str, ...], rule: GroupRule) -> list[Detection]:
    """The actions that STAN's rule finds, best first.

    An action is from its first sample's start to its last one's end, and scores the sum of class score ×
    attention over its samples.
    """
    scores = track.separate_scores
    assert scores is not None, "the rule was chosen for this model"
    found = []
    for label in np.flatnonzero((scores > rule.class_threshold).any(axis=0)).tolist():
        attention = attention_of(track.scores_of(label), rule.attention)
        kept = (attention > rule.attention_threshold) & (scores[:, label] > rule.class_threshold)
        worth = attention * scores[:, label]
        for first, end in runs(kept):
            score = float(worth[first:end].mean() if rule.length_normalised else worth[first:end].sum())
            start, stop = float(track.seconds[first, 0]), float(track.seconds[end - 1, 1])
            found.append(Detection(labels[label], start, stop, score))
    return sorted(found, key=lambda detection: -detection.score)


def find_by_activation(
    track: AttentionTrack,
    labels: tuple[str, ...],
    video_scores: Float[np.ndarray, " A"],
    rule: ActivationRule,
) -> list[Detection]:
    """The actions that STPN's rule finds, best first.

    *Reading*: the product is a line between the samples' starts, and holds after the last. With one threshold
    the parts of a class never overlap, so that STPN's suppression (NMS at 0.5) has nothing to take away.
    """
    of_samples = track.class_evidence if rule.of_evidence else track.class_scores
    assert of_samples is not None, "the rule was chosen for this model"
    samples = np.arange(len(track))
    points = np.arange((len(track) - 1) * STEPS + 1) / STEPS  # in samples
    starts = np.interp(points, samples, track.seconds[:, 0])
    ends = np.append(starts[1:], track.seconds[-1, 1])
    by_class = {
        label: np.maximum(of_samples[:, label], 0) * attention_of(track.scores_of(label), rule.attention)
        for label in np.flatnonzero(video_scores > rule.video_threshold).tolist()
    }
    largest = max((float(worth.max()) for worth in by_class.values()), default=0.0)
    threshold = rule.threshold * (largest if rule.of_evidence else 1.0)
    found = []
    for label, of_class in by_class.items():
        worth = np.interp(points, samples, of_class)
        for first, end in runs(worth > threshold):
            total = float(worth[first:end].sum())
            score = total / (end - first if rule.length_normalised else STEPS)
            score *= float(video_scores[label]) if rule.with_video_score else 1.0
            found.append(Detection(labels[label], float(starts[first]), float(ends[end - 1]), score))
    return sorted(found, key=lambda detection: -detection.score)


def runs(kept: Bool[np.ndarray, " T"]) -> list[tuple[int, int]]:
    """[first, end) of each row of consecutive kept samples."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], kept, [False])).astype(np.int8)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


# The named ways to find actions in a track, and the thresholds that each takes unless others are given.

RULES: tuple[DetectionRule, ...] = get_args(DetectionRule)
GROUPING = ("paper", "sigmoid")

# The paper's own: raw k above 0.01, and a separate classifier's score above 0.4.
PAPER = GroupRule("raw", 0.01, 0.4)
SIGMOID = replace(PAPER, attention="sigmoid", attention_threshold=0.5)
STPN = ActivationRule("sigmoid", 0.05, video_threshold=0.1, length_normalised=True, with_video_score=False)
UNCALIBRATED = 0.2  # of relative attention × class score
EVIDENCE = ActivationRule("relative", 0.1, of_evidence=True)  # chosen on generated videos of one seed


@dataclass(frozen=True)
class RuleChoice:
    """What a user asked for.

    Attributes:
        name: ``relative``, the default: attention between the video's least and largest k, times the class
            score of the network's own classifier, above a threshold, and scores times the class's score for
            the video; no constant added to k changes it. ``classes``: the same without attention. ``stpn``:
            STPN's procedure. ``paper``: STAN's rule to the letter. ``sigmoid``: the same with σ(k) above 0.5.
            ``evidence``: as ``relative``, with what a sample adds to the class's score above the mean of all
            classes in the place of the class score, and a threshold that is a share of the video's largest.
        threshold: of relative, classes, stpn and evidence, in place of the rule's own.
        attention_threshold: of paper and sigmoid, in place of the rule's own.
        class_threshold: the same.
        length_normalised: a found action scores a mean, not a sum.
    """

    name: str = "relative"
    threshold: float | None = None
    attention_threshold: float | None = None
    class_threshold: float | None = None
    length_normalised: bool = False

    def __post_init__(self) -> None:
        if self.name not in RULES:
            raise CallError(f"rule is {shown(self.name)}; allowed: {', '.join(RULES)}")
        foreign = ("threshold",) if self.name in GROUPING else ("attention_threshold", "class_threshold")
        if self.name == "stpn" and self.length_normalised:
            raise CallError("rule stpn scores by a mean anyway; leave length_normalised out")
        for name in ("threshold", "attention_threshold", "class_threshold"):
            value = getattr(self, name)
            if value is None:
                continue
            if name in foreign:
                raise CallError(f"rule {self.name} takes no {name}; leave it out, or choose another rule")
            if isinstance(value, bool) or not (isinstance(value, int | float) and -1e9 < value < 1e9):
                raise CallError(f"{name} is {shown(value)}; give a number")


def find(prediction: Prediction, choice: RuleChoice, calibration: Calibration | None) -> list[Detection]:
    """The actions in a prediction that has a track, best first.

    Raises:
        CallError: a rule with a separate classifier, and the model was not calibrated.
    """
    track, labels = prediction.track, prediction.labels
    assert track is not None, "the video was gone through"
    rule = rule_of(choice, calibration, len(labels))
    if isinstance(rule, GroupRule):
        return find_by_groups(track, labels, rule)
    return find_by_activation(track, labels, prediction.scores, rule)


def rule_of(
    choice: RuleChoice, calibration: Calibration | None, num_classes: int
) -> GroupRule | ActivationRule:
    """The rule with its thresholds, for a model of so many classes.

    Without a calibration the default's threshold is 0.2, and that of class scores alone twice what chance
    gives, at most 0.5.

    Raises:
        CallError: a rule with a separate classifier, and there is no calibration.
    """
    refuse_choice(choice, calibration)
    if choice.name in GROUPING:
        group = PAPER if choice.name == "paper" else SIGMOID
        attention, score = choice.attention_threshold, choice.class_threshold
        return replace(
            group,
            attention_threshold=group.attention_threshold if attention is None else attention,
            class_threshold=group.class_threshold if score is None else score,
            length_normalised=choice.length_normalised,
        )
    if choice.name == "stpn":
        rule = STPN
    elif choice.name == "evidence":
        rule = EVIDENCE
    elif choice.name == "classes":
        alone = min(0.5, 2 / num_classes) if calibration is None else calibration.threshold_alone
        rule = ActivationRule("none", alone)
    else:
        rule = ActivationRule("relative", UNCALIBRATED if calibration is None else calibration.threshold)
    rule = replace(rule, length_normalised=choice.length_normalised or choice.name == "stpn")
    return rule if choice.threshold is None else replace(rule, threshold=choice.threshold)


def refuse_choice(choice: RuleChoice, calibration: Calibration | None) -> None:
    """Raise a CallError for a rule with a separate classifier if the model was not calibrated."""
    if choice.name in GROUPING and calibration is None:
        raise CallError(
            f"rule {choice.name} needs a segment classifier, and this model has none; run attcell calibrate "
            "MODEL first, or choose the rule relative"
        )


def words(choice: RuleChoice, calibration: Calibration | None, num_classes: int) -> str:
    """The rule with its thresholds, for people."""
    rule = rule_of(choice, calibration, num_classes)
    attention = {"none": "", "sigmoid": "σ(k)", "raw": "k", "relative": "relative attention"}[rule.attention]
    score = "mean" if rule.length_normalised else "sum"
    if isinstance(rule, GroupRule):
        return (
            f"{choice.name}: {attention} above {rule.attention_threshold:g} and the segment classifier's "
            f"score above {rule.class_threshold:g}; {score} of their product"
        )
    product = " × ".join(filter(None, (attention, "evidence" if rule.of_evidence else "class score")))
    whole = ", times the class's score for the video" if rule.with_video_score else ""
    is_fixed = choice.name in ("stpn", "evidence")
    chosen = " (not calibrated)" if calibration is None and not is_fixed else ""
    share = " of its largest in the video" if rule.of_evidence else ""
    return f"{choice.name}: {product} above {rule.threshold:.2f}{share}{chosen}; its {score}{whole}"
