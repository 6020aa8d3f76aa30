"""Every kind of file that the program reads, each with a command that reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

LABELS = ("run", "sit", "wave")
_CHECK = ("--names-only", "--json", "-")


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: of the kind.
        file: which is damaged, below the kind's folder; or a pattern, whose first match is.
        words: the command that reads it, called in that folder.
        value: the file that holds what was read of it; ``-`` is stdout.
        is_text: lines and words of it are damaged too.
        is_sealed: its bytes are checked, so that another value than that of the good file is a fault.
    """

    name: str
    file: str
    words: tuple[str, ...]
    value: str = "-"
    is_text: bool = True
    is_sealed: bool = False


_SCORE = ("score", "recognition")
_TIMES = ("score", "detection")
_TRUTH = ("--truth", "truth.json", "--json", "-")
TEST = ("test", "model", "--data", "list.txt", "--out", "out")
_KEPT = (*TEST, "--cache", "cache")
_BY_MODEL = ("--model", "model", "--json", "-")
_LOOK = ("predict", "clip.mp4", *_BY_MODEL)
KINDS = (
    Kind("recipe", "recipe.yaml", ("protocol", "recipe.yaml", "--list")),
    Kind("list file", "list.txt", ("data", "check", "list.txt", "--json", "-")),
    Kind("labels.txt", "labels.txt", ("data", "check", "list.txt", "--json", "-")),
    Kind("groups", "groups.csv", ("data", "check", "list.txt", "--groups", "groups.csv", "--json", "-")),
    Kind("UCF101 list", "trainlist01.txt", ("data", "check", "ucf101", ".", *_CHECK)),
    Kind("UCF101 classes", "classInd.txt", ("data", "check", "ucf101", ".", *_CHECK)),
    Kind("HMDB51", "run_test_split1.txt", ("data", "check", "hmdb51", ".", *_CHECK)),
    Kind("CCV", "trainLabel.txt", ("data", "check", "ccv", ".", *_CHECK)),
    Kind("Kinetics", "train.csv", ("data", "check", "kinetics", ".", *_CHECK)),
    Kind("Sports-1M", "train_partition.txt", ("data", "check", "sports1m", ".", *_CHECK)),
    Kind("THUMOS14 times", "run_val.txt", ("data", "check", "thumos14_detection", ".", *_CHECK)),
    Kind("THUMOS14 .mat", "validation_set.mat", ("data", "check", "thumos14", ".", *_CHECK), is_text=False),
    Kind("ActivityNet", "truth.json", (*_TIMES, "found.json", *_TRUTH)),
    Kind("scores JSON", "scores.json", (*_SCORE, "scores.json", "--json", "-")),
    Kind("scores CSV", "scores.csv", (*_SCORE, "scores.csv", "--json", "-")),
    Kind("scores npz", "scores.npz", (*_SCORE, "scores.npz", "--json", "-"), is_text=False),
    Kind("detections", "own.json", (*_TIMES, "own.json", *_TRUTH)),
    Kind("detections, ActivityNet", "found.json", (*_TIMES, "found.json", *_TRUTH)),
    Kind(
        "detections, THUMOS",
        "found.txt",
        (*_TIMES, "found.txt", *_TRUTH, "--class-numbers", "detclasslist.txt"),
    ),
    Kind("truth.json", "set/truth.json", (*_TIMES, "found.json", "--truth", "set", "--json", "-")),
    Kind("predictions", "seen.json", ("score", "attention", "seen.json", "--truth", "set", "--json", "-")),
    Kind("config.json", "model/config.json", _LOOK),
    Kind("weights", "model/model.safetensors", _LOOK, is_text=False, is_sealed=True),
    Kind(
        "calibration",
        "model/detection.safetensors",
        ("detect", "clip.mp4", *_BY_MODEL),
        is_text=False,
        is_sealed=True,
    ),
    Kind("features .npy", "videos/run/0.npy", ("predict", "videos/run/0.npy", *_BY_MODEL), is_text=False),
    Kind("feature store", "cache/*/*.safetensors", _KEPT, "out/scores.json", False, True),
    Kind("feature store's made_by", "cache/*/made_by.json", _KEPT, "out/scores.json"),
    Kind("flow store, folder", "flow/run/0/flow_x_00003.jpg", TEST, "out/scores.json", is_text=False),
    Kind("flow store, ZIP", "flow/run/0.zip", TEST, "out/scores.json", is_text=False, is_sealed=True),
    Kind("flow store's flow.json", "flow/run/0/flow.json", TEST, "out/scores.json"),
    Kind("folder of frames", "frames/img_00003.jpg", ("predict", "frames", *_BY_MODEL), is_text=False),
    Kind(
        "checkpoint",
        "run/checkpoints/last.ckpt",
        ("train", "recipe.yaml", "--out", "run", "--resume"),
        "run/model/config.json",
        is_text=False,
        is_sealed=True,
    ),
)  # fmt: skip


def value_of(kind: Kind, folder: Path, out: str) -> str:
    """What a command made of a file, without what may differ from call to call."""
    text = out if kind.value == "-" else (folder / kind.value).read_text(encoding="utf-8", errors="replace")
    if kind.name == "checkpoint":
        return str(json.loads(text)["weights"])
    return text
