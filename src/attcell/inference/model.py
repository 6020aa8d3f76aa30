"""A trained model as Python users hold it: load it, predict, share it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelHubMixin, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from attcell._checks import path_of, shown
from attcell._log import logger
from attcell.errors import CallError
from attcell.inference.detect import detect_video
from attcell.inference.predict import predict_video
from attcell.inference.rules import RuleChoice
from attcell.models.folder import FILE_NAME as CALIBRATION_FILE
from attcell.models.folder import SavedModel, load_model, save_model
from attcell.types import Detection, Prediction


class Model(ModelHubMixin):
    """A network with its classes and its recipe.

    Has ``save_pretrained``, ``from_pretrained`` and ``push_to_hub``, as Hugging Face's models have.

    Attributes:
        saved: the network in test mode, the classes and the recipe.
    """

    def __init__(self, saved: SavedModel) -> None:
        self.saved = saved

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of the scores."""
        return self.saved.labels

    def predict(self, video: str | Path, *, segments: int | None = None) -> Prediction:
        """Predict the class of a video, with the attention over its regions and segments.

        Args:
            video: path of a video file, or of a folder of frames such as img_00001.jpg.
            segments: T; by default the recipe's ``segments.test``.

        Raises:
            CallError: ``video`` is no path, or ``segments`` no whole number from 1 on.
            VideoError: the file cannot be read.
        """
        return predict_video(self.saved, path_of(video, "video", "clip.mp4"), segments)

    def detect(
        self,
        video: str | Path,
        *,
        rule: str = "relative",
        every: int | None = None,
        threshold: float | None = None,
        attention_threshold: float | None = None,
        class_threshold: float | None = None,
        length_normalised: bool = False,
    ) -> list[Detection]:
        """Find actions in time in a video of any length, best first.

        Args:
            video: path of a video file, or of a folder of frames.
            rule: relative, paper, sigmoid, classes or stpn
                (:class:`~attcell.inference.rules.RuleChoice` says what they are).
            every: frames from one sample to the next; by default what the model was calibrated with, or 5.
            threshold: of relative, classes and stpn, in place of the rule's own.
            attention_threshold: of paper and sigmoid, in place of the rule's own.
            class_threshold: the same.
            length_normalised: a found action scores a mean, not a sum.

        Raises:
            CallError: a rule or a number that is not allowed, or a model that cannot detect.
            VideoError: the file cannot be read.
        """
        choice = RuleChoice(rule, threshold, attention_threshold, class_threshold, length_normalised)
        path = path_of(video, "video", "long.mp4")
        return list(detect_video(self.saved, path, choice, every).detections or ())

    def to(self, device: str | torch.device) -> Model:
        """Move the network to a device, and return the model.

        Raises:
            CallError: not a device, or a GPU where PyTorch finds none.
        """
        try:
            place = torch.device(device)
        except (RuntimeError, TypeError) as error:
            raise CallError(f'device is {shown(device)}; give one such as "cpu" or "cuda"') from error
        if place.type == "cuda" and not torch.cuda.is_available():
            raise CallError(f'device is {shown(device)}, and PyTorch finds no GPU; give "cpu"')
        self.saved.network.to(place)
        return self

    def _save_pretrained(self, save_directory: Path) -> None:
        saved = self.saved
        save_model(
            Path(save_directory),
            saved.network,
            saved.labels,
            saved.recipe,
            saved.training,
            saved.calibration,
        )

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> Model:
        if Path(model_id).is_dir():
            return cls(load_model(Path(model_id)))
        wanted = ("revision", "cache_dir", "force_download", "local_files_only", "token")
        files = ["config.json", "model.safetensors", CALIBRATION_FILE]
        folder = snapshot_download(
            model_id, allow_patterns=files, **{key: options[key] for key in wanted if key in options}
        )
        return cls(load_model(Path(folder)))


def load(model: str | Path) -> Model:
    """Load a model from a model folder, or from the Hugging Face hub by its id.

    Args:
        model: a folder with config.json and model.safetensors, or an id such as ``someone/stan-ucf101``.

    Raises:
        CallError: neither a model folder nor an id that can be reached, or no path at all.
        ModelError: a model of another format, or damaged.
    """
    folder, name = path_of(model, "model", "runs/mine/model"), str(model)
    is_id = name.count("/") == 1 and not name.startswith((".", "/", "~"))
    if folder.exists() or not is_id:
        return Model(load_model(folder))
    logger.info(f"no folder {name} here; asking the Hugging Face hub")
    try:
        return Model._from_pretrained(model_id=name)  # the public one asks for config.json alone before
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise CallError(
            f"no model folder at {name}, and the Hugging Face hub gives none by this id ({error})"
        ) from error
