"""Pictures as addresses that a page can hold."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from attcell.report.overlay import RAMP, SHADE, heat_levels
from attcell.report.page.media import fitted, heat_uri, jpeg_uri


def opened(address: str, kind: str) -> Image.Image:
    head, _, data = address.partition(",")
    assert head == f"data:{kind};base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("ramp", [RAMP, SHADE], ids=["heat", "shade"])
def test_attention_has_the_colours_of_its_ramp(ramp: np.ndarray) -> None:
    attention = np.random.default_rng(0).uniform(size=(7, 7))
    with opened(heat_uri(attention, 1.0, ramp), "image/png") as picture:
        found = np.asarray(picture.convert("RGBA"))
    np.testing.assert_array_equal(found, ramp[heat_levels(attention, 1.0)])


def test_frames_are_made_small_and_never_larger() -> None:
    assert fitted(np.zeros((720, 480, 3), np.uint8), 320).size == (213, 320)
    small = fitted(np.full((20, 30, 3), 77, np.uint8), 320)
    assert small.size == (30, 20)
    with opened(jpeg_uri(small), "image/jpeg") as picture:
        assert np.asarray(picture)[10, 10].tolist() == [77, 77, 77]
