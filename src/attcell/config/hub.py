"""A model in transformers' form, in a folder or at the Hub: its two small files, read and not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attcell._files import read_json
from attcell.errors import CallError, ModelError
from attcell.nn.backbones.transformers_files import VideoModel, video_model
from attcell.nn.backbones.transformers_sound import KIND, SoundModel, sound_model

CONFIG = "config.json"
# The first of them that a model has says how frames become its input, in this order, as in transformers.
_NESTED = ("video_processor", "image_processor", "feature_extractor")
PREPROCESSING = ("processor_config.json", "video_preprocessor_config.json", "preprocessor_config.json")


def is_hub_name(name: str) -> bool:
    """Whether a backbone's or a model's name is of this kind: ``hf/OWNER/NAME``, or a folder with such a
    model."""
    return name.startswith("hf/") or is_hub_folder(Path(name))


def is_hub_folder(folder: Path) -> bool:
    """Whether a folder holds a model in transformers' form, and not one of attcell."""
    try:
        if not (folder / CONFIG).is_file():
            return False
        return "model_type" in read_json(folder / CONFIG)
    except (OSError, ValueError, TypeError):
        return False  # damaged: whoever reads it as a model of attcell tells


def read_video_model(name: str) -> VideoModel:
    """What a video model's own files say: its size, mean and deviation, its number of frames, its classes.

    Only ``config.json`` and one file of preprocessing are read, or downloaded; weights are not.

    Args:
        name: ``hf/OWNER/NAME``, or a folder.

    Raises:
        CallError: no such model, no video model, one that needs code of its own, or no transformers here.
        ModelError: it cannot be downloaded, or its files are damaged, lack something or contradict each
            other.
    """
    return video_model(name, *_read_files(name))


def read_model(name: str) -> VideoModel | SoundModel:
    """The same of a model for video or for sound, whichever its files say that it is."""
    config, preprocessing = _read_files(name)
    return made_of(name, config, preprocessing)


def made_of(name: str, config: dict[str, Any], preprocessing: dict[str, Any]) -> VideoModel | SoundModel:
    """The model that such files are of.

    Raises:
        CallError, ModelError: as of :func:`read_video_model`.
    """
    make = sound_model if config.get("model_type") == KIND else video_model
    return make(name, config, preprocessing)


def _read_files(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What its ``config.json`` and its file of preprocessing hold."""
    if name.startswith("hf/") and len(name.split("/")) != 3:
        raise CallError(f"{name!r} is no name at the Hub; allowed: hf/OWNER/NAME, or a folder")
    config = _read(name, CONFIG)
    if config is None:
        raise CallError(f"{name} is no model of transformers: it holds no {CONFIG}")
    for file in PREPROCESSING:
        found = _read(name, file)
        if found is not None and file == PREPROCESSING[0]:  # what it holds is nested, or of something else
            found = next((found[key] for key in _NESTED if found.get(key)), None)
        if isinstance(found, dict):
            return config, found
    become = "sound becomes" if config.get("model_type") == KIND else "frames become"
    raise ModelError(
        f"{name} does not say how {become} its input: it has none of {', '.join(PREPROCESSING)}. Save the "
        "model's processor beside it: processor.save_pretrained(folder)"
    )


def _read(name: str, file: str) -> dict[str, Any] | None:
    """The content of one of its files; None where it has no such file."""
    path = _of_hub(name, file) if name.startswith("hf/") else Path(name) / file
    if path is None or not path.is_file():
        return None
    try:
        content = read_json(path)
    except ValueError as error:
        raise ModelError(f"{path} is not JSON ({error}); copy or download it anew") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no keys and values; copy or download it anew")
    return content


def _of_hub(name: str, file: str) -> Path | None:
    """Where a file of the Hub lies on this machine, now or since long; None where the model has none."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    repository = name.removeprefix("hf/")
    try:
        return Path(hf_hub_download(repository, file))
    except LocalEntryNotFoundError as error:  # no network, and not here either
        if file != CONFIG:
            return None
        raise ModelError(
            f"{name} is not on this machine, and the Hub cannot be reached. Where there is a network: hf "
            f"download {repository}; or give a folder that holds the model"
        ) from error
    except EntryNotFoundError:
        return None
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise CallError(
            f"the Hub has no model {repository}, or none that may be seen; look for its name at "
            f"https://huggingface.co/models, or sign in first: hf auth login"
        ) from error
    except OSError as error:
        raise ModelError(
            f"{name}: {file} could not be downloaded ({error}). Try again; or where there is a network: hf "
            f"download {repository}"
        ) from error
