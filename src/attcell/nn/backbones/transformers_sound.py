"""AST, the transformer for log-mel pictures of sound, as transformers has it: its files, and as a backbone.

Its weights are those of AudioSet in transformers' form, in a folder or at the Hub. It was made for pictures
of so many rows (AudioSet's: 1,024, which are 10.24 s) and has a learnt position for each patch; for fewer or
more rows these are brought to them as its authors do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attcell.errors import CallError, ModelError
from attcell.nn.backbones.entry import BackboneEntry, Built, SoundFigures
from attcell.nn.backbones.transformers_files import Published, settings_of, wrong_values_told
from attcell.nn.backbones.transformers_video import present_names, published_state, random_network

KIND = "audio-spectrogram-transformer"
# What AudioSet's pictures are seen with: (value - mean) / deviation
AST_MEAN, AST_DEVIATION = -4.2677393, 2 * 4.5689974
_POSITIONS = "embeddings.position_embeddings"
_NUM_TOKENS = 2  # of the class and of the distillation, before those of the patches


@dataclass(frozen=True)
class SoundModel(Published):
    """A model of transformers for sound.

    Attributes:
        bands: of its pictures.
        rows: of the pictures that it is to look at, 10 ms each.
        own_rows: of those that its weights are of.
        mean, deviation: its network sees (value - mean) / deviation.
        patch: the side of a patch, in bands and in rows.
        strides: bands, and rows, from one patch to the next.
    """

    bands: int
    rows: int
    own_rows: int
    mean: float
    deviation: float
    patch: int
    strides: tuple[int, int]

    def regions(self, rows: int) -> tuple[int, int]:
        """How many patches lie over time, and over frequency, of pictures of so many rows."""
        by_band, by_row = self.strides
        return (rows - self.patch) // by_row + 1, (self.bands - self.patch) // by_band + 1


def sound_model(name: str, config: Mapping[str, Any], preprocessing: Mapping[str, Any]) -> SoundModel:
    """What the two files of a model say; no other file is read, and no code but transformers' own is run.

    Args:
        name: as in a recipe.
        config: what ``config.json`` holds.
        preprocessing: what ``preprocessor_config.json`` holds, or the file that it has instead.

    Raises:
        CallError: transformers is not installed; no model for sound that is known here.
        ModelError: the files lack something, or contradict each other.
    """
    if config.get("model_type") != KIND:
        raise CallError(
            f"{name} is no model for sound that is known here: its config.json says model_type "
            f"{config.get('model_type')!r}; allowed: AST ({KIND})"
        )
    settings = settings_of(name, KIND, config)
    with wrong_values_told(name):
        return _sound_model(name, config, preprocessing, settings)


def _sound_model(
    name: str, config: Mapping[str, Any], preprocessing: Mapping[str, Any], settings: Any
) -> SoundModel:
    bands, rows = int(settings.num_mel_bins), int(settings.max_length)
    told = (int(preprocessing.get("num_mel_bins", 128)), int(preprocessing.get("max_length", 1024)))
    if told != (bands, rows):
        raise ModelError(
            f"{name}: its network looks at pictures of {rows} rows and {bands} bands, and its preprocessing "
            f"makes them of {told[1]} and {told[0]}; give a model whose config.json and "
            "preprocessor_config.json belong together"
        )
    rate = preprocessing.get("sampling_rate", 16_000)
    if rate != 16_000:
        raise ModelError(f"{name} hears sound of {rate} Hz, and here it has 16000; give a model of 16000 Hz")
    mean, deviation = 0.0, 1.0
    if preprocessing.get("do_normalize", True):
        mean = float(preprocessing.get("mean", AST_MEAN))
        deviation = 2 * float(preprocessing.get("std", AST_DEVIATION / 2))
    if deviation <= 0:
        raise ModelError(f"{name}: its preprocessing says std {deviation / 2:g}; copy the model anew")
    return SoundModel(
        name=name,
        config=config,
        preprocessing=preprocessing,
        kind=KIND,
        bands=bands,
        rows=rows,
        own_rows=rows,
        mean=mean,
        deviation=deviation,
        patch=int(settings.patch_size),
        strides=(int(settings.frequency_stride), int(settings.time_stride)),
    )


# As a backbone


class SoundRegions(nn.Module):
    """The last hidden state of AST's patches as a map: 1,024 rows of 128 bands to 101×12.

    Pictures come with AudioSet's mean and deviation, and are brought to those of the model.
    """

    def __init__(self, network: Any, model: SoundModel) -> None:
        super().__init__()
        self.network = network
        self.regions = model.regions(model.rows)
        self.scale = AST_DEVIATION / model.deviation
        self.offset = (AST_MEAN - model.mean) / model.deviation

    def forward(self, pictures: Float[Tensor, "N 1 T M"]) -> Float[Tensor, "N F R K"]:
        rows = pictures[:, 0]
        if (self.scale, self.offset) != (1, 0):
            rows = rows * self.scale + self.offset
        tokens = self.network(rows).last_hidden_state[:, _NUM_TOKENS:]
        over_time, over_frequency = self.regions
        return tokens.transpose(1, 2).unflatten(2, (over_frequency, over_time)).transpose(2, 3)


def sound_entry(model: SoundModel) -> BackboneEntry:
    """A model for sound as a backbone."""
    return BackboneEntry(
        name=model.name,
        taps=("last_hidden_state",),
        build=partial(_built, model),
        in_channels=1,
        weights=partial(published_state, model),
        key_map=partial(_weights, model),
        key_names="transformers'",
        sound=SoundFigures("ast", model.bands, model.rows),
        at_rows=partial(_at_rows, model),
    )


def _built(model: SoundModel, tap: str, in_channels: int) -> Built:
    sized = replace(model, config={**model.config, "max_length": model.rows})
    network: Any = random_network(sized)
    return Built(SoundRegions(network, model), int(network.config.hidden_size), published_as="network")


def _at_rows(model: SoundModel, rows: int) -> BackboneEntry:
    if rows < model.patch:
        raise CallError(
            f"{model.name} looks at patches of {model.patch} rows, 10 ms each, and the pictures have {rows}; "
            f"set audio.seconds to {model.patch / 100:g} at least"
        )
    return sound_entry(replace(model, rows=rows))


def _weights(model: SoundModel, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By the present names, with positions for the pictures that are to be looked at."""
    named = present_names(model, state)
    positions = named.get(_POSITIONS)
    (own, bands), (wanted, _) = model.regions(model.own_rows), model.regions(model.rows)
    if positions is not None and own != wanted and positions.shape[1] == own * bands + _NUM_TOKENS:
        named[_POSITIONS] = positions_for(positions, (own, bands), wanted)
    return named


def positions_for(
    positions: Float[Tensor, "1 own F"], regions: tuple[int, int], wanted: int
) -> Float[Tensor, "1 other F"]:
    """Learnt positions of patches, for so many over time as are wanted.

    They are the middle ones of those that there are; or where these are too few, they are interpolated (Gong
    et al., "AST", Interspeech 2021, in the authors' code).

    Args:
        positions: of the class, of the distillation, and of the patches, band by band.
        regions: how many of the patches lie over time, and over frequency.
        wanted: over time.
    """
    own, bands = regions
    tokens, patches = positions[:, :_NUM_TOKENS], positions[:, _NUM_TOKENS:]
    over = patches.transpose(1, 2).unflatten(2, (bands, own))  # (1, F, bands, time)
    if wanted <= own:
        first = own // 2 - wanted // 2
        over = over[..., first : first + wanted]
    else:
        over = nn.functional.interpolate(over, size=(bands, wanted), mode="bilinear")
    return torch.cat([tokens, over.flatten(2).transpose(1, 2)], dim=1)
