"""Small videos with sound, without, and with some; and small recipes that hear them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attcell.config.recipe import Recipe
from tests.small_models import LABELS, recipe_of
from tests.video.conftest import write_video
from tests.video.sounding import Track, write_sounding

SEEING = {"backbone": "small", "weights": "none", "conv6_channels": 4}
HEARING = {"backbone": "small_sound", "weights": "none", "conv6_channels": 4}
FROZEN_HEARING = {**HEARING, "train_from": "none"}
SECONDS = 1.6
SILENT, SHORT = "run/1.mp4", "wave/0.mkv"  # one has no sound, the other 0.3 seconds of it


def hearing_recipe(folder: Path, *, missing: str = "silence", **sections: dict[str, Any]) -> Recipe:
    """A recipe whose audio stream hears a fifth of a second in 20 rows of 16 bands; frames are not looked at
    unless it says so."""
    audio = {"seconds": 0.2, "bands": 16, "missing": missing, **sections.pop("audio", {})}
    model = {"streams": {"audio": HEARING}, **sections.pop("model", {})}
    return recipe_of(folder, model=model, audio=audio, **sections)


@pytest.fixture(scope="session")
def sounding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of two short videos, each class with a tone of its own."""
    folder = tmp_path_factory.mktemp("sounding")
    for label, tone in zip(LABELS, (300.0, 900.0, 2_700.0), strict=True):
        (folder / label).mkdir()
        for number in range(2):
            track = Track("pcm_s16le", 16_000, "mono", seconds=SECONDS, tone=tone * (1 + number / 10))
            write_sounding(folder / label / f"{number}.mkv", track, seconds=SECONDS)
    (folder / "run" / "1.mkv").unlink()
    write_video(folder / SILENT, round(25 * SECONDS), size=(32, 32))
    track = Track("pcm_s16le", 16_000, "mono", seconds=0.3, tone=2_700.0)
    write_sounding(folder / SHORT, track, seconds=SECONDS)
    return folder
