"""The formats of annotation tools, an entry each; and a file whose format is told by what is in it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from attcell._files import parsed_json
from attcell.annotation_tools import cvat, elan, fiftyone, label_studio, via, xml_files
from attcell.annotation_tools.records import Opened, Rates, Read, Wanted, merged
from attcell.choices import AnnotationTool
from attcell.errors import CallError, DataError

_MOST_BYTES = 1 << 30
_IN_ZIP = "annotations.xml"  # what CVAT packs


@dataclass(frozen=True)
class ToolFormat:
    """How one tool's files are written and read.

    Attributes:
        name: as it is chosen.
        suffix: of its files.
        write: writes what is wanted to a file; the files that it wrote.
        read: the videos of an opened file.
        tells: whether an opened file is one of the tool's.
        is_per_video: a file holds one video.
        needs_size: of the frames.
    """

    name: AnnotationTool
    suffix: str
    write: Callable[[Path, Wanted], list[Path]]
    read: Callable[[Opened, Rates], Read]
    tells: Callable[[Opened], bool]
    is_per_video: bool = False
    needs_size: bool = False


FORMATS: dict[AnnotationTool, ToolFormat] = {
    of.name: of
    for of in (
        ToolFormat("label-studio", ".json", label_studio.write, label_studio.read, label_studio.tells),
        ToolFormat("cvat", ".xml", cvat.write, cvat.read, cvat.tells, is_per_video=True, needs_size=True),
        ToolFormat("via", ".json", via.write, via.read, via.tells),
        ToolFormat("elan", ".eaf", elan.write, elan.read, elan.tells, is_per_video=True),
        ToolFormat("fiftyone", "", fiftyone.write, fiftyone.read, fiftyone.tells),
    )
}


def write_labels(out: Path, form: AnnotationTool, wanted: Wanted) -> list[Path]:
    """Write pre-labels; the files.

    Args:
        out: a file; of a format whose files hold one video a folder, where there are several videos.
        form: the format.
        wanted: what to write.

    Raises:
        CallError: what the format cannot tell, such as times in frames of a video whose rate nobody knows.
    """
    entry = FORMATS[form]
    if not entry.is_per_video or (len(wanted.videos) == 1 and out.suffix == entry.suffix):
        return entry.write(out, wanted)
    if out.suffix == entry.suffix or out.is_file():
        raise CallError(
            f"{form} has a file for each of the {len(wanted.videos)} videos; name a folder for them"
        )
    files = [out / f"{_file_name(video.video)}{entry.suffix}" for video in wanted.videos]
    twice = next((file for file in files if files.count(file) > 1), None)
    if twice is not None:
        raise CallError(f"two videos would be written to {twice}; rename one of them")
    for file, video in zip(files, wanted.videos, strict=True):
        entry.write(file, Wanted((video,), wanted.labels, wanted.prefix))
    return files


def _file_name(video: str) -> str:
    """A video's path as a file's name, without its suffix."""
    parts = [part for part in video.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    stem = parts[-1].rsplit(".", 1)[0] or parts[-1] if parts else "video"
    return "_".join([*parts[:-1], stem]).replace(":", "_")


def read_labels(source: Path, form: AnnotationTool | None, rates: Rates) -> Read:
    """The videos of a file of an annotation tool, or of all such files in a folder.

    Args:
        source: the file or folder.
        form: the format; by default what the file's content tells.
        rates: says the rates of videos whose times are frames.

    Raises:
        CallError: no such file, or nobody knows a video's rate.
        DataError: a file of none of the formats, or damaged.
    """
    if (source / fiftyone.FILE_NAME).is_file():
        files = [source / fiftyone.FILE_NAME]
    elif source.is_dir():
        suffixes = {entry.suffix for entry in FORMATS.values() if entry.suffix}
        files = sorted(path for path in source.iterdir() if path.suffix.lower() in suffixes)
        if not files:
            raise DataError(f"{source}: no file of an annotation tool in it ({' '.join(sorted(suffixes))})")
    else:
        files = [source]
    found = [_read(path, form, rates) for path in files]
    videos = tuple(merged(video for read in found for video in read.videos))
    return Read(videos, tuple(note for read in found for note in read.notes))


def _read(path: Path, form: AnnotationTool | None, rates: Rates) -> Read:
    opened = _opened(path)
    fitting = [entry for entry in FORMATS.values() if entry.tells(opened)]
    if form is not None and FORMATS[form] not in fitting:
        told = f"; it looks like one of {fitting[0].name}" if fitting else ""
        raise DataError(f"{path} is no file of {form}{told}; export it anew, or leave --format out")
    if not fitting:
        raise DataError(
            f"{path} is of none of the known formats ({', '.join(FORMATS)}); docs/annotation-tools.md says "
            "how each tool exports"
        )
    return fitting[0].read(opened, rates)


def _opened(path: Path) -> Opened:
    if not path.is_file():
        raise CallError(f"{path}: no such file; give what the annotation tool exported")
    content = path.read_bytes()
    if content.startswith(b"PK\x03\x04"):
        content = _unpacked(path)
    head = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if head == b"<":
        return Opened(path, xml_files.parse(path, content))
    if head in (b"{", b"["):
        try:
            return Opened(path, parsed_json(content))
        except ValueError as error:
            raise DataError(f"{path} is not JSON ({error}); export it anew") from error
    try:
        return Opened(path, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8 ({error.reason}); export it anew") from error


def _unpacked(path: Path) -> bytes:
    """The annotation in a ZIP, as CVAT packs it."""
    try:
        with zipfile.ZipFile(path) as packed:
            if _IN_ZIP not in packed.namelist():
                raise DataError(
                    f"{path} holds no {_IN_ZIP}; unpack it, and give the file with the annotation"
                )
            if packed.getinfo(_IN_ZIP).file_size > _MOST_BYTES:
                raise DataError(f"{path}: its {_IN_ZIP} is larger than {_MOST_BYTES >> 20} MiB; unpack it")
            return packed.read(_IN_ZIP)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise DataError(f"{path} is a damaged ZIP ({error}); export it anew") from error
