"""The Hugging Face hub: a model's files from there, and the page that it shows of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attcell.config.recipe import Recipe
from attcell.errors import CallError


def downloaded(name: str, files: list[str], options: dict[str, Any]) -> Path:
    """The folder with a model's files from the Hugging Face hub.

    Raises:
        CallError: no such model, or none that can be reached.
    """
    import huggingface_hub
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=files, **options))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        if isinstance(error, HFValidationError):
            why = "it is no id of the form OWNER/NAME"
        elif isinstance(error, RepositoryNotFoundError):
            why = "it has no public model of this name; a private one wants `hf auth login`"
        elif isinstance(error, LocalEntryNotFoundError) or not isinstance(error, HfHubHTTPError):
            why = "it cannot be reached, and no copy is on this machine"
        else:
            why = str(error).splitlines()[0]
        raise CallError(
            f"no model folder at {name}, and the Hugging Face hub gives none by this id: {why}"
        ) from error


def card(name: str, recipe: Recipe, num_classes: int) -> str:
    """The page that the hub shows of a model."""
    return (
        "---\nlibrary_name: attcell\ntags:\n- video-classification\n---\n\n"
        f"A {recipe.model.kind} network of {', '.join(recipe.model.streams)} for "
        f"{num_classes} classes. It shows where and when the evidence of a video is.\n\n"
        f"```python\nimport attcell\n\nmodel = attcell.load({name!r})\n"
        'prediction = model.predict("clip.mp4")\n```\n'
    )
