"""Kept features for others than attcell: a file of NumPy for each video, by the video's own name.

``OUT/wave/alice.npy`` is of the video ``wave/alice.mp4``: (T, F) where there is one view of one region, as a
``features`` stream reads it; else (V, T, F, K, K). ``alice.json`` beside it says what the axes are, of which
content the features are, and what they were made by.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from attcell._files import read_own, write_text, written_whole
from attcell._owners import swept
from attcell._paths import is_folder, is_there
from attcell._urls import is_url
from attcell.data.feature_store import FeatureStore, as_kept, name_in
from attcell.errors import CallError, DataError
from attcell.types import VideoRecord
from attcell.video.features import SUFFIX


class FeatureArrays:
    """The features that one recipe makes of some videos, each in a file of its name.

    Args:
        folder: where they go.
        store: which would hold them otherwise; it says what they are made by, and what a video's content is.
        records: the videos.

    Raises:
        CallError: two videos would become one file.
    """

    is_seen_at_once = True

    def __init__(self, folder: Path, store: FeatureStore, records: Sequence[VideoRecord]) -> None:
        self.folder = folder
        self._store = store
        self._places = _places(folder, records)

    def name(self, record: VideoRecord) -> str:
        """Of a video's content."""
        return self._store.name(record)

    def holds(self, record: VideoRecord) -> bool:
        """True if the video is there, and its features too, of this content.

        Raises:
            DataError: features made otherwise lie there.
        """
        place = self._places[record.id]
        described = place.with_name(f"{place.name}.json")
        if not (described.is_file() and place.with_name(place.name + SUFFIX).is_file()):
            return False
        found = read_own(described)
        if found.get("fingerprint") != self._store.fingerprint:
            raise DataError(
                f"{described}: its features were made otherwise (fingerprint {found.get('fingerprint')}, not "
                f"{self._store.fingerprint}); delete them, or name another folder"
            )
        name = name_in(self, record) if is_there(record.path) else ""
        return bool(name) and found.get("content") == name

    def filling(self) -> AbstractContextManager[None]:
        """Several processes may."""
        return swept({place.parent for place in self._places.values() if not is_url(place)})

    def writing(self) -> AbstractContextManager[None]:
        """Each file is by itself."""
        return nullcontext()

    def keep(self, name: str, video: str, maps: Tensor, notes: tuple[str, ...] = ()) -> None:
        """Write a video's maps (V, T, F, K, K) in 16 bits, and then what they are.

        Raises:
            DataError: values that are not finite, or too large for 16 bits.
        """
        array, axes = as_kept(maps, video).numpy(), ["view", "segment", "feature", "row", "column"]
        if array.shape[0] == array.shape[3] == array.shape[4] == 1:
            array, axes = array[0, :, :, 0, 0], axes[1:3]
        place = self._places[video]
        with written_whole(place.with_name(place.name + SUFFIX)) as temporary, temporary.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        described: dict[str, Any] = {
            "video": video,
            "content": name,
            "axes": axes,
            "shape": array.shape,
            "notes": notes,
            "fingerprint": self._store.fingerprint,
            "made_by": self._store.made_by,
        }
        write_text(place.with_name(f"{place.name}.json"), json.dumps(described, indent=1) + "\n")


def _places(folder: Path, records: Sequence[VideoRecord]) -> dict[str, Path]:
    """Video id → its place, without a suffix."""
    places: dict[str, Path] = {}
    owners: dict[Path, str] = {}
    for record in records:
        name = Path(record.id) if is_folder(record.path) else Path(record.id).with_suffix("")
        # A list may name videos by paths from the root or from a folder above.
        place = folder.joinpath(*(part for part in name.parts if part not in ("/", "..")))
        other = owners.setdefault(place, record.id)
        if other != record.id:
            raise CallError(
                f"{other} and {record.id} would both become {place}{SUFFIX}; rename one of them, or give "
                "--format shards"
            )
        places[record.id] = place
    return places
