"""Feature maps of frozen backbones on disk, memory-mapped, with a fingerprint: a file a video, or shards.

Layout: ``FOLDER/FINGERPRINT/made_by.json`` says what the maps were made by, and
``FOLDER/FINGERPRINT/CONTENT.safetensors`` holds one video's maps, named by the video's content, so that a
data set can move and a changed video is never mistaken for the old one. Of many videos that would be too many
files: then they lie in shards (:mod:`attcell.data.shards`), by the same names.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from attcell._files import OTHER_VALUES, parsed_json, write_text, written_whole
from attcell._owners import swept
from attcell._paths import is_folder, is_there
from attcell._urls import UrlPath, is_url
from attcell.choices import CacheForm
from attcell.data._tar import checksum
from attcell.data.remembered import AnswerCache, Check, cached_answers, files_inside, user_cache
from attcell.data.shards import Shards, is_disk
from attcell.errors import AttcellError, DataError, VideoError
from attcell.types import VideoRecord
from attcell.video.frame_folder import open_frames


class FeatureKeeper(Protocol):
    """Where features are kept that are computed; as of :class:`FeatureStore`."""

    @property
    def folder(self) -> Path: ...
    @property
    def is_seen_at_once(self) -> bool: ...
    def name(self, record: VideoRecord) -> str: ...
    def holds(self, record: VideoRecord) -> bool: ...
    def filling(self) -> AbstractContextManager[None]: ...
    def writing(self) -> AbstractContextManager[None]: ...
    def keep(self, name: str, video: str, maps: Tensor, notes: tuple[str, ...] = ()) -> None: ...


class FeatureStore:
    """The feature maps that one recipe makes.

    Args:
        folder: where all recipes' maps lie, each in a folder of its own.
        made_by: everything that the maps depend on, in plain types; its hash is the fingerprint.
        name_of: a video's name by its content, and by whatever else is its own that the maps depend on; it
            gets a path and which frames of it. By default its digest, remembered in ``folder``.
        form: a file a video, or shards; a store that is there keeps its own.
    """

    def __init__(
        self,
        folder: Path,
        made_by: dict[str, Any],
        name_of: Callable[[Path, range | None], str] | None = None,
        form: CacheForm = "files",
    ) -> None:
        self.made_by = made_by
        self.name_of = DigestCache(folder).digest if name_of is None else name_of
        self.fingerprint = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = folder / self.fingerprint
        self.form = form_there(self.folder) or (form if is_disk(self.folder) else "shards")
        self._kept: Files | Shards = Files(self.folder) if self.form == "files" else Shards(self.folder)
        self._names: dict[tuple[Path, range | None], str] = {}
        self._checked: set[str] = set()
        self._is_described = False

    @property
    def is_seen_at_once(self) -> bool:
        """Whether what is kept is there for others at once, and not when :meth:`writing` ends."""
        return is_disk(self.folder)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_names": {}, "_checked": set()}  # of millions of videos

    def name(self, record: VideoRecord) -> str:
        """Under what name the store holds a video.

        Raises:
            DataError, VideoError: it cannot be read.
        """
        video = (record.path, record.frames)
        if video not in self._names:
            self._names[video] = self.name_of(*video)
        return self._names[video]

    def holds(self, record: VideoRecord) -> bool:
        """True if the video is there, and its maps too."""
        name = name_in(self, record) if is_there(record.path) else ""
        return bool(name) and self._kept.has(name)

    def filling(self) -> AbstractContextManager[None]:
        """Around all that fills the store, in whatever process: shards refuse a second one at it.

        Raises:
            CallError: another process fills it.
        """
        return self._kept.filling()

    def writing(self) -> AbstractContextManager[None]:
        """Around much that is written in one process."""
        return self._kept.writing()

    def write(self, record: VideoRecord, maps: Tensor, notes: tuple[str, ...] = ()) -> None:
        """Keep a video's maps, (V, T, F, K, K), as 16-bit floats, and the notes on its file.

        They are written whole or not at all.

        Raises:
            DataError: values that are not finite, or too large for 16 bits.
        """
        self.keep(self.name(record), record.id, maps, notes)

    def keep(self, name: str, video: str, maps: Tensor, notes: tuple[str, ...] = ()) -> None:
        """As :meth:`write`, of a video whose name in the store is known, and what messages call it."""
        kept = as_kept(maps, video)
        self._describe()
        about = {
            "fingerprint": self.fingerprint,
            "video": video,
            "notes": list(notes),
            "crc32": checksum(kept),
        }
        self._kept.put(name, about, kept)

    def _describe(self) -> None:
        described = self.folder / "made_by.json"
        if not self._is_described and not described.is_file():
            write_text(described, json.dumps(self.made_by, indent=2) + "\n")
        self._is_described = is_url(self.folder)  # a folder on a disk may be deleted meanwhile

    def read(self, record: VideoRecord) -> tuple[Tensor, tuple[str, ...]]:
        """A video's maps (V, T, F, K, K), memory-mapped, and the notes on its file.

        The first time that this store reads a video's, their checksum is compared.

        Raises:
            DataError: they are not there, damaged, or made by another recipe. Of a shard, damaged ones count
                as not there from then on.
        """
        name = self.name(record)
        try:
            described, maps = self._kept.get(name)
            self._refuse_another(name, described.get("fingerprint"))
            if name not in self._checked and described["crc32"] != checksum(maps):
                raise ValueError("its checksum does not fit")
            self._checked.add(name)
            return maps, tuple(described["notes"])
        except FileNotFoundError as error:
            raise DataError(
                f"the features of {record.id} are not in {self.folder}; run again, and they are computed"
            ) from error
        except (SafetensorError, OSError, *OTHER_VALUES) as error:
            told = f"the features of {record.id} at {self._kept.file_of(name)} cannot be read ({error})"
            if isinstance(error, OSError):  # a disk or server that does not answer; they may be whole
                raise DataError(f"{told}; mend that and run again") from error
            raise DataError(f"{told}; {self._kept.forget(name)}") from error

    def _refuse_another(self, name: str, fingerprint: str | None) -> None:
        if fingerprint != self.fingerprint:
            raise DataError(
                f"the features at {self._kept.file_of(name)} were made by another recipe (fingerprint "
                f"{fingerprint}, not {self.fingerprint}); delete the file or choose another cache folder"
            )


def name_in(store: FeatureKeeper, record: VideoRecord) -> str:
    """Under what name the store holds a video; "" where it cannot be read."""
    try:
        return store.name(record)
    except (DataError, VideoError):  # it is told when it is decoded
        return ""


def as_kept(maps: Tensor, video: str) -> Tensor:
    """A video's maps as they are kept: in 16 bits.

    Raises:
        DataError: values that are not finite, or too large for 16 bits.
    """
    kept = maps.half()
    if not kept.isfinite().all():
        raise DataError(
            f"the features of {video} are not finite in 16 bits; check the backbone's weights and "
            "the input's mean and std, or train without a cache folder"
        )
    return kept.contiguous()


def form_there(folder: Path) -> CacheForm | None:
    """In which form a folder keeps features; None where it keeps none yet."""
    try:
        suffixes = {path.suffix for path in folder.iterdir() if path.name[0] != "."}
    except (FileNotFoundError, NotADirectoryError):
        return None
    if ".tar" in suffixes:
        return "shards"
    return "files" if ".safetensors" in suffixes else None


class Files:
    """A folder with a file for each video."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, name: str) -> bool:
        """As of :class:`~attcell.data.shards.Shards`."""
        return self.file_of(name).is_file()

    def put(self, name: str, described: dict[str, Any], maps: Tensor) -> None:
        """As of :class:`~attcell.data.shards.Shards`."""
        told = {key: of if isinstance(of, str) else json.dumps(of) for key, of in described.items()}
        with written_whole(self.file_of(name)) as temporary:
            temporary.write_bytes(save({"maps": maps}, told))

    def get(self, name: str) -> tuple[dict[str, Any], Tensor]:
        """As of :class:`~attcell.data.shards.Shards`."""
        with safe_open(self.file_of(name), framework="pt") as file:
            told = file.metadata() or {}
            maps: Tensor = file.get_tensor("maps")
        return {**told, "notes": parsed_json(told["notes"]), "crc32": int(told["crc32"])}, maps

    def file_of(self, name: str) -> Path:
        """Where a video's maps lie."""
        return self.folder / f"{name}.safetensors"

    def forget(self, name: str) -> str:
        """As of :class:`~attcell.data.shards.Shards`; the file is left to be looked at."""
        return "delete that file and run again"

    def filling(self) -> AbstractContextManager[None]:
        """Several processes may fill it."""
        return swept([] if is_url(self.folder) else [self.folder])

    def writing(self) -> AbstractContextManager[None]:
        """Each file is by itself."""
        return nullcontext()


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
        folder of frames by those of its files. None for one that is not there, or on a server that does not
        tell when it changes.
        """
        path = record.path
        try:
            if isinstance(path, UrlPath):
                version = "" if is_folder(path) else path.stat().version
                if not version:
                    return None
                state = f"\n{version}"
            else:
                files = files_inside(path) if is_folder(path) else {"": path.stat()}
                state = "".join(f"\n{file} {of.st_size} {of.st_mtime_ns}" for file, of in files.items())
        except OSError:
            return None
        name = f"{record.id}\n{path.absolute()}\n{record.frames}{state}"
        return self._folder / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:24]}.npz"


# Names for the content of videos, and a cache of those that were computed before.


def content_digest(path: Path, frames: range | None = None) -> str:
    """A name for a video's content: a hash of all of it, which costs little beside decoding it. On a server
    it is one of its URL and its version there, where the server tells that, so that nothing is read.

    Of a folder of frames, or of the part ``frames`` of it, it is a hash of the names and contents.

    Raises:
        DataError: the file cannot be read.
        VideoError: the folder is none of frames, or has a gap.
    """
    if is_folder(path):
        folder = open_frames(path, frames)
        lines = [f"{content_digest(path / name)} {name}\n" for name in folder.names]
        return hashlib.sha256(os.fsencode("".join(lines))).hexdigest()[:24]
    if isinstance(path, UrlPath) and (name := _name_on_a_server(path)):
        return name
    return bytes_digest(path)


def bytes_digest(path: Path) -> str:
    """A hash of a file's content, which is read.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:24]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path} cannot be read: {reason}; check the path") from error


