"""transformers' video models: what their own files say of them, and the networks, of which no foreign code is
run.

The files are read by :func:`attcell.config.hub.read_video_model`. Here are four kinds of network, that come
with transformers itself: VideoMAE, TimeSformer, ViViT and V-JEPA 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor, nn

from attcell.errors import AttcellError, CallError, ModelError
from attcell.nn.backbones.registry import BackboneEntry, Built, Colour

KINDS = {"videomae": "VideoMAE", "timesformer": "TimeSformer", "vivit": "ViViT", "vjepa2": "V-JEPA 2"}
INSTALL = "install it: pip install 'attcell[transformers]', or uv sync --extra transformers in a clone"
_RESAMPLING = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers
# Parts of a kind's plain network that videos' regions do not come from; its published files may lack them.
_NOT_USED = ("predictor.", "pooler.")


@dataclass(frozen=True)
class VideoModel:
    """A video model of transformers, by its own files.

    Attributes:
        name: as in a recipe: ``hf/OWNER/NAME``, or a folder.
        config: what its ``config.json`` holds.
        preprocessing: what its ``preprocessor_config.json`` holds, or the file that it has instead.
        kind: one of :data:`KINDS`.
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

    name: str
    config: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    kind: str
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

    @property
    def source(self) -> str:
        """What transformers takes: the name at the Hub, or the folder."""
        return self.name.removeprefix("hf/")

    @property
    def keys(self) -> dict[str, Any]:
        """The keywords of :func:`video_model` that make it again, in plain types."""
        return {
            "name": self.name,
            "config": dict(self.config),
            "preprocessing": dict(self.preprocessing),
        }


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
    try:
        return _video_model(name, config, preprocessing)
    except AttcellError:
        raise
    except Exception as error:  # a value of a wrong kind, anywhere in the two files
        raise ModelError(
            f"{name}: a value in its config.json or in the file of its preprocessing is not right "
            f"({type(error).__name__}: {error}); copy the model anew"
        ) from error


def _video_model(name: str, config: Mapping[str, Any], preprocessing: Mapping[str, Any]) -> VideoModel:
    kind = _kind(name, config)
    settings = _settings(name, kind, config)
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


def _settings(name: str, kind: str, config: Mapping[str, Any]) -> Any:
    """transformers' own configuration, which knows what a file leaves out."""
    try:
        from transformers import CONFIG_MAPPING
    except ImportError as error:
        raise CallError(f"{name} needs transformers, which is not installed; {INSTALL}") from error
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


# Networks


def random_video_network(model: VideoModel) -> nn.Module:
    """The plain network, without a classifier, with random weights: what regions are taken from."""
    from transformers import AutoModel

    with _quiet():
        network = AutoModel.from_config(_settings(model.name, model.kind, model.config))
    return _without_rest(network.float())


def pretrained_video_network(model: VideoModel, *, classifier: bool) -> nn.Module:
    """The network with its published weights, in test mode; they are downloaded where they are not here.

    Args:
        model: of :func:`attcell.config.hub.read_video_model`.
        classifier: with its classifier, a ``…ForVideoClassification``; or the plain network.

    Raises:
        ModelError: weights that are not there, cannot be downloaded, are damaged or of another network.
    """
    import torch
    import transformers

    kind = transformers.AutoModelForVideoClassification if classifier else transformers.AutoModel
    try:
        with _quiet():
            network, found = kind.from_pretrained(
                model.source,
                config=_settings(model.name, model.kind, model.config),
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # told below, by name
                dtype=torch.float32,
            )
    except Exception as error:  # of safetensors, the Hub's client and transformers, of many kinds
        raise ModelError(_not_loaded(model, error)) from error
    missing = sorted(key for key in found["missing_keys"] if classifier or not key.startswith(_NOT_USED))
    if missing or found["mismatched_keys"]:
        what = f"lack {len(missing)} keys, first {missing[0]}" if missing else ""
        if not missing:
            key, of_file, of_network = min(found["mismatched_keys"])
            what = f"have other shapes, first {key}: {[*of_file]}, and config.json says {[*of_network]}"
        raise ModelError(
            f"the weights of {model.name} are not of its network: they {what}. Give a model whose weights "
            "and config.json belong together" + ("; is it a classifier?" if classifier else "")
        )
    return network.eval() if classifier else _without_rest(network).eval()


