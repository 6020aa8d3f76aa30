"""What a recipe's backbones decide where it leaves something out: sizes, lengths, pictures of sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attcell.config.hub import is_hub_name, made_of, read_model
from attcell.config.schema import InputSection
from attcell.errors import CallError, ModelError

if TYPE_CHECKING:  # it needs PyTorch
    from attcell.nn.backbones import BackboneEntry

_SIZES = ("size", "short_side")
_CLASSES = ("id2label", "label2id", "architectures")  # of a classifier; a backbone has no use for them


def stream_entry(backbone: str, files: Mapping[str, Any] | None = None) -> BackboneEntry:
    """The entry of a stream's backbone.

    Args:
        backbone: its name in a recipe; of a model of transformers ``hf/OWNER/NAME``, or a folder.
        files: what such a model's files said when the recipe was checked; else they are read.

    Raises:
        CallError, ModelError: no such backbone, or one that cannot be used or downloaded.
    """
    from attcell.nn.backbones import backbone_entry
    from attcell.nn.backbones.transformers_sound import SoundModel, sound_entry
    from attcell.nn.backbones.transformers_video import video_entry

    if files is not None and files.get("name") == backbone:
        model = made_of(**files)
    elif is_hub_name(backbone):
        model = read_model(backbone)
    else:
        return backbone_entry(backbone)
    return sound_entry(model) if isinstance(model, SoundModel) else video_entry(model)


def with_own_figures(values: Any, source: str) -> Any:
    """Plain values of a recipe with what they leave out and its backbones decide.

    ``input.size`` is that of the streams' backbones, and ``input.short_side`` is to it as 256 to 224;
    ``clip.frames`` is that of the clip stream's backbone; ``audio.form`` is whose pictures the audio stream's
    backbone was trained on, with its own number of bands and length; and what the files of a model of
    transformers say is put beside its name, so that a trained model needs them no more.

    Values that are no recipe come back as they are, and are told by the schema.

    Raises:
        CallError: the streams' backbones have different sizes, one was trained on other pictures of sound
            than the recipe's, or is no model that can be used.
        ModelError: the files of one cannot be downloaded, or are damaged.
    """
    if not isinstance(values, dict):
        return values
    values = _with_files(values, source)
    values = _with_sound(values, source)
    given = {name: values.get(name) for name in ("input", "clip")}
    if not all(isinstance(section, dict | None) for section in given.values()):
        return values
    pictures = {
        key: value for key, value in (given["input"] or {}).items() if value is not None or key not in _SIZES
    }
    clip = {
        key: value for key, value in (given["clip"] or {}).items() if value is not None or key != "frames"
    }
    if "size" in pictures and "frames" in clip:
        return {**values, "input": pictures, "clip": clip}
    own = _own_entries(values, "frames")
    if "size" not in pictures:
        usual, sizes = InputSection(), {name: entry.size for name, entry in own.items()}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise CallError(
                f"{source}: input.size is left out, and the backbones of the streams were made for pictures "
                f"of different sizes ({told}); set input.size to one for all"
            )
        size = pictures["size"] = next(iter(sizes.values()), usual.size)
        pictures.setdefault("short_side", round(size * usual.short_side / usual.size))
    for entry in own.values():
        if entry.takes == "clip":
            clip.setdefault("frames", entry.frames)
    return {**values, "input": pictures, "clip": clip}


def _with_sound(values: dict[str, Any], source: str) -> dict[str, Any]:
    """The same, where the audio section says which pictures the backbone that hears was trained on."""
    given = values.get("audio")
    if not isinstance(given, dict | None):
        return values
    audio = {key: value for key, value in (given or {}).items() if value is not None}
    for name, entry in _own_entries(values, "sound").items():
        own = entry.sound
        if own is None:
            continue
        wanted: dict[str, Any] = {"form": own.form, "bands": own.bands}
        for key, value in wanted.items():
            if value is not None and audio.setdefault(key, value) != value:
                raise CallError(
                    f"{source}: audio.{key} is {audio[key]}, and {entry.name}, the backbone of the {name} "
                    f"stream, was made for {value}; leave audio.{key} out, or take another backbone"
                )
        if own.rows is not None:
            audio.setdefault("seconds", own.rows / 100)
    return {**values, "audio": audio} if audio else values


def _streams_of(values: dict[str, Any]) -> dict[str, Any]:
    """Stream → what the values say of it; none where they are no recipe's."""
    model = values.get("model")
    streams = model.get("streams") if isinstance(model, dict) else None
    return streams if isinstance(streams, dict) else {}


def _with_files(values: dict[str, Any], source: str) -> dict[str, Any]:
    """The same, where each backbone of transformers has what its files say beside it, and no other has."""
    completed = {}
    for name, stream in _streams_of(values).items():
        backbone = stream.get("backbone") if isinstance(stream, dict) else None
        if not isinstance(backbone, str):
            continue
        files = stream.get("files")
        if isinstance(files, dict) and files.get("name") == backbone:
            continue
        if is_hub_name(backbone):
            try:
                keys = read_model(backbone).keys
            except (CallError, ModelError) as error:
                raise type(error)(f"{source}: model.streams.{name}: {error}") from error
            config = {key: value for key, value in keys["config"].items() if key not in _CLASSES}
            completed[name] = {**stream, "files": {**keys, "config": config}}
        elif isinstance(files, dict):  # of the backbone that was here before
            completed[name] = {**stream, "files": None}
    if not completed:
        return values
    streams = {**values["model"]["streams"], **completed}
    return {**values, "model": {**values["model"], "streams": streams}}


def _own_entries(values: dict[str, Any], looks_at: str) -> dict[str, BackboneEntry]:
    """Stream → the entry of its backbone, of those that look at frames, or at sound."""
    from attcell.video.modalities import modality  # here, because it needs PyTorch

    entries = {}
    for name, stream in (_streams_of(values) or {"frame": {}}).items():
        try:
            entry = modality(name)
            if stream is not None and entry.looks_at == looks_at:
                section = stream if isinstance(stream, dict) else {}
                named = section.get("backbone") or entry.backbone
                entries[name] = stream_entry(named, section.get("files"))
        except (CallError, TypeError, AttributeError):  # no name of one: the schema or the builder tells
            continue
    return entries
