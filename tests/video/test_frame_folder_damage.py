"""Damaged folders of frames: what decodes is kept, and the rest is counted; what is no folder is told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell.errors import VideoError
from attcell.video import frame_folder
from attcell.video._passes import EveryFrame, promised_frames
from attcell.video.decode import count_frames, read_frames
from attcell.video.frame_folder import NO_TIMES
from tests.video.conftest import FRAMES, break_picture


class TestDamage:
    def test_what_decodes_is_kept_and_counted(self, folder):
        break_picture(folder / "img_00003.png")
        (folder / "img_00008.png").write_text("no picture")
        asked = []

        def choose(num_frames):
            asked.append(num_frames)
            return np.arange(num_frames)

        found = read_frames(folder, choose)
        assert asked == [12, 10]
        kept = [0, 1, 3, 4, 5, 6, 8, 9, 10, 11]
        np.testing.assert_array_equal(np.stack(found.images), np.stack([FRAMES[place] for place in kept]))
        every = EveryFrame(folder)
        assert len(list(every)) == 10
        for info in (found.info, count_frames(folder), every.info):
            assert info.is_damaged
            assert info.notes == (
                "10 of 12 frames decode; the rest is damaged or missing",
                "does not decode: img_00003.png and 1 more",
                NO_TIMES,
            )
            np.testing.assert_allclose(info.frame_seconds * 25, kept)

    def test_once_some_shows_the_true_count_is_found(self, folder):
        """Frame 2 is wanted; that frame 7 is damaged too shows only where all are decoded."""
        for number in (3, 8):
            break_picture(folder / f"img_{number:05d}.png")
        asked = []
        found = read_frames(folder, lambda num: asked.append(num) or np.array([2, num - 1]))
        assert asked == [12, 11, 10]
        np.testing.assert_array_equal(np.stack(found.images), np.stack([FRAMES[3], FRAMES[11]]))

    def test_damage_that_nobody_looks_at_does_not_show(self, folder):
        break_picture(folder / "img_00003.png")
        found = read_frames(folder, lambda num_frames: np.array([5]))
        assert (found.info.num_frames, found.info.is_damaged) == (12, False)
        np.testing.assert_array_equal(found.images[0], FRAMES[5])

    def test_a_first_picture_without_a_header(self, folder):
        (folder / "img_00001.png").write_bytes(b"")
        found = read_frames(folder, lambda num_frames: np.array([0]))
        assert (found.info.num_frames, found.info.size.width) == (11, 48)
        np.testing.assert_array_equal(found.images[0], FRAMES[1])

    def test_other_formats_under_these_names_are_not_opened(self, folder):
        Image.fromarray(FRAMES[0]).save(folder / "img_00005.png", "GIF")
        assert "does not decode: img_00005.png" in count_frames(folder).notes

    def test_nothing_decodes(self, folder):
        for path in folder.iterdir():
            path.write_bytes(b"\x89PNG")
        message = f"{folder}: none of its 12 pictures decodes, first img_00001.png; get the folder again"
        for read in (
            count_frames,
            lambda path: read_frames(path, np.arange),
            lambda path: info_of(EveryFrame(path)),
        ):
            with pytest.raises(VideoError, match=re.escape(message)):
                read(folder)


def info_of(every: EveryFrame):
    list(every)
    return every.info


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda at: (at / "img_00005.png").unlink(), "img_00005.png is missing, the first of 1; frames are"),
        (
            lambda at: [(at / f"img_{n:05d}.png").unlink() for n in (3, 4, 9)],
            "img_00003.png is missing, the first of 3",
        ),
        (lambda at: (at / "img_00001.png").unlink(), "img_00001.png is missing, the first of 1"),
        (
            lambda at: (at / "img_00001.jpg").touch(),
            "img_00001.jpg and img_00001.png are frames of two numberings; take",
        ),
        (lambda at: (at / "img_012.png").touch(), "img_00012.png and img_012.png are frames of two"),
        (lambda at: (at / "00001.png").touch(), "00001.png and img_00001.png are frames of two"),
        (
            lambda at: [path.unlink() for path in at.iterdir()],
            "this is a folder without frames; a video file was",
        ),
    ],
)
def test_a_folder_that_is_not_right(folder, write, message):
    write(folder)
    for read in (
        count_frames,
        promised_frames,
        lambda path: list(EveryFrame(path)),
        lambda path: read_frames(path, np.arange),
    ):
        with pytest.raises(VideoError, match=f"^{re.escape(f'{folder}: {message}')}"):
            read(folder)


def test_a_folder_that_may_not_be_read(folder, monkeypatch):
    def refused(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(
        VideoError, match=r"clip: cannot be read \(Permission denied\); check its permissions"
    ):
        frame_folder.open_frames(folder)


def test_exif_that_is_damaged_turns_nothing_and_nothing_is_warned_of(tmp_path, recwarn):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    Image.fromarray(FRAMES[0]).save(tmp_path / "img_00001.jpg", exif=exif)
    whole = (tmp_path / "img_00001.jpg").read_bytes()
    (tmp_path / "img_00001.jpg").write_bytes(whole.replace(b"\x01\x0f\0\x02", b"\x01\x0f\0\x0c"))
    (image,) = read_frames(tmp_path, np.arange).images
    assert image.shape in (FRAMES[0].shape, FRAMES[0].transpose(1, 0, 2).shape)
    assert [str(of.message) for of in recwarn] == []
