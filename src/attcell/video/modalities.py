"""The kinds of input that a network's streams look at, each in one entry: frame, flow, clip, audio, features.

A segment is seen at one frame index. The *frame* stream gets this frame, the *flow* stream the fields
between the frames around it, the *clip* stream the frames around it. Near the ends of a video the frames
around a frame index are moved inside; a video of fewer frames repeats its last one. The *audio* stream gets a
picture of the sound around the time of this frame (``sound/source.py``). The *features* stream looks at no
picture: it gets a row of numbers that was computed elsewhere (``features.py``).

Another kind is one call of :func:`register`; then recipes may name streams of it::

    register(Modality("difference", reader=lambda spec, origin: differences, window=lambda spec: 2))
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from attcell.errors import CallError
from attcell.flow import dequantize, flow_picture, mirrored_codes
from attcell.video.features import features_of
from attcell.video.flow_source import NO_MOTION, FlowSource, flow_files_of, source_of
from attcell.video.readers import FramesAround, Origin, Reader, Sheet
from attcell.video.sound.source import SoundSource
from attcell.video.transforms import flipped

if TYPE_CHECKING:  # it reads this registry
    from attcell.video.input_spec import InputSpec

Figures = tuple[Sequence[float], Sequence[float]]  # mean and deviation of each channel, of values 0 to 255


def channels_joined(pictures: Tensor, spec: InputSpec) -> Tensor:
    """(n, L, C, S, S) to (n, L·C, S, S): the channels of the first, then of the second, and so on.

    Channels are last in memory, which convolutions on a CPU read faster.
    """
    return pictures.flatten(1, 2).contiguous(memory_format=torch.channels_last)


def in_time(pictures: Tensor, spec: InputSpec) -> Tensor:
    """(n, L, C, S, S) to clips (n, C, L, S, S)."""
    return pictures.transpose(1, 2)


def colour_figures(spec: InputSpec) -> Figures:
    """Mean and deviation of colours."""
    return [255 * value for value in spec.mean], [255 * value for value in spec.deviation]


def colours_described(spec: InputSpec) -> dict[str, Any]:
    """How colours become numbers, by the recipe's keys."""
    return {"input.mean": spec.mean, "input.std": spec.deviation}


@dataclass(frozen=True)
class Modality:
    """One kind of input, and all that the rest of the library wants to know of it.

    Attributes:
        name: of its stream, in recipes and in what networks say.
        reader: opens a video and gives what turns frames into sheets. It may raise a VideoError.
        takes: what a backbone for it takes, ``picture`` (C, S, S), ``clip`` (C, L, S, S), or ``features``
            (C, 1, 1).
        looks_at: ``frames``, ``sound`` or ``features``: only frames are cut, mirrored and drawn over.
        shape: rows and columns of a backbone's input.
        backbone: the one that a recipe gets which names none.
        window: how many frames around a frame index the reader needs.
        stride: how many frames lie from one of these to the next; 1 for consecutive ones.
        channels: C of a backbone's input.
        arrange: the cut pictures of n frame indices (n, L, C, S, S) to a backbone's input (n, ...).
        mirror: what a mirror image does to cut pictures (P, C, S, S).
        is_colour: the pictures are the video's own, three colours in uint8: training may change these.
        figures: mean and deviation of each channel, of values from 0 to 255.
        described: what the input depends on but for the size of the frames, by the recipe's keys: kept
            features that were made otherwise do not serve, and weights that saw otherwise are warned of.
        words: the same for people, as a test prints it; by name.
        is_stored: the input lies on disk beside the video.
        stored_as: of such, what tells this video's input from another one, in words.
        motion: sheet to (n, 2, H, W) float32, the mean motion in pixels a frame that the input of each frame
            index shows, to be drawn; None where it shows none.
    """

    name: str
    reader: Callable[[InputSpec, Origin], Reader]
    takes: Literal["picture", "clip", "features"] = "picture"
    looks_at: Literal["frames", "sound", "features"] = "frames"
    shape: Callable[[InputSpec], tuple[int, int]] = lambda spec: (spec.frame.size, spec.frame.size)
    backbone: str = "vgg16"
    window: Callable[[InputSpec], int] = lambda spec: 1
    stride: Callable[[InputSpec], int] = lambda spec: 1
    channels: Callable[[InputSpec], int] = lambda spec: 3
    arrange: Callable[[Tensor, InputSpec], Tensor] = channels_joined
    mirror: Callable[[Tensor], Tensor] = flipped
    is_colour: bool = False
    figures: Callable[[InputSpec], Figures] = colour_figures
    described: Callable[[InputSpec], dict[str, Any]] = colours_described
    words: Callable[[InputSpec], dict[str, str]] = lambda spec: {}
    is_stored: Callable[[InputSpec], bool] = lambda spec: False
    stored_as: Callable[[InputSpec, Path], str] = lambda spec, video: ""
    motion: Callable[[Sheet, InputSpec], Tensor] | None = None


