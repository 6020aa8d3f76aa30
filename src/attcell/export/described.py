"""What an exported file says of its model: classes, recipe, and how near it is to the network it came from.

It is JSON under the name ``attcell``, in the properties of an ONNX file or beside a program of PyTorch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import attcell
from attcell._files import OTHER_VALUES, parsed_json
from attcell.config.recipe import Recipe, check_recipe
from attcell.errors import AttcellError, ModelError
from attcell.models.folder import python_paths

KEY = "attcell"
_FORMAT = 1  # raise it when a file is no longer read as it was written


@dataclass(frozen=True)
class Described:
    """What goes with the numbers.

    Attributes:
        labels: the classes, in the order of the logits.
        recipe: with the preprocessing and the segments.
        training: what is worth knowing of the training, in plain types.
        precision: float32, float16 or int8.
        parity: output → how far it is from the network's, as :mod:`attcell.export.parity` measures it.
    """

    labels: tuple[str, ...]
    recipe: Recipe
    training: dict[str, Any]
    precision: str
    parity: dict[str, float]

    def to_json(self) -> str:
        """As it stands in a file."""
        return json.dumps(
            {
                "format": _FORMAT,
                "attcell": attcell.__version__,
                "labels": list(self.labels),
                "recipe": self.recipe.model_dump(mode="json"),
                "training": self.training,
                "precision": self.precision,
                "parity": self.parity,
            }
        )


def parsed_description(text: str, file: str) -> Described:
    """What a file says, from :meth:`Described.to_json`.

    Raises:
        ModelError: another format, or damaged; or its recipe names code to import.
    """
    try:
        found = parsed_json(text.encode())
        if found["format"] != _FORMAT:
            raise ModelError(
                f"{file} has format {found['format']!r} of exported files, and this attcell reads {_FORMAT}; "
                "export the model again"
            )
        if modules := python_paths(found["recipe"]):
            raise ModelError(
                f"{file} names code, {', '.join(modules)}, and nothing is imported because a file says so; "
                "predict with the model folder, or run the file without attcell (docs/export.md)"
            )
        labels = tuple(str(label) for label in found["labels"])
        recipe = check_recipe(dict(found["recipe"]), file)
        training, parity = dict(found["training"]), dict(found["parity"])
        return Described(labels, recipe, training, str(found["precision"]), parity)
    except (AttcellError, *OTHER_VALUES) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{file} does not say what attcell exported ({error}); export it again") from error
