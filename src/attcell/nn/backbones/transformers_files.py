"""What a video model's own files say of it, as transformers writes them; no foreign code is run.

They are read by :func:`attcell.config.hub.read_video_model`. Here are four kinds of network, that come with
transformers itself: VideoMAE, TimeSformer, ViViT and V-JEPA 2. Those for sound are in
:mod:`attcell.nn.backbones.transformers_sound`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from attcell.errors import AttcellError, CallError, ModelError, installing
from attcell.nn.backbones.entry import Colour

KINDS = {"videomae": "VideoMAE", "timesformer": "TimeSformer", "vivit": "ViViT", "vjepa2": "V-JEPA 2"}
_RESAMPLING = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


@dataclass(frozen=True)
class Published:
    """A model of transformers, by its own files: what its network and its weights are found by.

    Attributes:
        name: as in a recipe: ``hf/OWNER/NAME``, or a folder.
        config: what its ``config.json`` holds.
        preprocessing: what its ``preprocessor_config.json`` holds, or the file that it has instead.
        kind: of network, as ``config.json`` calls it.
    """

    name: str
    config: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    kind: str

    @property
    def source(self) -> str:
        """What transformers takes: the name at the Hub, or the folder."""
        return self.name.removeprefix("hf/")

    @property
    def keys(self) -> dict[str, Any]:
        """The keywords of :func:`video_model`, or of ``sound_model``, that make it again; plain types."""
        return {
            "name": self.name,
            "config": dict(self.config),
            "preprocessing": dict(self.preprocessing),
        }


@dataclass(frozen=True)
class VideoModel(Published):
    """A video model, of a kind in :data:`KINDS`.

    Attributes:
        num_frames: of a clip.
        tubelet: how many frames one step of time is made of.
        size: the side of the pictures, in pixels.
        patch: the side of a region.
        resize: ``short`` scales the short side of a frame to ``short_side``, and the middle is cut;
            ``squash`` makes the frame a square of that side.
        short_side: in pixels.
        resample: how frames are resized.
        mean, deviation: of colours from 0 to 1; the network sees (colour - mean) / deviation.
        labels: the classes in the order of its logits; none where it is no classifier.
    """

    num_frames: int
    tubelet: int
    size: int
    patch: int
    resize: Literal["short", "squash"]
    short_side: int
    resample: str
    mean: Colour
    deviation: Colour
    labels: tuple[str, ...] = ()


def video_model(name: str, config: Mapping[str, Any], preprocessing: Mapping[str, Any]) -> VideoModel:
    """What the two files of a model say; no other file is read, and no code but transformers' own is run.

    Args:
        name: as in a recipe.
        config: what ``config.json`` holds.
        preprocessing: what ``preprocessor_config.json`` holds, or the file that it has instead.

    Raises:
        CallError: transformers is not installed; no video model; one that needs code of its own.
        ModelError: the files lack something, or contradict each other.
    """
    with wrong_values_told(name):
        return _video_model(name, config, preprocessing)


@contextmanager
def wrong_values_told(name: str) -> Iterator[None]:
    """Raise a ModelError for whatever is raised by a value of a wrong kind, anywhere in a model's files."""
    try:
        yield
    except AttcellError:
        raise
    except Exception as error:
        raise ModelError(
            f"{name}: a value in its config.json or in the file of its preprocessing is not right "
            f"({type(error).__name__}: {error}); copy the model anew"
        ) from error


def _video_model(name: str, config: Mapping[str, Any], preprocessing: Mapping[str, Any]) -> VideoModel:
    kind = _kind(name, config)
    settings = settings_of(name, kind, config)
    size, patch, tubelet = _geometry(settings, kind)
    resize, short_side, cut = _resizing(name, kind, preprocessing, size)
    if cut != size:
        raise ModelError(
            f"{name}: its network looks at pictures of {size}×{size}, and its preprocessing makes them "
            f"{cut}×{cut}; give a model whose config.json and preprocessor_config.json belong together"
        )
    mean, deviation = _figures(name, kind, preprocessing)
    frames = settings.frames_per_clip if kind == "vjepa2" else settings.num_frames
    architectures = config.get("architectures")
    is_classifier = isinstance(architectures, list) and any(
        str(of).endswith("ForVideoClassification") for of in architectures
    )
    labels = settings.id2label if is_classifier else {}
    return VideoModel(
        name=name,
        config=config,
        preprocessing=preprocessing,
        kind=kind,
        num_frames=int(frames),
        tubelet=tubelet,
        size=size,
        patch=patch,
        resize=resize,
        short_side=short_side,
        resample=_RESAMPLING.get(preprocessing.get("resample", 2), "bilinear"),
        mean=mean,
        deviation=deviation,
        labels=tuple(labels[number] for number in sorted(labels)),
    )


