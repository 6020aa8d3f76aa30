"""Folders of frames in place of video files: the same frames, honest notes, one clear error."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image, ImageOps

from attcell.errors import CallError, VideoError
from attcell.types import Size
from attcell.video._passes import EveryFrame, promised_frames
from attcell.video.decode import count_frames, read_frames
from attcell.video.frame_folder import NO_TIMES, is_frame_name
from tests.damage import jpegs_with_exif
from tests.moving import noisy_frames, write_frames, write_pictures
from tests.video.conftest import FRAMES, break_picture

NAMES = ["img_{:05d}.png", "image_{:05d}.png", "frame_{:06d}.png", "{:05d}.png", "img_{:05d}.PNG", "{}.png"]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("pattern", NAMES)
def test_the_frames_are_those_of_a_lossless_video(tmp_path, pattern, first):
    folder = write_pictures(tmp_path / "clip", FRAMES, pattern, first)
    video = write_frames(tmp_path / "clip.avi", FRAMES)
    wanted = np.array([11, 2, 2, 0])
    expected = read_frames(video, lambda num_frames: wanted)
    found = read_frames(folder, lambda num_frames: wanted)
    assert found.indices.tolist() == wanted.tolist()
    np.testing.assert_array_equal(np.stack(found.images), np.stack(expected.images))
    assert found.images[1] is found.images[2]
    assert all(image.flags.writeable and image.flags.c_contiguous for image in found.images)
    for info in (found.info, count_frames(folder)):
        assert info.num_frames == expected.info.num_frames == promised_frames(folder) == 12
        assert info.size == (48, 36)
        np.testing.assert_allclose(info.frame_seconds, expected.info.frame_seconds)
        assert info.end_seconds == pytest.approx(expected.info.end_seconds)
        assert info.notes == (NO_TIMES,)
        assert not info.is_damaged


def test_frames_are_scaled_as_those_of_a_video(tmp_path):
    frames = noisy_frames(3, (400, 300))
    folder = write_pictures(tmp_path / "clip", frames)
    video = write_frames(tmp_path / "clip.avi", frames)
    read = [
        np.stack(read_frames(path, np.arange, size=lambda shown: Size(shown.width // 3, 90)).images)
        for path in (folder, video)
    ]
    assert read[0].shape == (3, 90, 133, 3)
    np.testing.assert_array_equal(read[0], read[1])
    every = EveryFrame(folder, lambda shown: Size(shown.width // 3, 90))
    np.testing.assert_array_equal(np.stack(list(every)), read[0])


def test_only_wanted_frames_are_decoded(folder, monkeypatch):
    decoded = []
    real = Image.Image.convert
    monkeypatch.setattr(Image.Image, "convert", lambda self, mode: decoded.append(1) or real(self, mode))
    read_frames(folder, lambda num_frames: np.array([7, 2, 7]))
    assert len(decoded) == 2


def test_every_frame_comes_in_order_and_none_is_kept(folder):
    every = EveryFrame(folder)
    np.testing.assert_array_equal(np.stack(list(every)), np.stack(FRAMES))
    assert every.info.num_frames == 12
    assert every.info.notes == (NO_TIMES,)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_all_pictures_become_rgb(tmp_path, mode):
    picture = Image.fromarray(FRAMES[0]).convert(mode)
    (tmp_path / "clip").mkdir()
    picture.save(tmp_path / "clip" / "img_00001.png")
    (image,) = read_frames(tmp_path / "clip", np.arange).images
    np.testing.assert_array_equal(image, np.asarray(picture.convert("RGB")))


def test_jpeg_is_read_as_pillow_does(tmp_path):
    folder = write_pictures(tmp_path / "clip", FRAMES[:2], "frame_{:06d}.jpg")
    images = read_frames(folder, np.arange).images
    for number, image in enumerate(images, start=1):
        with Image.open(folder / f"frame_{number:06d}.jpg") as picture:
            np.testing.assert_array_equal(image, np.asarray(picture))


def test_other_files_are_passed_over(folder):
    for name in (
        "flow_x_00001.jpg",
        "flow_y_00001.jpg",
        "flow.json",
        "img_00013.txt",
        "thumb.jpg",
        "imgs_3.png",
    ):
        (folder / name).touch()
    (folder / "more").mkdir()
    assert count_frames(folder).num_frames == 12


@pytest.mark.parametrize(
    ("name", "expected"),
    [("img_7.jpg", True), ("00000.JPEG", True), ("frame_000001.png", True), ("IMG_0001.jpg", False),
     ("img_.jpg", False), ("img_٣.jpg", False), ("flow_x_00001.jpg", False), ("img_1.gif", False)],
)  # fmt: skip
def test_what_is_a_frame_by_its_name(name, expected):
    assert is_frame_name(name) == expected


class TestParts:
    def test_a_part_is_a_video_of_its_own(self, folder):
        part = range(4, 9)
        found = read_frames(folder, lambda num_frames: np.array([0, num_frames - 1]), frames=part)
        np.testing.assert_array_equal(np.stack(found.images), np.stack([FRAMES[4], FRAMES[8]]))
        assert found.info.num_frames == count_frames(folder, frames=part).num_frames == 5
        assert promised_frames(folder, frames=part) == 5

    def test_its_times_are_those_in_the_folder(self, folder):
        info = count_frames(folder, frames=range(4, 9))
        np.testing.assert_allclose(info.frame_seconds * 25, np.arange(4, 9))
        assert info.end_seconds == pytest.approx(9 / 25)
        assert info.duration_seconds == pytest.approx(5 / 25)

    @pytest.mark.parametrize("part", [range(8, 13), range(-1, 3), range(12, 14), range(3, 3)])
    def test_a_part_that_is_not_inside(self, folder, part):
        message = (
            f"{folder}: {len(part)} frames from frame {part.start} on were asked for, and the folder has 12, "
            "counted from 0"
        )
        for read in (
            count_frames,
            promised_frames,
            lambda path, frames: read_frames(path, np.arange, frames=frames),
        ):
            with pytest.raises(VideoError, match=f"^{re.escape(message)}$"):
                read(folder, frames=part)

    def test_a_file_has_no_parts(self, tmp_path):
        video = write_frames(tmp_path / "a.avi", FRAMES[:3])
        for read in (
            count_frames,
            promised_frames,
            lambda path, frames: read_frames(path, np.arange, frames=frames),
        ):
            with pytest.raises(
                CallError, match=r"a.avi: 2 frames from frame 1 on were asked for; a part .* alone"
            ):
                read(video, frames=range(1, 3))

    def test_damage_outside_does_not_matter(self, folder):
        break_picture(folder / "img_00002.png")
        assert count_frames(folder, frames=range(4, 9)).notes == (NO_TIMES,)


def test_pictures_of_other_sizes_are_brought_to_the_first(folder):
    Image.fromarray(noisy_frames(1, (64, 40))[0]).save(folder / "img_00004.png")
    found = read_frames(folder, lambda num_frames: np.array([0, 3]))
    note = "some frames have another size (64x40); all are brought to the first frame's"
    assert [image.shape for image in found.images] == [(36, 48, 3)] * 2
    assert found.info.notes == count_frames(folder).notes == (note, NO_TIMES)
    assert not found.info.is_damaged


def test_an_index_out_of_range(folder):
    with pytest.raises(VideoError, match="frame 12 was asked for, but the video has 12 frames"):
        read_frames(folder, lambda num_frames: np.array([12]))


def test_what_choose_refuses_passes_through(folder):
    def choose(num_frames):
        raise VideoError(f"{num_frames} frames will not do")

    with pytest.raises(VideoError, match="clip: 12 frames will not do"):
        read_frames(folder, choose)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_exif_has_it(tmp_path, orientation):
    for number, picture in enumerate(jpegs_with_exif(3, orientation), start=1):
        (tmp_path / f"img_{number:05d}.jpg").write_bytes(picture)
    expected = [np.array(ImageOps.exif_transpose(Image.open(path))) for path in sorted(tmp_path.iterdir())]
    decoded = read_frames(tmp_path, np.arange)
    assert count_frames(tmp_path).size == decoded.info.size == ((60, 80) if orientation > 4 else (80, 60))
    np.testing.assert_array_equal(np.stack(decoded.images), np.stack(expected))


def test_damaged_exif_turns_nothing(tmp_path):
    picture = jpegs_with_exif(1, 6)[0]
    place = picture.index(b"Exif\0\0") + 6
    (tmp_path / "1.jpg").write_bytes(picture[:place] + b"\xff" * 20 + picture[place + 20 :])
    assert (count_frames(tmp_path).num_frames, count_frames(tmp_path).size) == (1, (80, 60))