_MODALITIES: dict[str, Modality] = {}


def register(entry: Modality) -> None:
    """Make a modality known by its name: recipes may have a stream of it from then on.

    Raises:
        CallError: there is another one of this name, or it is no name.
    """
    if _MODALITIES.get(entry.name, entry) is not entry:
        raise CallError(
            f"there is a modality {entry.name} already; choose a name that is none of "
            f"{', '.join(_MODALITIES)}"
        )
    if not entry.name.isidentifier():
        raise CallError(
            f"a modality's name is {entry.name!r}; allowed: letters, digits and _, not beginning with a digit"
        )
    _MODALITIES[entry.name] = entry


def modality(name: str) -> Modality:
    """The modality of a name.

    Raises:
        CallError: there is none; the allowed names are said.
    """
    if name not in _MODALITIES:
        close = difflib.get_close_matches(name, _MODALITIES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ";"
        raise CallError(f"no modality is named {name!r}{hint} allowed: {', '.join(_MODALITIES)}")
    return _MODALITIES[name]


def modality_names() -> tuple[str, ...]:
    """All that are known."""
    return tuple(_MODALITIES)


# Those that come with attcell.


def _frames(spec: InputSpec, origin: Origin) -> Reader:
    return lambda around: Sheet(around.pictures, _of(around, around.frame_indices[:, None]))


def _clips(spec: InputSpec, origin: Origin) -> Reader:
    length, stride = spec.clip_frames, spec.clip_stride
    return lambda around: Sheet(around.pictures, _of(around, around.window(length, stride)))


def _clip_described(spec: InputSpec) -> dict[str, Any]:
    stride = {"clip.stride": spec.clip_stride} if spec.clip_stride != 1 else {}
    return {**colours_described(spec), "clip.frames": spec.clip_frames, **stride}


def _clip_words(spec: InputSpec) -> dict[str, str]:
    apart = "" if spec.clip_stride == 1 else f", one of every {spec.clip_stride}"
    return {"clip_frames": f"{spec.clip_frames}{apart}"}


def _of(around: FramesAround, indices: np.ndarray) -> Tensor:
    return torch.from_numpy(around.rows(indices))


def _fields(spec: InputSpec, origin: Origin) -> Reader:
    source = source_of(spec.flow, origin.path, origin.frames, device=origin.device)
    return flow_reader(spec, source)


def flow_reader(spec: InputSpec, source: FlowSource) -> Reader:
    """A reader of the codes (P, 2, H, W) of the flow around frame indices; no pair is read twice."""

    def read(around: FramesAround) -> Sheet:
        frames = around.window(spec.flow.fields + 1)
        pairs, rows = np.unique(
            np.stack([frames[:, :-1].ravel(), frames[:, 1:].ravel()], axis=1), axis=0, return_inverse=True
        )
        codes = source.codes(pairs, around.rows(pairs), around.pictures)
        return Sheet(codes, torch.from_numpy(rows.reshape(len(frames), -1)))

    return read


def _flow_channels(spec: InputSpec) -> int:
    return 3 if spec.flow.form == "picture" else 2 * spec.flow.fields


def _arranged_fields(fields: Tensor, spec: InputSpec) -> Tensor:
    if spec.flow.form == "picture":
        fields = flow_picture(fields, spec.flow.quadratic_mean)
    return channels_joined(fields, spec)


def _flow_figures(spec: InputSpec) -> Figures:
    if spec.flow.form == "picture":
        return colour_figures(spec)
    channels = _flow_channels(spec)
    return [float(NO_MOTION)] * channels, [spec.flow.deviation] * channels


def _flow_described(spec: InputSpec) -> dict[str, Any]:
    flow = spec.flow
    scale: dict[str, Any] = {"flow.deviation": flow.deviation}
    if flow.form == "picture":
        scale = {"flow.quadratic_mean": flow.quadratic_mean, **colours_described(spec)}
    camera = {} if flow.spec.camera == "keep" else {"flow.camera": flow.spec.camera}
    return {
        "flow.method": flow.spec.method,
        "flow.bound": flow.spec.bound,
        "flow.short_side": flow.spec.short_side,
        "flow.fields": flow.fields,
        "flow.form": flow.form,
        **camera,
        **scale,
    }


def _flow_words(spec: InputSpec) -> dict[str, str]:
    flow = spec.flow
    where = "from a store" if flow.store is not None else "computed from the resized frames"
    fields = "one field as a picture" if flow.form == "picture" else f"{flow.fields} fields"
    fields += ", quadratic mean of the codes" if flow.quadratic_mean == "codes" else ""
    camera = flow.spec.camera
    fields += "" if camera == "keep" else f", camera motion taken out ({camera})"
    return {"flow": f"{flow.spec.method} {where}, {fields}, bound {flow.spec.bound:g}"}


def _flow_stored_as(spec: InputSpec, video: Path) -> str:
    assert spec.flow.store is not None, "it is stored"
    return flow_files_of(spec.flow.store, video).identity


def _mean_motion(sheet: Sheet, spec: InputSpec) -> Tensor:
    bound = spec.flow.spec.bound
    return torch.stack([dequantize(sheet.pictures[rows], bound).mean(0) for rows in sheet.rows])


def _rows(spec: InputSpec, origin: Origin) -> Reader:
    features = features_of(spec.features, origin.path, origin.frames)

    def read(around: FramesAround) -> Sheet:
        rows = torch.from_numpy(features.at(around.frame_indices))
        return Sheet(rows[:, :, None, None], torch.arange(len(rows))[:, None])

    return read


def _num_features(spec: InputSpec) -> int:
    if spec.features.dim is None:
        raise CallError("how many numbers a row of features has is not known; set features.dim")
    return spec.features.dim


def _features_stored_as(spec: InputSpec, video: Path) -> str:
    found = features_of(spec.features, video).path.stat()
    return f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns}"