def _kind(name: str, config: Mapping[str, Any]) -> str:
    kind = str(config.get("model_type"))
    if kind in KINDS:
        return kind
    allowed = ", ".join(KINDS.values())
    if own := config.get("auto_map"):
        files = own.values() if isinstance(own, dict) else [own]
        raise CallError(
            f"{name} needs code of its own ({', '.join(map(str, files))}), and nothing "
            f"from outside is run; allowed: {allowed}, whose code comes with transformers"
        )
    raise CallError(
        f"{name} is no video model that is known here: its config.json says model_type {kind!r}; allowed: "
        f"{allowed}"
    )


def settings_of(name: str, kind: str, config: Mapping[str, Any]) -> Any:
    """transformers' own configuration, which knows what a file leaves out."""
    try:
        from transformers import CONFIG_MAPPING
    except ImportError as error:
        raise CallError(
            f"{name} needs transformers, which is not installed; install it: {installing('transformers')}"
        ) from error
    if config.get("quantization_config"):
        raise ModelError(f"{name} has quantised weights, which are not read here; give it as it was trained")
    # What would have code fetched: of its own, or of another attention's.
    known = {key: of for key, of in config.items() if key != "auto_map" and "attn_implementation" not in key}
    try:
        return CONFIG_MAPPING[kind].from_dict(known)
    except Exception as error:  # its checks raise errors of several kinds
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"{name}: transformers refuses its config.json ({reason[0] if reason else type(error).__name__});"
            " copy the model anew"
        ) from error


def _geometry(settings: Any, kind: str) -> tuple[int, int, int]:
    """The side of the pictures and of a region, and the frames of a step."""
    size = settings.crop_size if kind == "vjepa2" else settings.image_size
    if kind == "vivit":
        tubelet, patch, _ = settings.tubelet_size
    else:
        tubelet, patch = getattr(settings, "tubelet_size", 1), settings.patch_size
    return _side(size), _side(patch), int(tubelet)


def _side(value: Any) -> int:
    return int(value) if isinstance(value, int) else int(value[0])


def _resizing(
    name: str, kind: str, preprocessing: Mapping[str, Any], own: int
) -> tuple[Literal["short", "squash"], int, int]:
    """How frames are resized, to which side, and the side of what is cut."""
    size = preprocessing.get("size") if preprocessing.get("do_resize", True) else {"shortest_edge": own}
    size = {"shortest_edge": size} if isinstance(size, int) else size
    crop = preprocessing.get("crop_size") if preprocessing.get("do_center_crop", True) else None
    crop = {"height": crop, "width": crop} if isinstance(crop, int) else crop
    if kind == "vjepa2" and crop is not None:
        size = {"shortest_edge": int(crop["height"] * 256 / 224)}  # whatever the file says, as transformers
    if crop is not None and not _is_side(crop.get("height")):
        raise ModelError(f"{name}: its preprocessing says crop_size {crop}; {_SAVE}")
    if not isinstance(size, dict) or not ({"shortest_edge", "height"} & size.keys()):
        raise ModelError(f"{name}: its preprocessing says no size; {_SAVE}")
    if "shortest_edge" in size:
        side, cut = size["shortest_edge"], own if crop is None else crop["height"]
        if not _is_side(side) or side < cut:
            raise ModelError(
                f"{name}: its preprocessing makes frames of short side {side!r}, and cuts "
                f"{cut}×{cut} out of them; {_SAVE}"
            )
        return "short", side, cut
    side = size["height"]
    if not _is_side(side):
        raise ModelError(f"{name}: its preprocessing says size {size}; {_SAVE}")
    if side != size.get("width"):
        raise ModelError(
            f"{name} makes frames of {size.get('width')}×{side}; only squares can be looked at here"
        )
    return "squash", side, side if crop is None else int(crop["height"])


def _is_side(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _figures(name: str, kind: str, preprocessing: Mapping[str, Any]) -> tuple[Colour, Colour]:
    """Mean and deviation of colours from 0 to 1.

    A value of 0 to 255 is multiplied by a factor, one is subtracted from it where there is an offset, and
    then it is normalised.
    """
    factor, offset = 1.0, 0.0
    if preprocessing.get("do_rescale", True):
        factor = preprocessing.get("rescale_factor", 1 / 127.5 if kind == "vivit" else 1 / 255) * 255
        offset = 1.0 if kind == "vivit" and preprocessing.get("offset", True) else 0.0
    else:
        factor = 255.0
    mean: Any = (0.0,) * 3
    deviation: Any = (1.0,) * 3
    if preprocessing.get("do_normalize", True):
        mean, deviation = preprocessing.get("image_mean"), preprocessing.get("image_std")
        if not (_are_three(mean) and _are_three(deviation) and min(deviation) > 0):
            raise ModelError(f"{name}: its preprocessing says no image_mean and image_std; {_SAVE}")
    return (
        tuple((offset + value) / factor for value in mean),
        tuple(value / factor for value in deviation),
    )


_SAVE = "save the model's processor beside it: processor.save_pretrained(folder)"


def _are_three(values: Any) -> bool:
    return isinstance(values, list | tuple) and len(values) == 3
