"""Corrected actions as what attcell reads: a truth file, or a list to train on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attcell._files import write_text
from attcell.annotation_tools.records import LabelledVideo
from attcell.errors import DataError
from attcell.results.tables import csv_table


def write_truth(out: Path, videos: Sequence[LabelledVideo], subset: str) -> None:
    """Write a truth file in ActivityNet's form, which ``attcell score detection`` reads, whole or not at all.

    Raises:
        DataError: no video has an action.
    """
    _refuse_none(out, videos)
    database: dict[str, Any] = {}
    for video in videos:
        told = {} if video.duration_seconds is None else {"duration": video.duration_seconds}
        database[video.video] = {
            "subset": subset,
            **told,
            "annotations": [
                {"segment": [of.start_seconds, of.end_seconds], "label": of.label} for of in video.actions
            ],
        }
    content = {"version": "attcell", "taxonomy": [], "database": database}
    write_text(out, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_list(out: Path, videos: Sequence[LabelledVideo]) -> list[str]:
    """Write a list of videos and their classes, which ``attcell train`` reads; the videos without any class.

    Raises:
        DataError: no video has an action.
    """
    _refuse_none(out, videos)
    rows = [(video.video, label) for video in videos for label in sorted({of.label for of in video.actions})]
    write_text(out, csv_table(("video", "label"), rows, is_exact=True))
    return [video.video for video in videos if not video.actions]


def _refuse_none(out: Path, videos: Sequence[LabelledVideo]) -> None:
    if not any(video.actions for video in videos):
        raise DataError(f"{out}: none of the {len(videos)} videos has an action; there is nothing to write")
