"""The way of a command through the house: its files in the order in which they are first entered.

``python -m benchmarks.ways predict clip.mp4 --model runs/mine/model`` runs the command in this process, and
prints the files, a line for each stretch in one folder, and how often the folder changes.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import attcell
from attcell.cli.app import main

ROOT = Path(attcell.__file__).parent
IS_A_FUNCTION = 0x2  # of a code object's flags; what runs at an import is none


def entered(arguments: list[str]) -> list[Path]:
    """The files of attcell whose functions a command calls, in the order of the first call."""
    found: dict[str, None] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        is_new = event == "call" and code.co_flags & IS_A_FUNCTION and code.co_filename not in found
        if is_new and not is_imported(frame):
            found[code.co_filename] = None

    before = sys.argv
    sys.argv = ["attcell", *arguments]
    sys.setprofile(note)
    threading.setprofile(note)
    try:
        main()
    except SystemExit:
        pass
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        sys.argv = before
    paths = [Path(name) for name in found]
    return [path.relative_to(ROOT) for path in paths if ROOT in path.parents and path.name != "__init__.py"]


def is_imported(frame: FrameType | None) -> bool:
    """Whether a file of attcell is being imported: what runs then is no step of the way."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(str(ROOT)):
            return True
        frame = frame.f_back
    return False


def stretches(files: list[Path]) -> list[tuple[str, list[str]]]:
    """The files, those of one folder that follow each other together. Files at the root lie in every way."""
    found: list[tuple[str, list[str]]] = []
    for file in files:
        if len(file.parts) == 1:
            continue
        if not found or found[-1][0] != file.parts[0]:
            found.append((file.parts[0], []))
        found[-1][1].append("/".join(file.parts[1:]))
    return found


if __name__ == "__main__":
    way = stretches(entered(sys.argv[1:]))
    print(f"{sum(len(files) for _, files in way)} files, {len(way) - 1} changes of folder", file=sys.stderr)
    for folder, files in way:
        print(f"{folder + '/':12} {', '.join(files)}", file=sys.stderr)
