"""What detection in time learns from labels of training videos: a classifier, and where to draw its lines.

It lies beside a model's weights as ``detection.safetensors``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from attcell._files import OTHER_VALUES, parsed_json, written_whole
from attcell.errors import ModelError

CALIBRATION_FILE = "detection.safetensors"
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Calibration:
    """What ``attcell calibrate`` wrote into a model folder.

    Attributes:
        weight: (A, MD) of the separate segment classifier on f_att^t, a linear softmax.
        bias: (A,)
        threshold: of relative attention × class score of the network's own classifier.
        threshold_alone: of the class score alone.
        num_videos: training videos it was learnt from.
        every: frames from one sample to the next.
    """

    weight: Float[Tensor, "A MD"]
    bias: Float[Tensor, " A"]
    threshold: float
    threshold_alone: float
    num_videos: int
    every: int

    def class_scores(self, segments: Float[Tensor, "T MD"]) -> Float[Tensor, "T A"]:
        """The separate classifier's probabilities."""
        logits = segments @ self.weight.to(segments).T + self.bias.to(segments)
        return logits.softmax(dim=-1)


def write_calibration(folder: Path, found: Calibration, weights: str) -> None:
    """Write it beside a model, whole or not at all; ``weights`` is the digest of the model's weights."""
    figures = {
        "format": _FORMAT,
        "threshold": found.threshold,
        "threshold_alone": found.threshold_alone,
        "num_videos": found.num_videos,
        "every": found.every,
    }
    tensors = {"weight": found.weight.float().contiguous(), "bias": found.bias.float().contiguous()}
    with written_whole(folder / CALIBRATION_FILE) as file:
        file.write_bytes(save(tensors, {"weights": weights, "detection": json.dumps(figures)}))


def read_calibration(folder: Path, weights: str, shape: tuple[int, int]) -> Calibration | None:
    """Read it, if it is there.

    Args:
        folder: the model folder.
        weights: the digest of the model's weights.
        shape: the classes, and the numbers of f_att^t.

    Raises:
        ModelError: damaged, of another format, or of another model.
    """
    path = folder / CALIBRATION_FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            weight, bias = file.get_tensor("weight"), file.get_tensor("bias")
        figures = parsed_json(told["detection"])
        found = Calibration(
            weight,
            bias,
            float(figures["threshold"]),
            float(figures["threshold_alone"]),
            int(figures["num_videos"]),
            int(figures["every"]),
        )
    except (SafetensorError, *OTHER_VALUES) as error:
        raise ModelError(f"{path} is damaged ({error}); run attcell calibrate {folder} again") from error
    if told.get("weights") != weights or found.weight.shape != shape or found.bias.shape != shape[:1]:
        raise ModelError(f"{path} belongs to another model; run attcell calibrate {folder} again")
    return found
