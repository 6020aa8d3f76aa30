"""The videos that a command is given: files, URLs, folders of them, patterns, lists, and stdin."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import has_magic, iglob
from pathlib import Path
from tempfile import TemporaryDirectory

from attcell._log import logger
from attcell._paths import is_file, is_folder, is_there, is_video_name
from attcell._urls import is_url, path_or_url
from attcell.errors import CallError, DataError

LIST_SUFFIX = ".txt"
STDIN = Path("-")


@contextmanager
def all_videos(given: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """The videos that are meant, in the order given, each once; meanwhile what came by stdin lies in a file.

    Args:
        given: video files, URLs, folders of frames, and files of features stand for themselves. A folder of
            videos stands for all below it, a pattern such as ``"clips/**/*.mp4"`` for what it fits, a .txt
            for the paths in its lines, and - for a video whose bytes come by stdin.

    Raises:
        CallError: a pattern or a list names nothing, or stdin is asked for twice.
        DataError: a list cannot be read, or stdin is empty.
    """
    if given.count(STDIN) > 1:
        raise CallError("- is given twice, and stdin is one video; give it once")
    with TemporaryDirectory(prefix="attcell-") as folder:
        found: dict[Path, None] = {}
        for one in given:
            videos = [_from_stdin(Path(folder))] if one == STDIN else _meant_by(one)
            found.update(dict.fromkeys(videos))
        yield tuple(found)


def _meant_by(one: Path) -> list[Path]:
    if is_folder(one) and not _is_video(one):
        return _below(one)
    if one.suffix.lower() == LIST_SUFFIX and not is_url(one) and is_file(one):
        return _listed(one)
    if not is_url(one) and has_magic(str(one)) and not is_there(one):
        return _fitting(str(one))
    return [one]


def _is_video(folder: Path) -> bool:
    """Whether a folder's frames make it a video; one that may not be looked into is one that is refused."""
    from attcell.video.frame_folder import holds_frames

    try:
        return holds_frames(folder)
    except OSError:
        return True


def _below(folder: Path) -> list[Path]:
    from attcell.data.sources import videos_or_features, walk

    files, closed = walk(folder)
    videos = sorted(
        [*videos_or_features(files), *closed]
    )  # what may not be looked into is told of as it comes
    if not videos:
        return [folder]  # which is refused as any video that cannot be read, while the others go on
    others = len(files) + len(closed) - len(videos)
    left_out = f", {others} other files are left out" if others else ""
    logger.info(f"{folder}: {len(videos)} videos{left_out}")
    return videos


def _fitting(pattern: str) -> list[Path]:
    found = sorted(map(Path, iglob(pattern, recursive=True)))  # noqa: PTH207 it may be absolute
    videos = [path for path in found if is_folder(path) or is_video_name(path) or path.suffix == ".npy"]
    if not videos:
        other = f" but {len(found)} files that are no videos" if found else ""
        raise CallError(f"{pattern} fits no file{other}; give a pattern that fits videos, or their names")
    return videos


def _listed(source: Path) -> list[Path]:
    try:
        lines = source.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{source}: cannot be read as a list ({error}); give a text of a path a line"
        ) from error
    names = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not names:
        raise CallError(f"{source} names no video; give a list with a path or a URL in each line")
    paths = [path_or_url(name) for name in names]
    return [path if is_url(path) or path.is_absolute() else source.parent / path for path in paths]


def _from_stdin(folder: Path) -> Path:
    """A file with the bytes that come by stdin."""
    if sys.stdin is None or sys.stdin.isatty():
        raise CallError(
            "- takes a video's bytes by stdin, and nothing comes there; give attcell … - < clip.mp4"
        )
    path = folder / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    if path.stat().st_size == 0:
        raise DataError("stdin has ended without a byte; send a video's bytes")
    return path
