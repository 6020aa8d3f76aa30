"""Feature maps of frozen backbones on disk: one file a video, memory-mapped, with a fingerprint.

Layout: ``FOLDER/FINGERPRINT/made_by.json`` says what the maps were made by, and
``FOLDER/FINGERPRINT/CONTENT.safetensors`` holds one video's maps, named by the video's content, so that a
data set can move and a changed video is never mistaken for the old one.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from attcell._files import OTHER_VALUES, parsed_json, write_text, written_whole
from attcell._paths import is_folder, is_there
from attcell.data.remembered import AnswerCache, Check, cached_answers, files_inside
from attcell.errors import AttcellError, DataError, VideoError
from attcell.types import VideoRecord
from attcell.video.frame_folder import open_frames


class FeatureStore:
    """The feature maps that one recipe makes.

    Args:
        folder: where all recipes' maps lie, each in a folder of its own.
        made_by: everything that the maps depend on, in plain types; its hash is the fingerprint.
        name_of: a video's name by its content, and by whatever else is its own that the maps depend on; it
            gets a path and which frames of it. By default its digest, remembered in ``folder``.
    """

    def __init__(
        self,
        folder: Path,
        made_by: dict[str, Any],
        name_of: Callable[[Path, range | None], str] | None = None,
    ) -> None:
        self.made_by = made_by
        self.name_of = DigestCache(folder).digest if name_of is None else name_of
        self.fingerprint = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = folder / self.fingerprint
        self._names: dict[tuple[Path, range | None], str] = {}
        self._checked: set[Path] = set()

    def holds(self, record: VideoRecord) -> bool:
        """True if the video is there, and its maps too."""
        try:
            return is_there(record.path) and self._path(record).is_file()
        except VideoError:  # a folder of frames that cannot be read: it is named when it is decoded
            return False

    def write(self, record: VideoRecord, maps: Tensor, notes: tuple[str, ...] = ()) -> None:
        """Keep a video's maps, (V, T, F, K, K), as 16-bit floats, and the notes on its file.

        They are written whole or not at all.

        Raises:
            DataError: values that are not finite, or too large for 16 bits.
        """
        kept = maps.half()
        if not kept.isfinite().all():
            raise DataError(
                f"the features of {record.id} are not finite in 16 bits; check the backbone's weights and "
                "the input's mean and std, or train without a cache folder"
            )
        described = self.folder / "made_by.json"
        if not described.is_file():
            write_text(described, json.dumps(self.made_by, indent=2) + "\n")
        with written_whole(self._path(record)) as temporary:
            kept = kept.contiguous()
            metadata = {
                "fingerprint": self.fingerprint,
                "video": record.id,
                "notes": json.dumps(notes),
                "crc32": str(_checksum(kept)),
            }
            temporary.write_bytes(save({"maps": kept}, metadata))

    def read(self, record: VideoRecord) -> tuple[Tensor, tuple[str, ...]]:
        """A video's maps (V, T, F, K, K), memory-mapped, and the notes on its file.

        The first time that this store reads a file, its checksum is compared.

        Raises:
            DataError: they are not there, damaged, or made by another recipe.
        """
        path = self._path(record)
        try:
            with safe_open(path, framework="pt") as file:
                described = file.metadata() or {}
                maps: Tensor = file.get_tensor("maps")
            self._refuse_another(path, described.get("fingerprint"))
            if path not in self._checked and described["crc32"] != str(_checksum(maps)):
                raise ValueError("its checksum does not fit")
            self._checked.add(path)
            return maps, tuple(parsed_json(described["notes"]))
        except (SafetensorError, OSError, *OTHER_VALUES) as error:
            raise DataError(
                f"the features of {record.id} at {path} cannot be read ({error}); "
                "delete that file and run again"
            ) from error

    def _refuse_another(self, path: Path, fingerprint: str | None) -> None:
        if fingerprint != self.fingerprint:
            raise DataError(
                f"the features at {path} were made by another recipe (fingerprint {fingerprint}, not "
                f"{self.fingerprint}); delete the file or choose another cache folder"
            )

    def _path(self, record: VideoRecord) -> Path:
        video = (record.path, record.frames)
        if video not in self._names:
            self._names[video] = self.name_of(*video)
        return self.folder / f"{self._names[video]}.safetensors"


def _checksum(maps: Tensor) -> int:
    return zlib.crc32(maps.numpy().data.cast("B"))


class KeptArrays:
    """What was computed of one video after another, kept so that work which was broken off goes on.

    Args:
        folder: what was made otherwise lies beside, in a folder of its own.
        made_by: everything that the arrays depend on but the video, in plain types.
    """

    def __init__(self, folder: Path, made_by: Mapping[str, Any]) -> None:
        text = json.dumps(made_by, sort_keys=True)
        self._folder = folder / hashlib.sha256(text.encode()).hexdigest()[:16]

    def read(self, record: VideoRecord) -> dict[str, np.ndarray] | None:
        """A video's arrays; None where there are none, or the video is another by now."""
        path = self._path(record)
        if path is None or not path.is_file():
            return None
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                return {str(name): file[name] for name in file.files}
        except Exception:  # damaged, of which NumPy raises many kinds: it is computed again
            return None

    def write(self, record: VideoRecord, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep a video's arrays, written whole or not at all."""
        path = self._path(record)
        if path is not None:
            with written_whole(path) as temporary:
                np.savez(temporary, **arrays)  # type: ignore[arg-type]

    def _path(self, record: VideoRecord) -> Path | None:
        """Named by the video, which of its frames are meant, its size and when it was last changed; of a
        folder of frames by those of its files. None for one that is not there.
        """
        try:
            files = files_inside(record.path) if is_folder(record.path) else {"": record.path.stat()}
        except OSError:
            return None
        state = "".join(f"\n{file} {stat.st_size} {stat.st_mtime_ns}" for file, stat in files.items())
        name = f"{record.id}\n{record.path.absolute()}\n{record.frames}{state}"
        return self._folder / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:24]}.npz"


