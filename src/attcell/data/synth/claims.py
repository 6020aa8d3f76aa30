"""Whose folder it is: a set of made videos goes to a new folder, or to one that the same call began."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attcell.data.synth.truth import FILE_NAME, read_truth
from attcell.errors import CallError, DataError
from attcell.files import write_text

_PARAMETERS = "parameters.json"  # written first: a folder that holds it, and not other values, can be resumed
_LEFT_OVER = "*/*/.*.tmp.mp4"  # what a killed run leaves behind


def clear_left_overs(out: Path) -> None:
    """Remove what a killed run left behind."""
    for left_over in out.glob(_LEFT_OVER):
        left_over.unlink()


def claim(out: Path, parameters: dict[str, Any]) -> None:
    """Make ``out`` ours, or refuse: it must be new, empty, or begun with the same parameters.

    Raises:
        CallError: it is something else.
    """
    if out.exists() and not out.is_dir():
        raise CallError(f"{out} is a file; name a new or empty folder")
    if not out.exists() or not any(out.iterdir()):
        write_text(out / _PARAMETERS, json.dumps(parameters) + "\n")
        return
    try:
        found = json.loads((out / _PARAMETERS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CallError(
            f"{out} is not empty and holds no generated set; name a new or empty folder"
        ) from None
    except (OSError, ValueError) as error:
        raise CallError(
            f"{out / _PARAMETERS} cannot be read ({error}); name a new or empty folder"
        ) from error
    if found != parameters:
        raise CallError(
            f"{out} holds another generated set ({_said(found)}) than the one asked for "
            f"({_said(parameters)}); name a new or empty folder, or delete that one"
        )


def _said(parameters: Any) -> str:
    if not isinstance(parameters, dict):
        return "unreadable parameters"
    return ", ".join(f"{key} {value}" for key, value in parameters.items())


def check_finished(out: Path, names: list[str]) -> None:
    """Raise a DataError if videos are missing from a finished set."""
    known = read_truth(out).videos
    missing = [name for name in names if name not in known or not (out / name).exists()]
    if missing:
        raise DataError(
            f"{out} is a finished set but {missing[0]} is missing (and {len(missing) - 1} more); "
            f"delete {out / FILE_NAME} and call again to write the missing ones"
        )
