"""Paths: whether something is there, by what name, and whether a file can be written there."""

from __future__ import annotations

import os
import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from attcell._owners import MOST_BYTES
from attcell._urls import is_url
from attcell.errors import CallError

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg",
    ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".ts", ".vob", ".webm", ".wmv",
    ".y4m",
})
# fmt: on
_CUT_URL = re.compile("(s3|gs|hf|https?):/+", re.IGNORECASE)  # as Path has it, with one slash
SHOWN_SECONDS = 20.0  # until a shared disk shows a new file on other machines
_LOOK_SECONDS = 0.1
# Files with these suffixes are never written over by a file that an option names: most cannot be made again.
_KEPT_SUFFIXES = VIDEO_SUFFIXES | {".bin", ".ckpt", ".pt", ".pth", ".safetensors", ".yaml", ".yml"}

# Questions about a path that Path itself answers with an error where it cannot look: a name that is too long,
# a folder without permission, a disk that fails, links that lead in a circle.


def is_there(path: Path) -> bool:
    """Whether there is anything; False also where that cannot be told."""
    return _answer(path.exists)


def is_missing(path: Path) -> bool:
    """Whether there is nothing for certain; False where that cannot be told: opening it tells why."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def is_shown(path: Path, seconds: float) -> bool:
    """Whether there is what another machine has just made, as far as the disk shows it within this time."""
    end = time.monotonic() + seconds
    while not is_there(path):
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK_SECONDS)
        with suppress(OSError):
            list(path.parent.iterdir())  # some network disks look again only then
    return True


def is_folder(path: Path) -> bool:
    """Whether there is a folder; False also where that cannot be told. On a server what is named as a video
    is none: it would have to be asked about each time.
    """
    if is_url(path) and is_video_name(path):
        return False
    return _answer(path.is_dir)


def is_file(path: Path) -> bool:
    """Whether there is a file; False also where that cannot be told."""
    return _answer(path.is_file)


def _answer(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except (OSError, ValueError):  # of a zero byte in the name
        return False


def real_path(path: Path) -> Path:
    """The absolute path without links, as far as it can be followed."""
    if is_url(path):
        return path
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # of a zero byte in the name
        return path.absolute()


def absolute_text(video: str | Path) -> str:
    """A video's path from anywhere, as text; of one on a server its URL as people see it."""
    return str(video) if is_url(str(video)) else str(Path(video).absolute())


def composed(name: str) -> str:
    """The name in Unicode's composed form, as names are compared: some systems write é as two letters."""
    return unicodedata.normalize("NFC", name)


def in_other_form(path: Path) -> Path | None:
    """A path that is there and differs from this one in its Unicode form alone, composed or decomposed."""
    forms = (Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD"))
    return next((other for other in forms if str(other) != str(path) and is_there(other)), None)


def is_text(name: str) -> bool:
    """Whether a name is text; False where Python keeps bytes in it that are no UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def short_names(videos: Sequence[str]) -> list[str]:
    """The shortest ends of the paths, cut at folders, by which these videos differ.

    The same path twice keeps the same name twice.
    """
    paths = [[part for part in video.replace("\\", "/").split("/") if part] or [video] for video in videos]
    longest = max(map(len, paths))
    for length in range(1, longest + 1):
        names = ["/".join(path[-length:]) for path in paths]
        if len(set(names)) == len({tuple(path) for path in paths}):
            break
    return names


def is_video_name(path: Path) -> bool:
    """Whether the suffix is one that videos have."""
    return path.suffix.lower() in VIDEO_SUFFIXES


# Whether files can be written, asked before long work is done for them.


def check_outputs(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Check that all of these files can be written, and none over another or over one that is read.

    Raises:
        CallError: as :func:`check_output`, or the same file is named twice, or a video, weights or a recipe
            is there.
    """
    taken = [real_path(path) for path in inputs]
    for path in outputs:
        check_output(path)
        if real_path(path) in taken:
            raise CallError(f"{path} is named twice, and would be written over; name another file to write")
        if path.suffix.lower() in _KEPT_SUFFIXES and is_there(path):
            raise CallError(
                f"{path} is there already, and would be written over: a {path.suffix} file is not what is "
                "written here; name another file to write"
            )
        taken.append(real_path(path))


def refuse_device(path: Path) -> None:
    """Raise a CallError where ``path`` is a device or a pipe. A file that is renamed to ``/dev/null`` would
    take its place, for all programs of the machine.
    """
    is_special = is_there(path) and not is_file(path) and not is_folder(path)
    is_system = path.absolute().parts[1:2] in (("dev",), ("proc",), ("sys",)) and "shm" not in path.parts
    if is_special or is_system:
        raise CallError(
            f"{path} is a device or a pipe, and files are written beside their place; name a file"
        )


def check_output(path: Path, *, is_folder: bool = False) -> None:
    """Check that ``path`` can be written. Nothing is made.

    Raises:
        CallError: a folder is there where a file is to be written, or a file where a folder is; or the place
            may not be written, or the name is too long; or it is ``-``, which is stdout where stdout can be
            asked for.
    """
    if is_url(path) or _CUT_URL.match(str(path)):
        named = _CUT_URL.sub(r"\1://", str(path), count=1)
        raise CallError(f"{named}: this is written to local disks alone; name a local file or folder")
    if str(path) == "-":
        raise CallError("- is no file, and this cannot go to stdout; name a file or folder to write to")
    if path.suffix != ".jsonl":  # lines go to a pipe as they come
        refuse_device(path)
    length = len(os.fsencode(path.name))
    if length > MOST_BYTES:
        raise CallError(
            f"{path}: its name has {length} bytes, and a name may have {MOST_BYTES}; take a shorter one"
        )
    if is_there(path) and path.is_dir() != is_folder:
        there, wanted = ("folder", "file") if path.is_dir() else ("file", "folder")
        raise CallError(f"{path} is a {there}; name a {wanted} to write to")
    place = next(folder for folder in (path.absolute(), *path.absolute().parents) if is_there(folder))
    if is_file(place) and not is_there(path):
        raise CallError(f"{path} cannot be written, for {place} is a file; name another place")
    if not os.access(place, os.W_OK):
        raise CallError(f"{path} cannot be written: no permission in {place}; name another place")
