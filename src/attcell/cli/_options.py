"""What the commands' options may be, where more than one command has them or they are a choice of words.

Nothing heavy is imported here, so that ``--help`` answers at once.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Motions(StrEnum):
    """The motions of generated videos."""

    postures = "postures"
    paths = "paths"


class Kind(StrEnum):
    """The kinds of generated videos."""

    trimmed = "trimmed"
    untrimmed = "untrimmed"


class Split(StrEnum):
    """The parts of a data set that a recipe names."""

    train = "train"
    val = "val"
    test = "test"


class Crops(IntEnum):
    """How many crops of each frame are looked at."""

    one = 1
    ten = 10


ListRoot = Annotated[Path | None, typer.Option(help="What a list's paths are relative to.")]
NumSegments = Annotated[int | None, typer.Option(min=1, help="T; by default the recipe's.")]
RecipeName = Annotated[str, typer.Argument(help="A recipe in YAML, or a packaged one's name.")]
Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")]
Row = Annotated[str | None, typer.Option(help="Of a recipe that is a table: which row.")]
