"""Before long work: can a recipe's pictures of sound be made, and do its backbones give a map of them?"""

from __future__ import annotations

import json
from functools import cache

import torch

from attcell.config.backbones import stream_entry
from attcell.config.recipe import Recipe
from attcell.errors import CallError
from attcell.models.build import input_spec
from attcell.nn.backbones import BackboneEntry, build_backbone
from attcell.video.modalities import modality
from attcell.video.sound.log_mel import LogMel, log_mel, mel_filters
from attcell.video.sound.reading import RATE

_BREAKS = (RuntimeError, ValueError, AssertionError, IndexError, ZeroDivisionError)  # of others' code


def refuse_unfit_sound(recipe: Recipe) -> None:
    """Raise a CallError if the audio section asks for pictures that cannot be made, or that a backbone of a
    stream of sound gives no map of; both are tried on a moment of silence."""
    spec = input_spec(recipe)
    for name in spec.hearing:
        section, entry = recipe.model.streams[name], modality(name)
        try:
            _refuse_unfit_pictures(spec.audio.log_mel)
            files = None if section.files is None else json.dumps(section.files)
            _refuse_no_map(section.backbone, section.tap, files, entry.channels(spec), entry.shape(spec))
        except CallError as error:
            raise CallError(f"model.streams.{name}: {error}") from error


@cache
def _refuse_unfit_pictures(spec: LogMel) -> None:
    mel_filters(spec)
    if spec.num_samples < spec.window:
        raise CallError(
            f"audio.seconds gives {spec.window_seconds:.2g} s of sound, less than one window of "
            f"{1000 * spec.window / RATE:g} ms; set a larger audio.seconds, or a smaller audio.window_ms"
        )
    try:
        log_mel(torch.zeros(1, spec.num_samples), spec)
    except _BREAKS as error:
        raise CallError(
            f"the audio section {spec} gives no picture ({error}); leave out what it sets"
        ) from error


@cache
def _refuse_no_map(
    backbone: str, tap: str | None, files: str | None, channels: int, shape: tuple[int, int]
) -> None:
    """Raise a CallError if a backbone has no map of pictures (1, channels, F, M), or one without a region."""
    entry: BackboneEntry = stream_entry(backbone, None if files is None else json.loads(files))
    entry = entry if entry.at_rows is None else entry.at_rows(shape[0])
    network = build_backbone(entry, tap, channels).eval()
    why = "its map has no region"
    try:
        with torch.inference_mode():
            if network(torch.zeros(1, channels, *shape)).numel():
                return
    except _BREAKS as error:
        why = str(error).partition("\n")[0]
    raise CallError(
        f"{entry.name} cannot look at pictures of {shape[0]} rows of time and {shape[1]} bands, which "
        f"audio.seconds, audio.hop_ms and audio.bands make ({why}); set them larger, or take another backbone"
    )
