"""The recipe: everything a run is made of, checked strictly, from YAML and ``key=value`` overrides.

Paths in a recipe are relative to the folder the command runs in.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from attcell.arguments import path_of, shown
from attcell.errors import CallError

PATH_KEYS = ("data.train", "data.val", "data.test", "data.root", "cache.folder", "flow.store")
STREAM_PATH_KEYS = (".weights", ".begin_with")  # of any stream

Count = Annotated[int, Field(ge=1, strict=True)]
Fraction = Annotated[float, Field(ge=0, lt=1, strict=True)]
Positive = Annotated[float, Field(gt=0, strict=True)]
Word = BeforeValidator(lambda value: str(value) if type(value) is int else value)  # YAML reads 32 as a number


class Section(BaseModel):
    """A part of a recipe: frozen, and with no key that we do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataSection(Section):
    """Where the videos are: each source is a folder per class or a list file."""

    train: Path
    test: Path | None = None
    val: Path | None = None
    val_fraction: Fraction = 0.0  # of the training videos of each class, where there is no val
    root: Path | None = None  # what the paths of list files are relative to; by default the list's folder
    workers: Annotated[int, Field(ge=0)] = 2

    @model_validator(mode="after")
    def _one_validation_set(self) -> DataSection:
        if self.val is not None and self.val_fraction > 0:
            raise ValueError("val and val_fraction exclude each other; keep one")
        return self


class InputSection(Section):
    """How a frame becomes the network's input."""

    size: Count = 224
    resize: Literal["short", "squash"] = "short"  # the short side to short_side, or the frame to a square
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
    short: Literal["repeat", "refuse"] = "repeat"


class FlowSection(Section):
    """How the flow stream's input is made. The paper: TV-L1, ten fields, a bound of 20 pixels."""

    method: Literal["paper", "fast", "dis", "raft"] = "fast"
    fields: Count = 10  # consecutive fields of a segment; 2 channels each
    form: Literal["stack", "picture"] = "stack"  # picture: one field as TAN sees it, in three channels
    bound: Positive = 20.0  # pixels of flow that become the code 255
    deviation: Positive = 10.0  # the network sees (code - 128) / deviation
    short_side: Count | None = None  # scale frames down to this before computing flow
    store: Path | None = (
        None  # flow on disk, by ``attcell extract flow``; by default it is computed as it goes
    )

    @model_validator(mode="after")
    def _one_field_in_a_picture(self) -> FlowSection:
        if self.form == "picture" and self.fields != 1:
            raise ValueError(f"form picture holds one field, and fields is {self.fields}; set fields to 1")
        return self

    @property
    def channels(self) -> int:
        """Of the flow stream's input."""
        return 3 if self.form == "picture" else 2 * self.fields


class ClipSection(Section):
    """How the clip stream's input is made."""

    frames: Count = 16


class StreamSection(Section):
    """One modality's network."""

    backbone: str = "vgg16"  # of a clip stream c3d
    tap: Annotated[str | None, Word] = None  # of a timm model the number of a stage
    weights: str = "pretrained"  # from torchvision or timm; or none; or a .safetensors file
    train_from: str = "all"  # all, none, or the first layer that is trained
    conv6_channels: Count = 1024
    conv6_relu: bool = True  # reading
    standardise: bool = False  # each channel of the frozen feature map, by figures of the training videos
    begin_with: Path | None = (
        None  # a model folder: start as its trained stream, conv6 and attention included
    )


class ModelSection(Section):
    """Which network."""

    kind: Literal["stan", "san", "average", "tan"] = "stan"
    streams: Annotated[dict[Literal["frame", "flow", "clip"], StreamSection], Field(min_length=1)] = {
        "frame": StreamSection()
    }
    fusion: Literal["early", "late"] = "early"  # one temporal attention for all streams, or one network each
    cell: Literal["gru", "lstm"] = "gru"  # of TAN's branches
    lstm_hidden: Count = 1024  # of TAN's recurrent layers too, of either cell
    lstm_layers: Count = 1  # reading
    lstm_bidirectional: bool = False  # reading
    uniform_start: bool = True  # reading: AttCells start at zero, so that attention starts uniform
    dropout: Fraction = 0.5  # reading

    @field_validator("streams", mode="before")
    @classmethod
    def _c3d_for_clips(cls, streams: Any) -> Any:
        """A clip stream that names no backbone has C3D."""
        clip = streams.get("clip") if isinstance(streams, dict) else None
        if isinstance(clip, dict) and "backbone" not in clip:
            return {**streams, "clip": {"backbone": "c3d", **clip}}
        return streams

    @model_validator(mode="after")
    def _two_branches(self) -> ModelSection:
        """TAN has a frame and a flow branch, and nothing of STAN's attention over regions."""
        if self.kind != "tan":
            return self
        if set(self.streams) != {"frame", "flow"}:
            raise ValueError(f"kind tan needs the streams frame and flow, not {', '.join(self.streams)}")
        if self.fusion == "late":
            raise ValueError("kind tan joins its branches by itself; leave fusion out")
        usual = StreamSection()
        for name, stream in self.streams.items():
            for key in ("conv6_channels", "conv6_relu"):
                if getattr(stream, key) != getattr(usual, key):
                    raise ValueError(f"kind tan has no conv6; leave streams.{name}.{key} out")
        if self.lstm_bidirectional or not self.uniform_start:
            raise ValueError(
                "kind tan looks back only and has no AttCell; leave out lstm_bidirectional and uniform_start"
            )
        return self

    @model_validator(mode="after")
    def _something_to_fuse(self) -> ModelSection:
        if self.fusion == "late" and len(self.streams) < 2:
            raise ValueError("fusion late needs at least two streams; leave it out for one")
        return self


