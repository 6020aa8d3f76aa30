"""transformers' models as networks, with random or published weights, and those of video as backbones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from attcell.errors import CallError, ModelError
from attcell.nn.backbones.entry import BackboneEntry, Built
from attcell.nn.backbones.transformers_files import Published, VideoModel, settings_of

# Parts of a kind's plain network that videos' regions do not come from; its published files may lack them.
_NOT_USED = ("predictor.", "pooler.")


def random_network(model: Published) -> nn.Module:
    """The plain network, without a classifier, with random weights: what regions are taken from."""
    from transformers import AutoModel

    with _quiet():
        network = AutoModel.from_config(settings_of(model.name, model.kind, model.config))
    return _without_rest(network.float())


def pretrained_network(model: Published, *, classifier: bool) -> nn.Module:
    """The network with its published weights, in test mode; they are downloaded where they are not here.

    Args:
        model: of :mod:`attcell.config.hub`.
        classifier: of a video model: with its ``…ForVideoClassification``; or the plain network.

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
                config=settings_of(model.name, model.kind, model.config),
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


def _not_loaded(model: Published, error: Exception) -> str:
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
        weights=partial(published_state, model),
        key_map=partial(present_names, model),
        key_names="transformers'",
    )


def _built(model: VideoModel, tap: str, in_channels: int) -> Built:
    network: Any = random_network(model)
    width = int(network.config.hidden_size)
    return Built(VideoRegions(network, model), width, published_as="network")


def published_state(model: Published) -> dict[str, Tensor]:
    """The plain network's published weights.

    Raises:
        ModelError: as of :func:`pretrained_network`.
    """
    return dict(pretrained_network(model, classifier=False).state_dict())


def present_names(model: Published, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The plain network's weights; older names are brought to the present ones by transformers itself."""
    import torch

    plain = _without_head(model.kind, state)
    with torch.device("meta"):
        empty: Any = random_network(model)
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
    prefix = kind.replace("-", "_") + "."
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
