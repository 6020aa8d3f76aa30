"""The sections of a recipe: every key, what it may be, and what it is when left out.

What may be chosen from a few words is listed in :mod:`attcell.types`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from attcell.choices import (
    GROUP_COLUMN,
    SELF_ATTENTION_HEADS,
    AttentionForm,
    CacheForm,
    CameraMotion,
    Classifier,
    Conv6Kernel,
    DataSetName,
    DecoderScore,
    DecoderSteps,
    FlowForm,
    FlowMethod,
    Fusion,
    MissingSound,
    MissingVideos,
    NetworkKind,
    NumCrops,
    PoolingKind,
    QuadraticMean,
    RecurrentCell,
    Resizing,
    ShortVideos,
    SoundForm,
    StepsOfTime,
    TemporalForm,
)
from attcell.config.section import Count, Fraction, PathOrUrl, Positive, Section, Word
from attcell.data.groups import file_or_expression
from attcell.errors import CallError


class DataSection(Section):
    """Where the videos are: in sources, each a folder per class or a list file, or in a known data set."""

    train: PathOrUrl | None = None
    test: PathOrUrl | None = None
    val: PathOrUrl | None = None
    val_fraction: Fraction = 0.0  # of the training videos of each class, where there is no val
    groups: str | PathOrUrl | None = None  # an expression on names, a CSV, or column (of list files)
    root: PathOrUrl | None = None  # of list files by default their folder; of a data set where its videos lie
    dataset: DataSetName | None = None  # instead of train, val and test
    annotations: Path | None = None  # the data set's official files; by default in root
    split: Count = 1  # of a data set that has several
    splits: tuple[Count, ...] | None = None  # those that ``attcell protocol`` runs; by default all
    missing: MissingVideos = "refuse"  # videos of the data set that are not below root
    workers: Annotated[int, Field(ge=0)] = 2

    @field_validator("groups", mode="before")
    @classmethod
    def _file_or_expression(cls, groups: Any) -> Any:
        """What ends in .csv is a file, and all other text but ``column`` a regular expression."""
        try:
            return None if groups is None else file_or_expression(groups)
        except CallError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _groups_of_a_list(self) -> DataSection:
        if self.groups == GROUP_COLUMN and self.dataset is not None:
            raise ValueError(f"groups {GROUP_COLUMN} is of list files, not of dataset {self.dataset}")
        return self

    @model_validator(mode="after")
    def _sources_or_data_set(self) -> DataSection:
        if self.dataset is None:
            if self.train is None:
                raise ValueError("give train, a folder per class or a list file; or dataset and root")
            if self.annotations is not None or self.split != 1 or self.splits is not None:
                raise ValueError(
                    "annotations, split and splits are for a dataset; leave them out, or name it"
                )
            return self
        if self.root is None:
            raise ValueError(f"dataset {self.dataset} needs root, the folder where its videos lie")
        if (self.train, self.val, self.test) != (None, None, None):
            raise ValueError(f"dataset {self.dataset} has its own lists; leave train, val and test out")
        return self

    @model_validator(mode="after")
    def _one_validation_set(self) -> DataSection:
        if self.val is not None and self.val_fraction > 0:
            raise ValueError("val and val_fraction exclude each other; keep one")
        return self


class InputSection(Section):
    """How a frame becomes the network's input."""

    size: Count = 224
    resize: Resizing = "short"  # the short side to short_side, or the frame to a square
    short_side: Count = 256
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)

    @model_validator(mode="after")
    def _crop_fits(self) -> InputSection:
        if self.short_side < self.size:
            raise ValueError(f"short_side {self.short_side} is less than the crop's size {self.size}")
        return self


class SegmentsSection(Section):
    """T, in training and at test, and what happens to a video with fewer frames than that."""

    train: Count = 25
    test: Count = 25
    test_every: Count | None = None  # one segment every so many frames at test, instead of T of them
    crops: NumCrops = 1  # of each frame at test
    short: ShortVideos = "repeat"