def _name_on_a_server(path: UrlPath) -> str:
    """By its URL, length and version; "" where the server tells no version."""
    try:
        stat = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; check the path") from error
    told = f"{path.unsigned}\n{stat.st_size}\n{stat.version}"
    return hashlib.sha256(told.encode()).hexdigest()[:24] if stat.version else ""


class DigestCache:
    """Remembers the digests of files, so that a run over a large data set need not read all of it to start.

    A file counts as the same while its state is (:mod:`attcell.data.remembered`). What is remembered lies in
    ``digests.sqlite``, or where the folder is on no disk in the user's cache; where that cannot be written or
    read, every file is read.

    Args:
        folder: where the cache lies; it is made when the first digest is written.
    """

    def __init__(self, folder: Path) -> None:
        self._cache = AnswerCache(folder / "digests.sqlite") if is_disk(folder) else user_cache()
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

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": {}}  # of millions of files

    def prefetch(self, paths: Sequence[Path]) -> None:
        """Find the digests of these files side by side, with a bar; afterwards they are known."""
        files = [path for path in paths if is_url(path) or path.is_file()]  # servers are asked side by side
        found = zip(files, self._look(files), strict=True)
        self._known.update((path, digest) for path, digest in found if isinstance(digest, str))

    def _look(self, paths: Sequence[Path]) -> list[str | AttcellError]:
        checks = [Check("digest", (path,), partial(content_digest, path)) for path in paths]
        return cached_answers(checks, "reading videos", self._cache, settled_seconds=0)
