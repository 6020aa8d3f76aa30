"""Frames and flow on disk, in the layout that other tools write and read.

A video is a folder, or a ZIP file, of grey pictures ``flow_x_00001.jpg`` and ``flow_y_00001.jpg`` (codes 0 to
255 for flow of -bound to bound pixels) and, if wanted, ``img_00001.jpg``. Flow number n goes from frame n to
frame n + 1, so there is one flow fewer than there are frames. ``flow.json`` beside them says what they were
made by; files of other tools lack it, and are read as they are.

Files may come from strangers. Nothing of a ZIP file is unpacked to the disk, and no more of one file than
``_MOST_BYTES``; only JPEG and PNG are read as pictures, for Pillow starts other programs for some others.
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from attcell._files import parsed_json, written_whole
from attcell._owners import remove, temporary_in
from attcell._urls import is_url
from attcell.errors import DataError

DESCRIPTION = "flow.json"
FLOW_FORMAT = 1  # raise it when flow.json, or what the files hold, changes
_NAME = re.compile(r"(flow_x|flow_y|img)_(?:p(\d+)_)?(\d{1,12})\.(?:jpg|jpeg|png)")
_FORMATS = ("JPEG", "PNG")
_QUALITY = 95
_MOST_BYTES = 1 << 28  # of one file of a ZIP file; a grey picture of 16384 × 16384 without compression
_IN_THE_WAY = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}


class Target(Protocol):
    """Where the files of one video go."""

    def write(self, name: str, content: bytes) -> None: ...


@contextmanager
def new_flow_folder(folder: Path) -> Iterator[Target]:
    """A folder that appears only when it is complete; one that is there already is replaced."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_in(folder.parent, folder.name)
    try:
        temporary.mkdir()
        yield _Folder(temporary)
        _put(temporary, folder)
    except OSError as error:
        if error.filename is None or str(error.filename).startswith(str(temporary)):
            raise OSError(error.errno, error.strerror or str(error), str(folder)) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put(temporary: Path, folder: Path) -> None:
    """Rename ``temporary`` to ``folder``. A folder of that name is renamed first and then removed, so that
    another process, which may read it or write its own, never sees half of one.
    """
    while True:
        try:
            temporary.rename(folder)
            return
        except OSError as error:
            is_in_the_way = error.errno in _IN_THE_WAY and (folder.is_dir() or folder.is_symlink())
            if not is_in_the_way:
                raise
        old = temporary_in(folder.parent, folder.name)
        with suppress(FileNotFoundError):
            folder.rename(old)
        remove(old)


