"""Writing to disk: whole or not at all."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attcell._owners import MOST_BYTES, lock, temporary_in
from attcell.errors import CallError, DataError

_MOST_LEVELS = 100  # of JSON; what is read here has ten
# What goes wrong where a value in a file is of another kind than it should be, or no number holds it.
OTHER_VALUES = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)

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


def is_folder(path: Path) -> bool:
    """Whether there is a folder; False also where that cannot be told."""
    return _answer(path.is_dir)


def is_file(path: Path) -> bool:
    """Whether there is a file; False also where that cannot be told."""
    return _answer(path.is_file)


def _answer(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except (OSError, ValueError):  # a name may hold what no name may
        return False


def real_path(path: Path) -> Path:
    """The absolute path without links, as far as it can be followed."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # a name may hold what no name may
        return path.absolute()


def composed(name: str) -> str:
    """The name in Unicode's composed form, as names are compared: some systems write é as two letters."""
    return unicodedata.normalize("NFC", name)


def in_other_form(path: Path) -> Path | None:
    """A path that is there and differs from this one in its Unicode form alone, composed or decomposed."""
    forms = (Path(unicodedata.normalize(form, str(path))) for form in ("NFC", "NFD"))
    return next((other for other in forms if str(other) != str(path) and is_there(other)), None)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; it becomes ``path`` only if nothing went wrong.

    The temporary name keeps the suffix, for libraries that choose a format by it. Parent folders are made.
    On an error or an interruption the temporary file is removed and ``path`` stays as it was; an OSError, as
    of a full disk, names ``path``.
    """
    refuse_device(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_in(path.parent, path.stem, path.suffix)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # else a power cut could leave the new name with nothing in it
        temporary.replace(path)
    except OSError as error:
        if error.filename in (None, str(temporary)):  # a new one, for PyAV's let nothing be set
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise
    finally:
        with suppress(OSError):  # also where a disk became read-only; then a later process removes it
            temporary.unlink()


class Lines:
    """A file of lines: each goes to the disk at once, whole or not at all. What was there is replaced.

    An OSError, as of a full disk, names the file.

    Raises:
        CallError: another process writes lines there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._length = 0  # in bytes
        self._file = path.open("ab", buffering=0)
        try:
            lock(self._file.fileno(), path)
        except CallError:
            self._file.close()
            raise
        self._cut()

    def add(self, line: str) -> None:
        """One more, without its end."""
        content = f"{line}\n".encode("utf-8", "surrogateescape")
        done = 0
        try:
            while done < len(content):
                done += self._file.write(content[done:]) or 0
        except OSError as error:
            self._cut()
            raise OSError(error.errno, error.strerror, str(self._path)) from error
        self._length += len(content)

    def _cut(self) -> None:
        with suppress(OSError):  # a pipe
            self._file.truncate(self._length)

    def close(self) -> None:
        """Nothing more comes."""
        self._file.close()


def read_json(path: Path, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """What stands in a file of JSON in UTF-8, with or without a byte order mark.

    Args:
        path: the file.
        pairs: makes each object, in place of a dict, of its names and values.

    Raises:
        OSError: it is not there, or cannot be read.
        ValueError: it is no JSON, no UTF-8, or nested too deeply.
    """
    return parsed_json(path.read_bytes(), pairs)


def parsed_json(text: str | bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """The same of a text; its errors are ValueErrors, too deep a nesting included."""
    too_deep = json.JSONDecodeError(f"Nested too deeply, more than {_MOST_LEVELS} levels", "", 0)
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        content = json.loads(text, object_pairs_hook=pairs)
    except RecursionError as error:
        raise too_deep from error
    if _is_deep(content):
        raise too_deep
    return content


def _is_deep(content: Any) -> bool:
    """Whether a value is nested so deeply that whoever goes through it might not come to its end."""
    level = [content]
    for _ in range(_MOST_LEVELS):
        inside = (of.values() if isinstance(of, dict) else of for of in level if isinstance(of, dict | list))
        level = [value for values in inside for value in values if type(value) in (dict, list)]
        if not level:
            return False
    return True


def read_own(path: Path, *parts: str) -> dict[str, Any]:
    """What stands in a JSON object that attcell wrote for itself, to go on from.

    Args:
        path: the file.
        parts: keys whose values are objects; an empty one where there is no such key.

    Raises:
        DataError: it is damaged.
    """
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}); delete it and run the same again") from error
    if not isinstance(content, dict) or any(not isinstance(content.get(key, {}), dict) for key in parts):
        raise DataError(f"{path} is damaged (it holds something else); delete it and run the same again")
    return {**{key: {} for key in parts}, **content}


def is_text(name: str) -> bool:
    """Whether a name is text; False where Python keeps bytes in it that are no UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def read_names(path: Path, newline: str | None = None) -> str:
    """The text of a file that names files, with or without a byte order mark: in UTF-8, and bytes that are
    none, as a file's name may hold, as Python keeps them. It is what :func:`write_text` writes.

    Args:
        path: the file.
        newline: as of ``open``; "" leaves the ends of lines as they are, for CSV.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is no text: it holds zero bytes.
    """
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline=newline) as file:
        text = file.read()
    if "\0" in text:
        raise UnicodeDecodeError("utf-8", b"\0", 0, 1, "a zero byte")
    return text


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to ``path``, whole or not at all; a file's name that is no UTF-8 goes as its bytes."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")


def write_json(path: str, content: object) -> None:
    """Write JSON to the file ``path``, whole or not at all; to stdout where ``path`` is a dash."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    if path == "-":
        sys.stdout.write(text)
    else:
        write_text(Path(path), text)


def check_outputs(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Look whether all of these files can be written, and none over another or over what is read.

    Raises:
        CallError: as :func:`check_output`, or the same file is named twice.
    """
    taken = [real_path(path) for path in inputs]
    for path in outputs:
        check_output(path)
        if real_path(path) in taken:
            raise CallError(f"{path} is named twice, and would be written over; name another file to write")
        taken.append(real_path(path))


def refuse_device(path: Path) -> None:
    """Raise a CallError for what is no file on a disk: where one may write there, ``/dev/null`` would become
    a file for everybody.
    """
    is_special = is_there(path) and not is_file(path) and not is_folder(path)
    is_system = path.absolute().parts[1:2] in (("dev",), ("proc",), ("sys",)) and "shm" not in path.parts
    if is_special or is_system:
        raise CallError(
            f"{path} is a device or a pipe, and files are written beside their place; name a file"
        )


def check_output(path: Path, *, is_folder: bool = False) -> None:
    """Look whether ``path`` can be written, before long work is done for it. Nothing is made.

    Raises:
        CallError: a folder is there where a file is to be written, or a file where a folder is; or the place
            may not be written, or the name is too long; or it is ``-``, which is stdout where stdout can be
            asked for.
    """
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


def short_names(videos: Sequence[str]) -> list[str]:
    """The shortest ends of the paths, cut at folders, that tell the videos of a page apart.

    The same path twice keeps the same name twice.
    """
    paths = [[part for part in video.replace("\\", "/").split("/") if part] or [video] for video in videos]
    longest = max(map(len, paths))
    for length in range(1, longest + 1):
        names = ["/".join(path[-length:]) for path in paths]
        if len(set(names)) == len({tuple(path) for path in paths}):
            break
    return names
