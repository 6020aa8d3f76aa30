"""Rows of the detection tables: every rule on the same samples, and proposals at random."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from attcell.inference.detect import follow_video
from attcell.inference.model import Model
from attcell.inference.rules import RuleChoice, find
from attcell.metrics import detection_map
from attcell.metrics.detection import PROTOCOLS
from attcell.types import ActionInstance, Detection, Prediction
from benchmarks.untrimmed import spread

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
CHOICES = {
    "paper": RuleChoice("paper"),
    "paper, length-normalised": RuleChoice("paper", length_normalised=True),
    "sigmoid": RuleChoice("sigmoid"),
    "sigmoid, length-normalised": RuleChoice("sigmoid", length_normalised=True),
    "stpn": RuleChoice("stpn"),
    "relative (default)": RuleChoice("relative"),
    "relative, length-normalised": RuleChoice("relative", length_normalised=True),
    "classes (no attention)": RuleChoice("classes"),
    "classes, length-normalised": RuleChoice("classes", length_normalised=True),
}
OF_SAN = ("classes (no attention)", "classes, length-normalised")


@dataclass(frozen=True)
class Found:
    """What was found in the test videos of one seed or fold.

    Attributes:
        truths: the true actions.
        by_rule: network → rule → detections.
        accuracy: network → share of the videos whose class is right.
        durations: video → seconds.
        right: video → the class of the network with attention.
    """

    truths: list[ActionInstance]
    by_rule: dict[str, dict[str, list[Detection]]]
    accuracy: dict[str, float]
    durations: dict[str, float]
    guess: dict[str, str]


def found_by_rules(model: Model, videos: Mapping[str, Path], every: int) -> str:
    """Watch each video once and find actions by every rule, as JSON."""
    by_rule: dict[str, list[Detection]] = {name: [] for name in CHOICES}
    guess, durations = {}, {}
    for name, path in videos.items():
        watched = follow_video(model, path, every)
        guess[name], durations[name] = watched.top(1)[0][0], watched.duration_seconds
        for rule, choice in CHOICES.items():
            by_rule[rule] += _named(name, watched, choice, model)
    rows = {rule: [asdict(of) for of in found] for rule, found in by_rule.items()}
    return json.dumps({"detections": rows, "guess": guess, "durations": durations}) + "\n"


def _named(name: str, watched: Prediction, choice: RuleChoice, model: Model) -> list[Detection]:
    return [
        Detection(of.label, of.start_seconds, of.end_seconds, of.score, name)
        for of in find(watched, choice, model.calibration)
    ]


def read_found(files: Sequence[Path], truths: list[ActionInstance]) -> Found:
    """What :func:`found_by_rules` wrote of several networks; the first one has attention."""
    contents = {file.stem: json.loads(file.read_text()) for file in files}
    by_rule = {
        network: {rule: [Detection(**of) for of in found] for rule, found in content["detections"].items()}
        for network, content in contents.items()
    }
    classes = {of.video_id: of.label for of in truths}
    accuracy = {
        network: float(np.mean([label == classes[video] for video, label in content["guess"].items()]))
        for network, content in contents.items()
    }
    first = next(iter(contents.values()))
    return Found(truths, by_rule, accuracy, first["durations"], first["guess"])


def random_proposals(found: Found, network: str, seed: int) -> list[Detection]:
    """As many and as long as the default finds in each video, anywhere, of the class that is told."""
    rng = np.random.default_rng(seed)
    proposals = []
    for of in found.by_rule[network]["relative (default)"]:
        length, duration = of.end_seconds - of.start_seconds, found.durations[of.video_id]
        start = rng.uniform(0, max(duration - length, 1e-9))
        label = found.guess[of.video_id]
        proposals.append(Detection(label, start, start + length, float(rng.random()), of.video_id))
    return proposals


Rows = dict[str, dict[str, np.ndarray]]  # row → protocol → mAP at each threshold, in percent


def network_rows(found: Found, seed: int) -> Rows:
    """mAP of every rule on the first network, of those without attention on the others, and at random."""
    first, *others = found.by_rule
    detections = {f"{first.upper()}: {rule}": of for rule, of in found.by_rule[first].items()}
    for network in others:
        detections |= {f"{network.upper()}: {rule}": found.by_rule[network][rule] for rule in OF_SAN}
    detections["random proposals of the video's class"] = random_proposals(found, first, seed)
    return {
        name: {
            protocol: 100 * detection_map(found.truths, of, THRESHOLDS, protocol=protocol).mean_ap
            for protocol in PROTOCOLS
        }
        for name, of in detections.items()
    }


def table(setting: str, seeds: Sequence[Rows]) -> str:
    """Means over the seeds, with deviations if there are several, as Markdown, one table a protocol."""
    lines = [setting]
    for protocol in PROTOCOLS:
        lines += ["", f"mAP %, {protocol} protocol, at a temporal IoU of", ""]
        lines.append("| rule | " + " | ".join(f"{bar:g}" for bar in THRESHOLDS) + " | mean |")
        lines.append("|---" * (len(THRESHOLDS) + 2) + "|")
        for name in seeds[0]:
            values = np.array([rows[name][protocol] for rows in seeds])
            columns = [*values.T, values.mean(axis=1)]
            cells = [spread(list(of)) if len(of) > 1 else f"{of[0]:.1f}" for of in columns]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