@contextmanager
def new_flow_zip(path: Path) -> Iterator[Target]:
    """A ZIP file that appears only when it is complete; one that is there already is replaced."""
    with written_whole(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        yield _Zip(archive)


@dataclass(frozen=True)
class _Folder:
    folder: Path

    def write(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)


@dataclass(frozen=True)
class _Zip:
    archive: zipfile.ZipFile

    def write(self, name: str, content: bytes) -> None:
        self.archive.writestr(name, content)


def jpeg(picture: np.ndarray) -> bytes:
    """A grey (H, W) or RGB (H, W, 3) picture, uint8, as the content of a file."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=_QUALITY)
    return content.getvalue()


@dataclass(frozen=True)
class FlowFiles:
    """The flow of one video on disk.

    Attributes:
        path: the folder or the ZIP file.
        description: what ``flow.json`` says, or None for the files of another tool.
        first_number: the number of the first flow, 0 or 1.
        num_fields: how many fields there are.
    """

    path: Path
    description: dict[str, Any] | None
    first_number: int
    num_fields: int
    _names: dict[tuple[str, int], str]

    @property
    def identity(self) -> str:
        """What it was made by; where it does not say, where it lies."""
        return str(self.path) if self.description is None else json.dumps(self.description, sort_keys=True)

    def read(self, indices: list[int]) -> Tensor:
        """Fields by their index from 0 -> codes (n, 2, H, W) uint8.

        Raises:
            DataError: an index that is not there, a file that cannot be read, fields of different sizes.
        """
        outside = [index for index in indices if not 0 <= index < self.num_fields]
        if outside:
            raise DataError(
                f"{self.path} has {self.num_fields} flow fields, counted from 0; there is no {outside[0]}"
            )
        try:
            with _opened(self.path) as content_of:
                pictures = [
                    self._picture(content_of, f"flow_{axis}", index) for index in indices for axis in "xy"
                ]
        except DataError:
            raise
        except Exception as error:  # zipfile raises errors of many kinds for a damaged file
            raise DataError(f"{self.path} cannot be opened ({error}); compute the flow again") from error
        sizes = sorted({picture.shape for picture in pictures})
        if len(sizes) > 1:
            raise DataError(
                f"{self.path} holds flow of several sizes (height, width): {sizes}; compute it again"
            )
        if not pictures:
            return torch.empty(0, 2, 0, 0, dtype=torch.uint8)
        return torch.from_numpy(np.stack(pictures)).unflatten(0, (-1, 2))

    def _picture(self, content_of: Callable[[str], bytes], kind: str, index: int) -> np.ndarray:
        name = self._names[kind, index + self.first_number]
        try:
            content = io.BytesIO(content_of(name))
            with warnings.catch_warnings(action="ignore"), Image.open(content, formats=_FORMATS) as picture:
                return np.asarray(picture.convert("L"))
        except Exception as error:  # zipfile and Pillow raise errors of many kinds
            reason = "it is no picture" if isinstance(error, UnidentifiedImageError) else error
            raise DataError(
                f"{self.path}: {name} cannot be read ({reason}); compute the flow again"
            ) from error


def open_flow(path: Path) -> FlowFiles:
    """Look what a folder or a ZIP file holds: whose numbering, how many fields, whether any is missing.

    Raises:
        DataError: no flow there, gaps (named), x without y, numbers that do not begin at 0 or 1, or flow
            between frames that are not neighbours (``flow_x_p2_00001.jpg``).
    """
    found: dict[tuple[str, int], str] = {}
    for name in _listed(path):
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        kind, step, number = match.groups()
        if step not in (None, "1"):
            raise DataError(
                f"{path}: {name} is flow over {step} frames; allowed: flow between neighbours, as in "
                "flow_x_00001.jpg"
            )
        if (kind, int(number)) in found:
            raise DataError(
                f"{path}: {found[kind, int(number)]} and {name} have one number; keep those of one tool"
            )
        found[kind, int(number)] = name
    numbers = sorted(number for kind, number in found if kind == "flow_x")
    if not numbers:
        raise DataError(
            f"{path}: no flow_x_00001.jpg or alike in it; name the folder or the ZIP file of one video"
        )
    if numbers[0] not in (0, 1):
        raise DataError(f"{path}: the first flow is number {numbers[0]}; allowed: 0 or 1. Are files missing?")
    expected = range(numbers[0], max(number for kind, number in found if kind != "img") + 1)
    gaps = (f"flow_{a}_{n:05d}" for n in expected for a in "xy" if (f"flow_{a}", n) not in found)
    if first := list(islice(gaps, 5)):
        num_gaps = 2 * (expected.stop - expected.start) - sum(kind != "img" for kind, _ in found)
        more = f" and {num_gaps - 5} more" if num_gaps > 5 else ""
        raise DataError(f"{path}: flow is missing: {', '.join(first)}{more}; compute it again")
    description = read_description(path)
    for kind, here in (("fields", len(numbers)), ("frames", sum(name == "img" for name, _ in found))):
        promised = (description or {}).get(f"num_{kind}", here)
        if here != promised and (here or kind == "fields"):  # frames need not be kept
            raise DataError(
                f"{path}: {DESCRIPTION} promises {promised} {kind}, and {here} are there; compute it again"
            )
    return FlowFiles(path, description, numbers[0], len(numbers), found)


def holds_flow(folder: Path) -> bool:
    """Whether a folder has a file that is named as flow."""
    return any(path.name.startswith("flow_") and _NAME.fullmatch(path.name) for path in folder.iterdir())


def read_description(path: Path) -> dict[str, Any] | None:
    """What ``flow.json`` says, or None where there is none.

    Raises:
        DataError: it is damaged.
    """
    try:
        with _opened(path) as content_of:
            content = parsed_json(content_of(DESCRIPTION))
    except (FileNotFoundError, KeyError):
        return None
    except Exception as error:  # zipfile raises errors of many kinds; and it may be no JSON
        raise DataError(f"{path}: {DESCRIPTION} cannot be read ({error}); compute the flow again") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: {DESCRIPTION} holds no description of flow; compute the flow again")
    return content


def _listed(path: Path) -> list[str]:
    try:
        if path.is_dir():
            return os.listdir(path)  # noqa: PTH208 (a Path of each of many files takes long)
        with _archive(path) as archive:
            return archive.namelist()
    except Exception as error:  # zipfile raises errors of many kinds
        raise DataError(f"{path}: not a folder or a ZIP file of flow ({error})") from error


def _archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path.open("rb") if is_url(path) else path)


@contextmanager
def _opened(path: Path) -> Iterator[Callable[[str], bytes]]:
    """From a name to a file's content. A ZIP file's directory is long, so it is read once, not for each."""
    if path.is_dir():
        yield lambda name: (path / name).read_bytes()
        return
    with _archive(path) as archive:

        def content_of(name: str) -> bytes:
            size = archive.getinfo(name).file_size
            if size > _MOST_BYTES:
                raise OSError(f"it unpacks to {size >> 20} MiB, and at most {_MOST_BYTES >> 20} are read")
            return archive.read(name)

        yield content_of