class FlowSection(Section):
    """How the flow stream's input is made. The paper: TV-L1, ten fields, a bound of 20 pixels."""

    method: FlowMethod = "fast"
    fields: Count = 10  # consecutive fields of a segment; 2 channels each
    form: FlowForm = "stack"  # picture: one field as TAN sees it, in three channels
    quadratic_mean: QuadraticMean = "motion"  # reading: of a picture's third channel
    bound: Positive = 20.0  # pixels of flow that become the code 255
    deviation: Positive = 10.0  # the network sees (code - 128) / deviation
    short_side: Count | None = None  # scale frames down to this before computing flow
    camera: CameraMotion = "keep"  # reading: or its motion is taken out of each field
    store: PathOrUrl | None = None  # flow on disk, by ``attcell extract flow``; none: computed as it goes

    @field_validator("store", mode="before")
    @classmethod
    def _no_store(cls, store: Any) -> Any:
        """``none`` is no folder: it says that flow is to be computed as it goes."""
        return None if store in ("none", Path("none")) else store

    @model_validator(mode="after")
    def _one_field_in_a_picture(self) -> FlowSection:
        if self.form == "picture" and self.fields != 1:
            raise ValueError(f"form picture holds one field, and fields is {self.fields}; set fields to 1")
        if self.form != "picture" and self.quadratic_mean != "motion":
            raise ValueError(f"quadratic_mean is of form picture, not of {self.form}; leave it out")
        return self


class ClipSection(Section):
    """How the clip stream's input is made."""

    frames: Count = 16  # by default those that the backbone was made for
    stride: Count = 1  # from one of them to the next: 1 takes consecutive frames


class FeaturesSection(Section):
    """Features that were computed elsewhere, for a features stream: a NumPy file of T rows a video."""

    # Numbers of a row; by default what the first training video's file has
    dim: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] | None = None
    fps: Positive = 25.0  # frames a second of what they were computed from
    stride: Count = 16  # such frames from one row to the next
    folder: Path | None = None  # where the videos' features lie; by default they are the videos


class AudioSection(Section):
    """How the audio stream's input is made; what is null is as the form's network has it."""

    form: SoundForm | None = None  # whose log-mel pictures; by default the backbone's, or vggish's (reading)
    bands: Count | None = None  # of frequency
    window_ms: Positive | None = None  # of the short-time Fourier transform
    hop_ms: Positive | None = None  # from one row of the picture to the next
    seconds: Positive | None = None  # of sound around a segment's frame
    missing: MissingSound = "silence"  # where a video has no sound


def _known_modality(name: str) -> str:
    from attcell.video.modalities import modality  # here, for it needs PyTorch

    try:
        return modality(name).name
    except CallError as error:
        raise ValueError(str(error)) from error


StreamName = Annotated[str, AfterValidator(_known_modality)]


class StreamSection(Section):
    """One modality's network."""

    backbone: str = "vgg16"  # or what the modality's entry names: of a clip stream c3d
    tap: Annotated[str | None, Word] = None  # of a timm model the number of a stage
    weights: str = "pretrained"  # from torchvision or timm; or none; or a .safetensors file
    train_from: str = "all"  # all, none, or the first layer that is trained
    time: StepsOfTime = "average"  # of clips' maps; keep: the regions of each step are local descriptors
    conv6_channels: Count = 1024
    conv6_kernel: Conv6Kernel = 3  # 1: a descriptor is of its own region alone (reading)
    conv6_relu: bool = True  # reading
    standardise: bool = False  # each channel of the frozen feature map, by figures of the training videos
    init_from: Path | None = None  # a model folder: start as its trained stream, conv6 and attention included
    files: dict[str, Any] | None = None  # what a model of transformers says of itself; filled in by attcell