# Names for the content of videos, and a cache of those that were computed before.


def content_digest(path: Path, frames: range | None = None) -> str:
    """A name for a video's content: a hash of all of it, which costs little beside decoding it.

    Of a folder of frames, or of the part ``frames`` of it, it is a hash of the names and contents.

    Raises:
        DataError: the file cannot be read.
        VideoError: the folder is none of frames, or has a gap.
    """
    if is_folder(path):
        folder = open_frames(path, frames)
        lines = [f"{content_digest(path / name)} {name}\n" for name in folder.names]
        return hashlib.sha256(os.fsencode("".join(lines))).hexdigest()[:24]
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:24]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path} cannot be read: {reason}; check the path") from error


class DigestCache:
    """Remembers the digests of files, so that a run over a large data set need not read all of it to start.

    A file counts as the same while its state is (:mod:`attcell.data.remembered`). What is remembered lies in
    ``digests.sqlite``; where that cannot be written or read, every file is read.

    Args:
        folder: where the cache lies; it is made when the first digest is written.
    """

    def __init__(self, folder: Path) -> None:
        self._cache = AnswerCache(folder / "digests.sqlite")
        self._known: dict[Path, str] = {}

    def digest(self, path: Path, frames: range | None = None) -> str:
        """As :func:`content_digest`. Folders of frames are read anew each time."""
        if path in self._known:
            return self._known[path]
        if is_folder(path):
            return content_digest(path, frames)
        (found,) = self._look([path])
        if isinstance(found, AttcellError):
            raise found
        return found

    def prefetch(self, paths: Sequence[Path]) -> None:
        """Find the digests of these files side by side, with a bar; afterwards they are known."""
        files = [path for path in paths if path.is_file()]
        found = zip(files, self._look(files), strict=True)
        self._known.update((path, digest) for path, digest in found if isinstance(digest, str))

    def _look(self, paths: Sequence[Path]) -> list[str | AttcellError]:
        checks = [Check("digest", (path,), partial(content_digest, path)) for path in paths]
        return cached_answers(checks, "reading videos", self._cache, settled_seconds=0)
