"""The named ways to find actions in a track, and the thresholds that each takes unless others are given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from attcell.arguments import shown
from attcell.engine.calibration import Calibration
from attcell.engine.proposals import DetectionRule, find_actions
from attcell.engine.stpn import find_by_activation
from attcell.errors import CallError
from attcell.records import Detection, Prediction

RuleName = Literal["relative", "paper", "sigmoid", "classes", "stpn"]
RULES: tuple[RuleName, ...] = get_args(RuleName)

# The paper's own: raw k above 0.01, and a separate classifier's score above 0.4.
PAPER = DetectionRule("raw", 0.01, "separate", 0.4)
SIGMOID = replace(PAPER, attention="sigmoid", attention_threshold=0.5)


@dataclass(frozen=True)
class RuleChoice:
    """What a user asked for.

    Attributes:
        name: ``relative``, the default: k between the video's least and largest, the network's own
            classifier, and scores multiplied by the video's; no constant added to k changes it. ``paper``:
            the paper's rule to the letter. ``sigmoid``: the same with σ(k) above 0.5. ``classes``: the
            default without attention. ``stpn``: STPN's procedure.
        attention_threshold: in place of the rule's own.
        class_threshold: in place of the rule's own.
        length_normalised: a found action scores a mean, not a sum.
    """

    name: str = "relative"
    attention_threshold: float | None = None
    class_threshold: float | None = None
    length_normalised: bool = False

    def __post_init__(self) -> None:
        if self.name not in RULES:
            raise CallError(f"rule is {shown(self.name)}; allowed: {', '.join(RULES)}")
        for name in ("attention_threshold", "class_threshold"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and -1e9 < value < 1e9):
                raise CallError(f"{name} is {shown(value)}; give a number")
        given = {
            "attention_threshold": self.attention_threshold is not None,
            "class_threshold": self.class_threshold is not None,
            "length_normalised": self.length_normalised,
        }
        useless = {"stpn": tuple(given), "classes": ("attention_threshold",)}.get(self.name, ())
        for name in useless:
            if given[name]:
                raise CallError(f"rule {self.name} takes no {name}; leave it out, or choose another rule")


def find(prediction: Prediction, choice: RuleChoice, calibration: Calibration | None) -> list[Detection]:
    """The actions in a prediction that has a track, best first.

    Raises:
        CallError: a rule with a separate classifier, and the model was not calibrated.
    """
    track = prediction.track
    assert track is not None, "the video was watched"
    if choice.name == "stpn":
        return find_by_activation(track, prediction.labels, prediction.scores)
    rule = rule_of(choice, calibration, len(prediction.labels))
    return find_actions(track, prediction.labels, prediction.scores, rule)


def rule_of(choice: RuleChoice, calibration: Calibration | None, num_classes: int) -> DetectionRule:
    """The rule with its thresholds, for a model of so many classes.

    Without a calibration attention is held against the video's mean, and a class score against twice what
    chance gives, at most 0.5.

    Raises:
        CallError: a rule with a separate classifier, and there is no calibration.
    """
    refuse_choice(choice, calibration)
    if choice.name in ("paper", "sigmoid"):
        rule = PAPER if choice.name == "paper" else SIGMOID
    elif choice.name == "classes":
        bar = min(0.5, 2 / num_classes) if calibration is None else calibration.class_threshold_alone
        rule = DetectionRule("none", None, "own", bar, with_video_score=True)
    else:
        bar = min(0.5, 2 / num_classes) if calibration is None else calibration.class_threshold
        attention = None if calibration is None else calibration.attention_threshold
        rule = DetectionRule("relative", attention, "own", bar, with_video_score=True)
    changes = {
        name: value
        for name in ("attention_threshold", "class_threshold")
        if (value := getattr(choice, name)) is not None
    }
    return replace(rule, length_normalised=choice.length_normalised, **changes)


def refuse_choice(choice: RuleChoice, calibration: Calibration | None) -> None:
    """Raise a CallError for a rule with a separate classifier if the model was not calibrated."""
    if choice.name in ("paper", "sigmoid") and calibration is None:
        raise CallError(
            f"rule {choice.name} needs a segment classifier, and this model has none; run attcell calibrate "
            "MODEL first, or choose the rule relative"
        )


def words(choice: RuleChoice, calibration: Calibration | None, num_classes: int) -> str:
    """The rule with its thresholds, for people."""
    if choice.name == "stpn":
        return "stpn"
    rule = rule_of(choice, calibration, num_classes)
    bar = "the video's mean" if rule.attention_threshold is None else f"{rule.attention_threshold:.2f}"
    attention = "no attention" if rule.attention == "none" else f"{rule.attention} attention above {bar}"
    score = "mean" if rule.length_normalised else "sum"
    whose = "the segment classifier's" if rule.classifier == "separate" else "the network's"
    return (
        f"{choice.name}: {attention}, {whose} class score above {rule.class_threshold:.2f}, {score} of class "
        f"score × attention{' × score of the whole video' if rule.with_video_score else ''}"
    )