class ModelSection(Section):
    """Which network."""

    kind: NetworkKind = "stan"
    pooling: PoolingKind = "average"  # of kind pooled
    vlad_size: Count = 256  # descriptors are brought to so many numbers by PCA
    vlad_centres: Count = 128
    classifier: Classifier = "linear"  # learnt with the network; or an SVM on what it gives
    init_from: Path | None = None  # a model folder: start as this whole network, but for its classifiers
    streams: dict[StreamName, StreamSection] = Field(default={"frame": StreamSection()}, min_length=1)
    fusion: Fusion = "early"  # one temporal attention for all streams, or one network each
    cell: RecurrentCell = "gru"  # of branches
    temporal: TemporalForm = "lstm"  # what weights the segments of kind stan; the others are readings
    decoder_score: DecoderScore = "additive"  # of temporal encoder_decoder
    decoder_steps: DecoderSteps = "one"  # of temporal encoder_decoder; classes: a β of each class
    lstm_hidden: Count = 1024  # of the branches' recurrent layers too, of either cell
    lstm_layers: Count = 1  # reading
    lstm_bidirectional: bool = False  # reading
    attention: AttentionForm = "linear"  # g_att of Eq. 1 and Eq. 7; mlp is a reading
    uniform_start: bool = True  # reading: AttCells start at zero, so that attention starts uniform
    dropout: Fraction = 0.5  # reading

    @model_validator(mode="before")
    @classmethod
    def _weights_of_all(cls, values: Any) -> Any:
        """``weights`` of the model are those of every stream that names none of its own."""
        if not isinstance(values, dict) or "weights" not in values:
            return values
        weights = values["weights"]
        given = values.get("streams", {"frame": {}})
        if not isinstance(weights, str) or not isinstance(given, dict):
            raise ValueError("weights is pretrained, none, a file or a model folder, for every stream alike")
        streams = {
            name: {"weights": weights, **stream} if isinstance(stream, dict) else stream
            for name, stream in given.items()
        }
        return {**{key: value for key, value in values.items() if key != "weights"}, "streams": streams}

    @field_validator("streams", mode="before")
    @classmethod
    def _complete_streams(cls, streams: Any) -> Any:
        """A stream that is null is left out; one that names no backbone has that of its modality's entry."""
        if not isinstance(streams, dict):
            return streams
        from attcell.video.modalities import modality, modality_names

        given = {name: stream for name, stream in streams.items() if stream is not None}
        for name, stream in given.items():
            if isinstance(stream, dict) and name in modality_names():
                entry = modality(name)
                frozen = {"train_from": "none"} if entry.takes == "features" else {}  # nothing to train
                given[name] = {"backbone": entry.backbone, **frozen, **stream}
        return given

    @property
    def has_branches(self) -> bool:
        """TAN, its rivals and its first stage; the others are STAN and its rivals."""
        return self.kind not in ("stan", "san", "average", "pooled")

    @property
    def has_attention(self) -> bool:
        """Over regions, or over the other branch's steps: something that can be drawn."""
        return self.kind not in ("average", "pooled", "cnn", "two_stream", "fc", "branch_selection")

    @model_validator(mode="after")
    def _fit_svm(self) -> ModelSection:
        """Pooled features have no classifier but an SVM; branches and late fusion give nothing for one."""
        if self.kind == "pooled" and self.classifier != "svm":
            raise ValueError("kind pooled is classified by an SVM; set model.classifier to svm")
        if self.classifier == "svm" and (self.has_branches or self.fusion == "late"):
            raise ValueError(
                f"an SVM looks at one representation of a video, and kind {self.kind}, fusion {self.fusion} "
                "has none: choose stan, san, average or pooled, and fusion early"
            )
        if self.kind != "pooled":
            self._refuse_foreign(self, ["pooling", "vlad_size", "vlad_centres"])
        elif self.pooling != "vlad":
            self._refuse_foreign(self, ["vlad_size", "vlad_centres"])
        if self.kind in ("average", "pooled"):
            self._refuse_foreign(self, ["attention"])
        if self.kind == "pooled" or self.has_branches:
            for name, stream in self.streams.items():
                self._refuse_foreign(stream, ["time"], f"streams.{name}.")
        return self

    @model_validator(mode="after")
    def _fit_branches(self) -> ModelSection:
        """Networks of branches have one or two branches of pictures, and nothing of STAN's attention; CNNs
        alone may take clips, and as many streams as there are."""
        if not self.has_branches:
            return self
        from attcell.video.modalities import modality

        given = ", ".join(self.streams)
        of_clips = [name for name in self.streams if modality(name).takes != "picture"]
        if of_clips and self.kind != "cnn":
            raise ValueError(
                f"kind {self.kind} has streams of pictures, such as frame and flow, not {', '.join(of_clips)}"
            )
        if self.kind == "soft_attention" and len(self.streams) != 1:
            raise ValueError(f"kind {self.kind} needs one stream, such as frame or flow, not {given}")
        if self.kind not in ("cnn", "two_stream", "soft_attention") and len(self.streams) != 2:
            raise ValueError(f"kind {self.kind} needs two streams, such as frame and flow, not {given}")
        if self.fusion == "late":
            raise ValueError(f"kind {self.kind} joins its branches by itself; leave fusion out")
        self._refuse_foreign(self, ["lstm_bidirectional", "attention", "uniform_start"])
        conv6 = ["conv6_channels", "conv6_kernel", "conv6_relu"]
        for name, stream in self.streams.items():
            self._refuse_foreign(stream, conv6, f"streams.{name}.")
        return self

    @model_validator(mode="after")
    def _fit_temporal(self) -> ModelSection:
        if self.kind != "stan":
            self._refuse_foreign(self, ["temporal", "decoder_score", "decoder_steps"])
            return self
        foreign = [] if self.temporal == "encoder_decoder" else ["decoder_score", "decoder_steps"]
        if self.temporal in ("attcell", "self_attention"):
            foreign += ["lstm_layers", "lstm_bidirectional"]
        self._refuse_foreign(self, foreign, of=f"temporal {self.temporal}")
        if self.temporal == "self_attention" and self.lstm_hidden % SELF_ATTENTION_HEADS:
            raise ValueError(
                f"lstm_hidden is {self.lstm_hidden}, and the {SELF_ATTENTION_HEADS} heads of temporal "
                f"self_attention share it evenly; give a multiple of {SELF_ATTENTION_HEADS}"
            )
        return self

    def _refuse_foreign(self, section: Section, keys: list[str], where: str = "", of: str = "") -> None:
        for key in keys:
            if getattr(section, key) != type(section).model_fields[key].default:
                raise ValueError(f"{of or f'kind {self.kind}'} has no use for {where}{key}; leave it out")

    @model_validator(mode="after")
    def _one_beginning(self) -> ModelSection:
        twice = [name for name, stream in self.streams.items() if stream.init_from is not None]
        if self.init_from is not None and twice:
            raise ValueError(f"init_from is the whole network's; leave streams.{twice[0]}.init_from out")
        for name, stream in self.streams.items():
            begins = self.init_from or stream.init_from
            if begins is not None and stream.weights not in ("pretrained", "none"):
                raise ValueError(
                    f"the {name} stream begins with {begins}, and streams.{name}.weights {stream.weights} "
                    "would not be read; leave one of them out"
                )
        return self

    @model_validator(mode="after")
    def _something_to_fuse(self) -> ModelSection:
        if self.fusion == "late" and len(self.streams) < 2:
            raise ValueError("fusion late needs at least two streams; leave it out for one")
        return self


class CacheSection(Section):
    """Feature maps of frozen backbones, computed once and kept on disk."""

    folder: PathOrUrl | None = None
    positions: Count = 2  # frames kept of each segment, for training to draw from
    mirrored: bool = True  # keep the mirror image too
    form: CacheForm = "files"  # of a store that is not there yet