def _features_described(spec: InputSpec) -> dict[str, Any]:
    return {"features.fps": spec.features.fps, "features.stride": spec.features.stride}


def _sound(spec: InputSpec, origin: Origin) -> Reader:
    source = SoundSource(origin.path, spec.audio)

    def read(around: FramesAround) -> Sheet:
        assert around.seconds is not None, "whoever reads a video knows its times"
        return Sheet(
            source.pictures(around.seconds), torch.arange(len(around.seconds))[:, None], source.notes
        )

    return read


def _sound_figures(spec: InputSpec) -> Figures:
    mean, deviation = spec.audio.log_mel.figures
    return [mean], [deviation]


register(Modality("frame", _frames, is_colour=True))
register(
    Modality(
        "flow",
        _fields,
        window=lambda spec: 1 if spec.flow.store is not None else spec.flow.fields + 1,
        channels=_flow_channels,
        arrange=_arranged_fields,
        mirror=mirrored_codes,
        figures=_flow_figures,
        described=_flow_described,
        words=_flow_words,
        is_stored=lambda spec: spec.flow.store is not None,
        stored_as=_flow_stored_as,
        motion=_mean_motion,
    )
)
register(
    Modality(
        "clip",
        _clips,
        takes="clip",
        backbone="c3d",
        window=lambda spec: spec.clip_frames,
        stride=lambda spec: spec.clip_stride,
        arrange=in_time,
        is_colour=True,
        described=_clip_described,
        words=_clip_words,
    )
)
register(
    Modality(
        "audio",
        _sound,
        looks_at="sound",
        shape=lambda spec: spec.audio.log_mel.shape,
        backbone="small",
        channels=lambda spec: 1,
        mirror=lambda pictures: pictures,
        figures=_sound_figures,
        described=lambda spec: spec.audio.described,
        words=lambda spec: {"audio": spec.audio.words},
    )
)
register(
    Modality(
        "features",
        _rows,
        takes="features",
        looks_at="features",
        shape=lambda spec: (1, 1),
        backbone="given",
        channels=_num_features,
        mirror=lambda rows: rows,
        figures=lambda spec: ([0.0] * _num_features(spec), [1.0] * _num_features(spec)),
        described=_features_described,
        words=lambda spec: {
            "features": f"{spec.features.dim} numbers a row, a row every {spec.features.row_seconds:g} s"
        },
        is_stored=lambda spec: spec.features.folder is not None,
        stored_as=_features_stored_as,
    )
)