class CacheSection(Section):
    """Feature maps of frozen backbones, computed once and kept on disk."""

    folder: Path | None = None
    positions: Count = 2  # frames kept of each segment, for training to draw from
    mirrored: bool = True  # keep the mirror image too


class TrainSection(Section):
    """The schedule. The defaults are the paper's."""

    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: Positive = 1e-3
    momentum: Fraction = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["step", "onecycle", "constant"] = "step"
    step_iterations: Count = 4000  # "step" divides the rate by 10 every so many iterations
    iterations: Count | None = None
    epochs: Count | None = None
    batch_size: Count = 128
    accumulate: Count = 1  # the batch is computed in this many parts
    label_smoothing: Fraction = 0.0
    steps: Literal["all", "last"] = "all"  # reading: of TAN, the steps whose loss counts
    clip_gradient_norm: Positive | None = None
    precision: Annotated[Literal["32", "bf16"], Word] = "32"
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Count = 1
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    checkpoint_every: Count = 500  # iterations; each checkpoint follows a validation

    @model_validator(mode="after")
    def _consistent(self) -> TrainSection:
        if (self.iterations is None) == (self.epochs is None):
            raise ValueError("give either iterations (the paper's 15000) or epochs")
        if self.batch_size % (self.accumulate * self.devices):
            raise ValueError(
                f"batch_size {self.batch_size} cannot be split into accumulate {self.accumulate} × "
                f"devices {self.devices} equal parts"
            )
        return self


class Recipe(Section):
    """A whole run."""

    data: DataSection
    input: InputSection = InputSection()
    flow: FlowSection = FlowSection()
    clip: ClipSection = ClipSection()
    segments: SegmentsSection = SegmentsSection()
    model: ModelSection = ModelSection()
    cache: CacheSection = CacheSection()
    train: TrainSection

    @model_validator(mode="after")
    def _frozen_where_needed(self) -> Recipe:
        for name, stream in self.model.streams.items():
            wants = "cache.folder" if self.cache.folder is not None else "standardise"
            if stream.train_from != "none" and (self.cache.folder is not None or stream.standardise):
                raise ValueError(f"{wants} needs model.streams.{name}.train_from=none (a frozen backbone)")
            if stream.standardise and self.cache.folder is None and stream.begin_with is None:
                raise ValueError(
                    f"model.streams.{name}.standardise needs cache.folder, whose features it measures"
                )
        return self


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe file, put ``key=value`` overrides over it (``train.epochs=3``), and check everything.

    Raises:
        CallError: no such file, not YAML, or any unknown or wrong value; all of them in one message.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError, safe_load

    path = path_of(path, "path", "recipes/stan-frame-vgg16.yaml")
    if not path.is_file():
        raise CallError(f"no recipe at {path}; give the path of a YAML file")
    changes = []
    is_list = isinstance(overrides, Sequence) and not isinstance(overrides, str)
    if not is_list or not all(isinstance(override, str) for override in overrides):
        raise CallError(f'overrides are {shown(overrides)}; give a list of texts, such as ["train.epochs=3"]')
    for override in overrides:
        if "=" not in override or override.startswith("="):
            raise CallError(f"override {override!r} is not key=value; for example train.epochs=3")
        try:
            changes.append(_change(override))
        except (YAMLError, OmegaConfBaseException, ValueError) as error:
            raise CallError(f"override {override!r} has a value that is not YAML: {error}") from error
    try:
        text = path.read_text(encoding="utf-8")
        if not isinstance(safe_load(text), dict | None):
            raise CallError(f"{path} is no recipe: it must hold keys and values, such as data: and train:")
        merged = OmegaConf.merge(OmegaConf.create(text), *changes)
        missing = sorted(OmegaConf.missing_keys(merged))
        values = OmegaConf.to_container(merged, resolve=True)
    except (YAMLError, OmegaConfBaseException, OSError, ValueError) as error:
        raise CallError(f"{path} is not a recipe in YAML: {error}") from error
    if missing:
        raise CallError(
            f"{path} leaves {', '.join(missing)} open (???); give it on the command line: {missing[0]}=VALUE"
        )
    return check_recipe(values, source=str(path))


def _change(override: str) -> Any:
    """One ``key=value`` as a nested configuration; a path is taken letter by letter, not as YAML."""
    from omegaconf import OmegaConf

    key, _, value = override.partition("=")
    if key not in PATH_KEYS and not key.endswith(STREAM_PATH_KEYS):
        return OmegaConf.from_dotlist([override])
    change = OmegaConf.create()
    OmegaConf.update(change, key, None if value in ("", "null") else str(Path(value).expanduser()))
    return change


def check_recipe(values: Any, source: str) -> Recipe:
    """Check plain values against the schema.

    Raises:
        CallError: with every unknown key and wrong value, and ``source`` as the place they came from.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(problem)}" for problem in error.errors())
        raise CallError(f"{source} is not a valid recipe:\n{problems}") from error


def _explain(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"] if part != "[key]")
    if problem["type"] == "extra_forbidden":
        allowed = _keys_beside(problem["loc"])
        close = difflib.get_close_matches(str(problem["loc"][-1]), allowed, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"{where}: unknown key; {hint}allowed: {', '.join(allowed)}"
    given = "" if isinstance(problem["input"], dict) else f" (given: {problem['input']!r})"
    return f"{where or 'recipe'}: {problem['msg'].removeprefix('Value error, ')}{given}"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the section at ``location`` has."""
    section: type[BaseModel] = Recipe
    for part in location[:-1]:
        if part == "streams":
            section = StreamSection
        elif str(part) in section.model_fields:
            annotation = section.model_fields[str(part)].annotation
            section = (
                annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else section
            )
    return list(section.model_fields)
