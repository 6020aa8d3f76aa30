"""The section of a recipe that says which network: kind, streams, and what fits together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from attcell.sections import Count, Fraction, Section, Word


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

    kind: Literal[
        "stan", "san", "average", "pooled", "tan", "cnn", "two_stream", "fc", "branch_selection",
        "spatial_attention", "soft_attention", "own_gates",
    ] = "stan"  # fmt: skip
    pooling: Literal["fc6", "flat", "average", "vlad"] = "average"  # of kind pooled
    vlad_size: Count = 256  # descriptors are brought to so many numbers by PCA
    vlad_centres: Count = 128
    classifier: Literal["linear", "svm"] = "linear"  # learnt with the network; or an SVM on what it gives
    begin_with: Path | None = None  # a model folder: start as this whole network, but for its classifiers
    streams: dict[Literal["frame", "flow", "clip"], StreamSection] = Field(
        default={"frame": StreamSection()}, min_length=1
    )
    fusion: Literal["early", "late"] = "early"  # one temporal attention for all streams, or one network each
    cell: Literal["gru", "lstm"] = "gru"  # of branches
    lstm_hidden: Count = 1024  # of the branches' recurrent layers too, of either cell
    lstm_layers: Count = 1  # reading
    lstm_bidirectional: bool = False  # reading
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
        """A stream that is null is left out; a clip stream that names no backbone has C3D."""
        if not isinstance(streams, dict):
            return streams
        given = {name: stream for name, stream in streams.items() if stream is not None}
        clip = given.get("clip")
        if isinstance(clip, dict) and "backbone" not in clip:
            given["clip"] = {"backbone": "c3d", **clip}
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
        return self

    @model_validator(mode="after")
    def _fit_branches(self) -> ModelSection:
        """Networks of branches have a frame and a flow branch, and nothing of STAN's attention."""
        if not self.has_branches:
            return self
        names, given = set(self.streams), ", ".join(self.streams)
        if self.kind in ("cnn", "two_stream") and not names <= {"frame", "flow"}:
            raise ValueError(f"kind {self.kind} has frame and flow streams, not {given}")
        if self.kind == "soft_attention" and names not in ({"frame"}, {"flow"}):
            raise ValueError(f"kind {self.kind} needs one stream, frame or flow, not {given}")
        if self.kind not in ("cnn", "two_stream", "soft_attention") and names != {"frame", "flow"}:
            raise ValueError(f"kind {self.kind} needs the streams frame and flow, not {given}")
        if self.fusion == "late":
            raise ValueError(f"kind {self.kind} joins its branches by itself; leave fusion out")
        self._refuse_foreign(self, ["lstm_bidirectional", "uniform_start"])
        conv6 = ["conv6_channels", "conv6_relu"]
        for name, stream in self.streams.items():
            self._refuse_foreign(stream, conv6, f"streams.{name}.")
        return self

    def _refuse_foreign(self, section: Section, keys: list[str], where: str = "") -> None:
        for key in keys:
            if getattr(section, key) != type(section).model_fields[key].default:
                raise ValueError(f"kind {self.kind} has no use for {where}{key}; leave it out")

    @model_validator(mode="after")
    def _one_beginning(self) -> ModelSection:
        twice = [name for name, stream in self.streams.items() if stream.begin_with is not None]
        if self.begin_with is not None and twice:
            raise ValueError(f"begin_with is the whole network's; leave streams.{twice[0]}.begin_with out")
        for name, stream in self.streams.items():
            begins = self.begin_with or stream.begin_with
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
