"""UCF101-24's boxes: ``finalAnnots.mat`` of the corrected annotation, a struct array ``annot``.

Its elements have ``name`` (``Basketball/v_Basketball_g01_c01``), ``num_imgs`` and ``tubes``; a tube has
``sf`` and ``ef``, its first and last frame counted from 1, and ``boxes``, n × 4 of x, y, width and height in
pixels of 320 × 240. The pickled form of it that is about is not read: to unpickle is to run what is in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from attcell.data.annotations.matlab import struct_array
from attcell.errors import DataError

SIZE = (320.0, 240.0)
FPS = 25.0


def read(file: Path) -> dict[str, tuple[int, list[tuple[int, np.ndarray]]]]:
    """Video → its number of frames, and tubes of (first frame from 0, (n, 4) left, top, right, bottom).

    Raises:
        CallError: no such file.
        DataError: it is no such file, or an entry lacks something.
    """
    found = {}
    for number, entry in enumerate(struct_array(file, "annot"), 1):
        place = f"{file}: annot({number})"
        try:
            tubes = entry["tubes"]
            rows = [_tube(of) for of in (tubes if isinstance(tubes, list | np.ndarray) else [tubes])]
            found[str(entry["name"])] = int(entry["num_imgs"]), rows
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(f"{place} is no entry of UCF101-24 ({error!r}); get the file anew") from error
    return found


def _tube(of: dict[str, Any]) -> tuple[int, np.ndarray]:
    boxes = np.asarray(of["boxes"], dtype=float).reshape(-1, 4)
    first = int(of["sf"]) - 1
    if first < 0 or len(boxes) == 0:
        raise ValueError(f"a tube from frame {first + 1} with {len(boxes)} boxes")
    return first, np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
