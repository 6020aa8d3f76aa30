"""A trained model: load it, predict, detect, evaluate, share it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict, Unpack, overload

import torch

from attcell._checks import path_of
from attcell._log import logger
from attcell._servers import shown
from attcell.choices import DataPart, ExportFormat, ExportPrecision, NumCrops
from attcell.config.recipe import Recipe
from attcell.errors import CallError, ModelError
from attcell.inference.calibration import CALIBRATION_FILE, Calibration, read_calibration, write_calibration
from attcell.models.folder import read_config, read_network, refuse_code, write_folder
from attcell.models.ready.registry import is_ready
from attcell.nn import STAN, LateFusion, Network
from attcell.sharing.hub import HubOptions, as_shared, downloaded, push, with_revision
from attcell.types import AttentionTrack, Detection, Prediction

if TYPE_CHECKING:
    from attcell.export.call import Exported
    from attcell.inference.evaluate import Evaluation
    from attcell.inference.ready import ReadyModel

_HUB_OPTIONS = ("revision", "cache_dir", "force_download", "local_files_only", "token")


class Thresholds(TypedDict, total=False):
    """A detection rule's numbers, in place of its own.

    Attributes:
        threshold: of the rules relative, classes, stpn and evidence.
        attention_threshold: of paper and sigmoid.
        class_threshold: the same.
        length_normalised: a found action scores a mean, not a sum.
    """

    threshold: float | None
    attention_threshold: float | None
    class_threshold: float | None
    length_normalised: bool


class EvaluationOptions(TypedDict, total=False):
    """What :meth:`Model.evaluate` takes by name."""

    split: Literal["train", "val", "test"]
    root: str | Path | None
    segments: int | None
    crops: Literal[1, 10] | None
    cache: str | Path | None


class Model:
    """A network with its classes and the recipe it was made by.

    Attributes:
        network: in test mode, where it was loaded. Its device is the model's.
        labels: the A classes, in the order of the scores.
        recipe: with the preprocessing, the segments and the network's shape.
        training: what is worth knowing of the training, in plain types.
        calibration: what detection in time learnt from the training videos, if it did.
        calibration_fault: what is wrong with its file, which matters to detection alone.
    """

    def __init__(
        self,
        network: Network,
        labels: tuple[str, ...],
        recipe: Recipe,
        training: dict[str, Any] | None = None,
        calibration: Calibration | None = None,
        calibration_fault: str = "",
    ) -> None:
        self.network = network
        self.labels = labels
        self.recipe = recipe
        self.training = training or {}
        self.calibration = calibration
        self.calibration_fault = calibration_fault

    def __repr__(self) -> str:
        section = self.recipe.model
        return f"Model({section.kind} of {', '.join(section.streams)}, {len(self.labels)} classes)"

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        from attcell.inference.run import device_of

        return device_of(self.network)

    def predict(self, video: str | Path, *, segments: int | None = None, pictures: bool = True) -> Prediction:
        """Predict the class of a video, with the attention over its regions and segments.

        Args:
            video: path of a video file, or of a folder of frames such as img_00001.jpg.
            segments: T; by default the recipe's ``segments.test``.
            pictures: keep the segments' frames and their mean flow, which a page or a figure shows; it is
                quicker without.

        Raises:
            CallError: ``video`` is no path, or ``segments`` no whole number from 1 on.
            VideoError: the file cannot be read.
        """
        from attcell.inference.predict import predict_video

        return predict_video(self, path_of(video, "video", "clip.mp4"), segments, pictures=pictures)

    @overload
    def detect(
        self,
        video: str | Path,
        *,
        rule: str = ...,
        every: int | None = ...,
        return_track: Literal[False] = ...,
        **thresholds: Unpack[Thresholds],
    ) -> list[Detection]: ...

    @overload
    def detect(
        self,
        video: str | Path,
        *,
        rule: str = ...,
        every: int | None = ...,
        return_track: Literal[True],
        **thresholds: Unpack[Thresholds],
    ) -> tuple[list[Detection], AttentionTrack]: ...

    def detect(
        self,
        video: str | Path,
        *,
        rule: str = "relative",
        every: int | None = None,
        return_track: bool = False,
        **thresholds: Unpack[Thresholds],
    ) -> list[Detection] | tuple[list[Detection], AttentionTrack]:
        """Find actions in time in a video of any length, best first.

        Args:
            video: path of a video file, or of a folder of frames.
            rule: relative, paper, sigmoid, classes, stpn or evidence
                (:class:`~attcell.inference.detection_rules.RuleChoice` says what they are).
            every: frames from one sample to the next; by default what the model was calibrated with, or 5.
            return_track: return also what the network says sample by sample, in which they were found.
            thresholds: those of :class:`Thresholds`.

        Raises:
            CallError: a rule or a number that is not allowed, or a model that cannot detect.
            VideoError: the file cannot be read.
        """
        from attcell.inference.detect import detect_video
        from attcell.inference.detection_rules import RuleChoice

        path = path_of(video, "video", "long.mp4")
        found = detect_video(self, path, RuleChoice(rule, **thresholds), every, pictures=False)
        assert found.track is not None, "actions were looked for in it"
        detections = list(found.detections or ())
        return (detections, found.track) if return_track else detections

    def evaluate(
        self,
        data: str | Path | None = None,
        *,
        split: DataPart = "test",
        root: str | Path | None = None,
        segments: int | None = None,
        crops: NumCrops | None = None,
        cache: str | Path | None = None,
    ) -> Evaluation:
        """Score every video of a data set, as ``attcell test`` does: figures with their protocol.

        Args:
            data: a folder per class or a list, with the model's classes; by default the recipe's own.
            split: which of the recipe's sources, where ``data`` is not given.
            root: what a list's paths are relative to.
            segments: T; by default the recipe's.
            crops: 1, or 10 whose scores are averaged; by default the recipe's.
            cache: keep a frozen backbone's feature maps in this folder, or take those that are there.

        Raises:
            CallError: an argument that is not allowed, or a recipe that names no such videos.
            DataError: a source that is not right, or holds a class that the model does not know.
        """
        from attcell.inference.evaluate import evaluate_model, listing_of, training_notes

        folder = None if cache is None else path_of(cache, "cache", "features")
        listing = listing_of(self, split, data, root)
        tested = shown(str(data)) if data is not None else None if split == "test" else f"{split} videos"
        found = evaluate_model(
            self, listing, num_segments=segments, num_crops=crops, cache_folder=folder, tested=tested
        )
        if data is None:
            found = replace(found, notes=(*training_notes(self, split, listing), *found.notes))
        is_protocol = tested is None and segments is None and crops is None
        if not is_protocol:
            return found
        return replace(found, published=self.recipe.published, rivals=self.recipe.rivals)

    def to(self, device: str | torch.device) -> Self:
        """Move the network to a device, and return the model.

        Raises:
            CallError: not a device, or a GPU where PyTorch finds none.
        """
        from attcell.inference.run import device_named

        self.network.to(device_named(device))
        return self

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model folder: config.json, model.safetensors, and detection.safetensors where there is a
        calibration. Each is whole or not at all; that of an earlier model's calibration does not stay.
        """
        folder = path_of(folder, "folder", "runs/mine/model")
        digest = write_folder(folder, self.network, self.labels, self.recipe, self.training)
        if self.calibration is None:
            (folder / CALIBRATION_FILE).unlink(missing_ok=True)
        else:
            write_calibration(folder, self.calibration, digest)

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        """Read a model folder.

        Raises:
            CallError: no model folder there.
            ModelError: another format, or files that do not belong together.
        """
        folder = path_of(folder, "folder", "runs/mine/model")
        config = read_config(folder)
        network, labels = read_network(folder, config), config["labels"]
        calibration, fault = None, ""
        if isinstance(network, STAN | LateFusion):
            try:
                calibration = read_calibration(folder, str(config.get("weights")), (len(labels), network.dim))
            except ModelError as error:
                fault = str(error)
        return cls(network, labels, config["recipe"], config["training"], calibration, fault)

    @classmethod
    def from_pretrained(cls, model: str | Path, **options: Any) -> Self:
        """Load a model from a model folder, or from the Hugging Face hub by its id.

        Args:
            model: a folder with config.json and model.safetensors, or an id such as ``someone/stan-ucf101``;
                ``someone/stan-ucf101@v2`` names a branch, a tag or a commit.
            options: of the hub: ``revision``, ``cache_dir``, ``force_download``, ``local_files_only`` and
                ``token``.

        Raises:
            CallError: neither a model folder nor an id that can be reached, or no path at all; or a revision
                of a folder.
            ModelError: a model of another format, or damaged, or one of the hub that names code to import.
        """
        folder, name = path_of(model, "model", "runs/mine/model"), str(model)
        for option in options:
            if option not in _HUB_OPTIONS:
                raise CallError(f"unknown option {option}; allowed: {', '.join(_HUB_OPTIONS)}")
        if is_ready(name):
            raise CallError(
                f"{name} is a ready model, of which attcell.load gives a model that predicts, detects and "
                "evaluates; this wants one that attcell trained: a model folder, or its id on the hub"
            )
        if name.endswith(".onnx"):
            return cls.from_exported(folder)
        is_id = name.count("/") == 1 and not name.startswith((".", "/", "~"))
        if folder.exists() or not is_id:
            if options.get("revision") is not None:
                raise CallError(f"{name} is a folder, which has no revisions; leave revision out")
            return cls.from_folder(folder)
        logger.info(f"no folder {name} here; asking the Hugging Face hub")
        name, options["revision"] = with_revision(name, options.get("revision"))
        folder = downloaded(name, ["config.json", "model.safetensors", CALIBRATION_FILE], options)
        refuse_code(folder, name)
        return cls.from_folder(folder)

    def export(
        self,
        path: str | Path,
        *,
        format: ExportFormat | None = None,
        precision: ExportPrecision = "float32",
        video: str | Path | None = None,
    ) -> Exported:
        """Write the model as a file that runs without attcell, all attention included.

        Before it is written its outputs are compared with the network's on a clip.

        Args:
            path: ``stan.onnx``, or ``stan.pt2`` for torch.export.
            format: onnx or torch_export; by default what the suffix says.
            precision: float32, float16 or int8; torch_export is float32.
            video: the clip; by default one is generated.

        Raises:
            CallError: an argument that is not allowed, or a package that lacks.
            ModelError: a network that cannot be exported, or a file that differs from it.
            VideoError: the clip cannot be read.
        """
        from attcell.export.call import write_exported

        clip = None if video is None else path_of(video, "video", "clip.mp4")
        described = (self.labels, self.recipe, self.training)
        return write_exported(
            self.network,
            described,
            path_of(path, "path", "stan.onnx"),
            format=format,
            precision=precision,
            video=clip,
        )

    @classmethod
    def from_exported(cls, path: str | Path) -> Self:
        """Read an ONNX file that :meth:`export` wrote; it predicts by onnxruntime.

        Raises:
            CallError: no file there, or onnxruntime is not installed.
            ModelError: another format, or damaged.
        """
        from attcell.export.network import read_exported

        network, described = read_exported(path_of(path, "path", "stan.onnx"))
        return cls(network, described.labels, described.recipe, described.training)

    def push_to_hub(self, repo_id: str, **options: Unpack[HubOptions]) -> str:
        """Upload the model with its card to the Hugging Face hub, and return its address there.

        The recipe goes there without the places of this machine. A card that is there stays, with what people
        wrote into it, unless ``new_card`` is asked for.

        Args:
            repo_id: an id such as ``someone/stan-ucf101``; the repository is made where there is none.
            options: those of :class:`~attcell.sharing.hub.HubOptions`.

        Raises:
            CallError: no id, not logged in, no right to write there, or the hub cannot be reached.
            DataError: ``results`` is no scores.json of a test.
        """
        recipe = as_shared(self.recipe)
        same = type(self)(self.network, self.labels, recipe, self.training, self.calibration)
        return push(repo_id, same.save_pretrained, self.labels, recipe, options)


