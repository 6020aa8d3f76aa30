"""The named ways to find actions in a track, and the thresholds that each takes unless others are given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from attcell.arguments import shown
from attcell.engine.calibration import Calibration
from attcell.engine.proposals import ActivationRule, GroupRule, find_by_activation, find_by_groups
from attcell.errors import CallError
from attcell.records import Detection, Prediction

RuleName = Literal["relative", "paper", "sigmoid", "classes", "stpn"]
RULES: tuple[RuleName, ...] = get_args(RuleName)
GROUPING = ("paper", "sigmoid")

# The paper's own: raw k above 0.01, and a separate classifier's score above 0.4.
PAPER = GroupRule("raw", 0.01, 0.4)
SIGMOID = replace(PAPER, attention="sigmoid", attention_threshold=0.5)
STPN = ActivationRule("sigmoid", 0.05, video_threshold=0.1, length_normalised=True, with_video_score=False)
UNCALIBRATED = 0.2  # of relative attention × class score


@dataclass(frozen=True)
class RuleChoice:
    """What a user asked for.

    Attributes:
        name: ``relative``, the default: attention between the video's least and largest k, times the class
            score of the network's own classifier, above a threshold, and scores times the class's score for
            the video; no constant added to k changes it. ``classes``: the same without attention. ``stpn``:
            STPN's procedure. ``paper``: STAN's rule to the letter. ``sigmoid``: the same with σ(k) above 0.5.
        threshold: of relative, classes and stpn, in place of the rule's own.
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
    assert track is not None, "the video was watched"
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
    product = f"{attention} × class score" if attention else "class score"
    whole = ", times the class's score for the video" if rule.with_video_score else ""
    chosen = " (not calibrated)" if calibration is None and choice.name != "stpn" else ""
    return f"{choice.name}: {product} above {rule.threshold:.2f}{chosen}; its {score}{whole}"
