"""Folders of frames in place of video files: the same frames, honest notes, one clear error."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell.errors import CallError, VideoError
from attcell.video import frame_folder
from attcell.video.decode import count_frames, promised_frames, read_frames
from attcell.video.frame_folder import NO_TIMES, is_frame_name
from attcell.video.passes import EveryFrame
from tests.moving import noisy_frames, write_frames, write_pictures

NAMES = ["img_{:05d}.png", "image_{:05d}.png", "frame_{:06d}.png", "{:05d}.png", "img_{:05d}.PNG", "{}.png"]
FRAMES = noisy_frames(12)


@pytest.fixture
def folder(tmp_path) -> Path:
    """12 frames, img_00001.png to img_00012.png."""
    return write_pictures(tmp_path / "clip", FRAMES)


def break_picture(path: Path) -> None:
    """Its header stays whole, its pixels do not."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


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
        assert (info.width, info.height) == (48, 36)
        np.testing.assert_allclose(info.frame_seconds, expected.info.frame_seconds)
        assert info.end_seconds == pytest.approx(expected.info.end_seconds)
        assert info.notes == (NO_TIMES,)
        assert not info.is_damaged


def test_frames_are_scaled_as_those_of_a_video(tmp_path):
    frames = noisy_frames(3, (400, 300))
    folder = write_pictures(tmp_path / "clip", frames)
    video = write_frames(tmp_path / "clip.avi", frames)
    read = [
        np.stack(read_frames(path, np.arange, size=lambda width, height: (width // 3, 90)).images)
        for path in (folder, video)
    ]
    assert read[0].shape == (3, 90, 133, 3)
    np.testing.assert_array_equal(read[0], read[1])
    every = EveryFrame(folder, lambda width, height: (width // 3, 90))
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
        assert (found.info.num_frames, found.info.width) == (11, 48)
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


def test_pictures_of_other_sizes_are_brought_to_the_first(folder):
    Image.fromarray(noisy_frames(1, (64, 40))[0]).save(folder / "img_00004.png")
    found = read_frames(folder, lambda num_frames: np.array([0, 3]))
    note = "some frames have another size (64x40); all are brought to the first frame's"
    assert [image.shape for image in found.images] == [(36, 48, 3)] * 2
    assert found.info.notes == count_frames(folder).notes == (note, NO_TIMES)
    assert not found.info.is_damaged


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


def test_an_index_out_of_range(folder):
    with pytest.raises(VideoError, match="frame 12 was asked for, but the video has 12 frames"):
        read_frames(folder, lambda num_frames: np.array([12]))


def test_what_choose_refuses_passes_through(folder):
    def choose(num_frames):
        raise VideoError(f"{num_frames} frames will not do")

    with pytest.raises(VideoError, match="clip: 12 frames will not do"):
        read_frames(folder, choose)