def load(model: str | Path, *, revision: str | None = None) -> Model | ReadyModel:
    """Load a model from a model folder, from the Hugging Face hub by its id, or a ready one by its name.

    Args:
        model: a folder with config.json and model.safetensors, an id such as ``someone/stan-ucf101``, or a
            ready model such as ``kinetics/mvit_v2_s``, whose weights are downloaded once.
        revision: of a model at the hub: a branch, a tag or a commit; ``someone/stan-ucf101@v2`` names it too.

    Raises:
        CallError: neither a model folder nor an id that can be reached, nor a ready model, or no path at all;
            or a revision of what has none.
        ModelError: a model of another format, or damaged, or weights that cannot be downloaded.
    """
    name = str(path_of(model, "model", "runs/mine/model"))
    if is_ready(name):
        from attcell.inference.ready import ReadyModel

        if revision is not None:
            raise CallError(f"{name} is a ready model, which has no revisions; leave revision out")
        return ReadyModel.named(name)
    return Model.from_pretrained(model, revision=revision)


def evaluate(
    model: Model | str | Path, data: str | Path | None = None, **options: Unpack[EvaluationOptions]
) -> Evaluation:
    """Score every video of a data set with a model: :meth:`Model.evaluate`, which says what the options are.

    Args:
        model: a model, or what :func:`load` takes.
        data: a folder per class or a list, with the model's classes; by default the recipe's test videos.
    """
    return (model if isinstance(model, Model) else Model.from_pretrained(model)).evaluate(data, **options)