def _not_loaded(model: VideoModel, error: Exception) -> str:
    reason = str(error).strip().splitlines()
    said = reason[0] if reason else type(error).__name__
    if not model.name.startswith("hf/"):
        return f"the weights of {model.name} could not be read ({said}); copy the folder anew"
    return (
        f"the weights of {model.name} could not be read ({said}). Where there is a network: hf download "
        f"{model.source}, which goes on where a download has stopped; or give a folder that holds the model"
    )


def _without_rest(network: nn.Module) -> nn.Module:
    """Without what regions do not come from: V-JEPA 2's predictor, and ViViT's pooling."""
    for name in ("predictor", "pooler"):
        if getattr(network, name, None) is not None:
            setattr(network, name, None)
    return network


# As a backbone


class VideoRegions(nn.Module):
    """The last hidden state of a video model's regions, without a class token, as maps: L frames of S² to
    (L / tubelet) × (S / patch)²."""

    def __init__(self, network: Any, model: VideoModel) -> None:
        super().__init__()
        self.network = network
        self.kind = model.kind
        self.side = model.size // model.patch

    def forward(self, clips: Float[Tensor, "N 3 L S S"]) -> Float[Tensor, "N F _ K K"]:
        frames_first = clips.transpose(1, 2)
        if self.kind == "vjepa2":
            tokens = self.network.get_vision_features(frames_first)
        else:
            tokens = self.network(frames_first).last_hidden_state
        if self.kind in ("timesformer", "vivit"):
            tokens = tokens[:, 1:]  # without the class token
        channels_first = tokens.transpose(1, 2)
        if self.kind == "timesformer":  # region by region, and of each all frames
            return channels_first.unflatten(2, (self.side, self.side, -1)).permute(0, 1, 4, 2, 3)
        return channels_first.unflatten(2, (-1, self.side, self.side))


def video_entry(model: VideoModel) -> BackboneEntry:
    """A video model as a backbone of clips."""
    return BackboneEntry(
        name=model.name,
        taps=("last_hidden_state",),
        build=partial(_built, model),
        takes="clip",
        gives="regions x time",
        in_channels=3,
        size=model.size,
        frames=model.num_frames,
        fixed_frames=model.kind != "vjepa2",  # whose places in time are rotations, of any number of frames
        at_size=partial(_only, model),
        mean=model.mean,
        deviation=model.deviation,
        weights=partial(_published_state, model),
        key_map=partial(_present_names, model),
        key_names="transformers'",
    )


def _built(model: VideoModel, tap: str, in_channels: int) -> Built:
    network: Any = random_video_network(model)
    width = int(network.config.hidden_size)
    return Built(VideoRegions(network, model), width, published_as="network")


def _published_state(model: VideoModel) -> dict[str, Tensor]:
    return dict(pretrained_video_network(model, classifier=False).state_dict())


def _present_names(model: VideoModel, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The plain network's weights; older names are brought to the present ones by transformers itself."""
    import torch

    plain = _without_head(model.kind, state)
    with torch.device("meta"):
        empty: Any = random_video_network(model)
    if empty.state_dict().keys() <= plain.keys():
        return plain
    given = {"config": empty.config, "state_dict": dict(state), "dtype": torch.float32}
    try:
        with _quiet():
            network, found = type(empty).from_pretrained(None, **given, output_loading_info=True)
    except Exception:  # of many kinds; what does not fit is told by the file's own names
        return plain
    renamed = dict(_without_rest(network).state_dict())
    is_whole = not (set(found["missing_keys"]) & renamed.keys() or found["mismatched_keys"])
    return renamed if is_whole else plain


def _without_head(kind: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The plain network's weights, of a file that holds it with a classifier or a decoder."""
    prefix = f"{kind}."
    if any(key.startswith(prefix) for key in state):
        state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return {key: value for key, value in state.items() if not key.startswith(_NOT_USED)}


def _only(model: VideoModel, asked: int) -> BackboneEntry:
    raise CallError(
        f"{model.name} looks at pictures of {model.size}×{model.size}, not of {asked}×{asked}; set "
        f"input.size to {model.size}, or leave it out"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """transformers says nothing, and draws no bar of the weights that it reads."""
    from transformers.utils import logging

    level, has_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if has_bar:
            logging.enable_progress_bar()
