"""Videos as bytes that browsers play."""

from __future__ import annotations

import base64
import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from attcell.report.colours import RAMP, SHADE
from attcell.report.overlay import heat_levels
from attcell.report.page.media import fitted, heat_uri, jpeg_uri, playable, share_of
from attcell.video.decode import count_frames
from tests.clicks import CODECS, MOMENTS, clicks, flashes, write_clicks
from tests.damage import damage
from tests.moving import moving_frames, write_pictures
from tests.video.conftest import write_video


def decoded(content: bytes, tmp_path: Path):
    path = tmp_path / "found.mp4"
    path.write_bytes(content)
    return count_frames(path)


def codec_of(path: Path) -> tuple[str, str]:
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        return context.name, str(context.pix_fmt)


def test_a_small_file_that_browsers_play_is_taken_as_it_is(tmp_path):
    path = write_video(tmp_path / "a.mp4", 20, options={"bf": "0"})
    found = playable(path)
    assert found is not None
    assert (found.mime, found.content) == ("video/mp4", path.read_bytes())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.avi", {"codec": "mpeg4"}),
        ("a.mpg", {"codec": "mpeg2video"}),
        ("a.mkv", {}),
        ("ten_bits.mp4", {"pix_fmt": "yuv420p10le"}),
        ("444.mp4", {"pix_fmt": "yuv444p"}),
        ("odd.avi", {"codec": "ffv1", "size": (63, 47)}),
    ],
)
def test_others_are_encoded_with_the_same_times(tmp_path, name, options):
    path = write_video(tmp_path / name, 20, **options)
    found = playable(path)
    assert found is not None
    assert found.mime == "video/mp4"
    before, after = count_frames(path), decoded(found.content, tmp_path)
    np.testing.assert_allclose(after.frame_seconds, before.frame_seconds - before.frame_seconds[0], atol=1e-3)
    assert codec_of(tmp_path / "found.mp4") == ("h264", "yuv420p")
    assert abs(after.size.width - before.size.width) <= 1
    assert abs(after.size.height - before.size.height) <= 1


def test_times_that_vary_and_do_not_start_at_0_are_kept(tmp_path):
    ticks = [50, 51, 55, 56, 70, 71]
    path = write_video(tmp_path / "a.mkv", 6, ticks=ticks, time_base=Fraction(1, 25))
    found = playable(path)
    assert found is not None
    after = decoded(found.content, tmp_path)
    np.testing.assert_allclose(after.frame_seconds, (np.array(ticks) - 50) / 25, atol=1e-3)


def test_a_large_picture_gets_smaller(tmp_path):
    found = playable(write_video(tmp_path / "a.avi", 3, size=(1280, 720), codec="mpeg4"))
    assert found is not None
    after = decoded(found.content, tmp_path)
    assert after.size == (480, 270)


def test_what_decodes_of_a_damaged_file_is_encoded(tmp_path):
    path = damage(write_video(tmp_path / "a.mp4", 20, options={"g": "5", "bf": "0", "sc_threshold": "0"}))
    found = playable(path)
    assert found is not None
    assert decoded(found.content, tmp_path).num_frames == count_frames(path).num_frames < 20


def test_a_folder_of_frames(tmp_path):
    found = playable(write_pictures(tmp_path / "frames", moving_frames(12)))
    assert found is not None
    assert decoded(found.content, tmp_path).num_frames == 12


def test_a_long_video_gets_fewer_and_smaller_pictures(tmp_path):
    ticks = list(range(0, 700 * 25, 25))  # one frame a second, 700 seconds
    path = write_video(tmp_path / "a.mkv", 700, size=(640, 480), ticks=ticks, time_base=Fraction(1, 25))
    found = playable(path)
    assert found is not None
    after = decoded(found.content, tmp_path)
    assert after.size == (320, 240)
    assert after.frame_seconds[-1] == pytest.approx(699, abs=0.01)


def test_of_many_videos_each_takes_less(tmp_path):
    path = write_video(tmp_path / "a.mp4", 20, options={"bf": "0"})
    assert share_of(1) > share_of(10) > share_of(10_000) > 0
    found = playable(path, path.stat().st_size - 1)
    assert found is not None
    assert found.content != path.read_bytes()


def test_what_cannot_be_read_is_none(tmp_path):
    (tmp_path / "empty.mp4").touch()
    assert playable(tmp_path / "empty.mp4") is None
    assert playable(tmp_path / "none.mp4") is None


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


@pytest.mark.parametrize("ending", CODECS)
def test_the_sound_is_kept_in_step(tmp_path: Path, ending: str) -> None:
    path = write_clicks(tmp_path / f"a{ending}")
    found = playable(path)
    assert found is not None
    assert found.has_sound
    assert (found.content == path.read_bytes()) is (ending in (".mp4", ".webm"))
    out = tmp_path / f"found.{found.mime.split('/')[1]}"
    out.write_bytes(found.content)
    first = count_frames(path).frame_seconds[0]
    np.testing.assert_allclose(flashes(out), flashes(path) - first, atol=2e-3)
    np.testing.assert_allclose(clicks(out), clicks(path) - first, atol=5e-3)
    np.testing.assert_allclose(clicks(out), flashes(out), atol=0.01)
    assert len(clicks(out)) == len(MOMENTS)


@pytest.mark.parametrize("sound", [(0.5, 3.0), (-0.5, 6.0)], ids=["shorter", "longer"])
def test_sound_that_begins_and_ends_at_other_times_than_the_picture(tmp_path: Path, sound) -> None:
    found = playable(write_clicks(tmp_path / "a.mkv", start=3.0, sound=sound))
    assert found is not None
    out = tmp_path / "found.mp4"
    out.write_bytes(found.content)
    np.testing.assert_allclose(flashes(out), MOMENTS, atol=2e-3)
    np.testing.assert_allclose(clicks(out), MOMENTS, atol=0.01)
    with av.open(str(out)) as container:
        (heard,) = container.streams.audio
        assert heard.duration is not None
        assert float(heard.duration * heard.time_base) == pytest.approx(4.0, abs=0.1)


def test_sound_that_browsers_do_not_play_is_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CODECS, ".mp4", ("libx264", "ac3"))
    found = playable(write_clicks(tmp_path / "a.mp4"))
    assert found is not None
    (tmp_path / "found.mp4").write_bytes(found.content)
    with av.open(str(tmp_path / "found.mp4")) as container:
        (heard,) = container.streams.audio
        assert (heard.codec_context.name, heard.channels) == ("aac", 1)


def test_sound_with_too_few_bytes_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    path = write_clicks(tmp_path / "a.mkv")
    found = playable(path, 10_000)  # 20 kilobits a second
    assert found is not None
    assert not found.has_sound
    assert (
        found.silent_because == "The sound of this video is left out: the page would get too large with it."
    )
    (tmp_path / "found.mp4").write_bytes(found.content)
    with av.open(str(tmp_path / "found.mp4")) as container:
        assert len(container.streams) == 1
    low = playable(path, 20_000)
    assert low is not None
    assert low.has_sound


def test_without_sound_there_is_nothing_to_be_heard(tmp_path: Path) -> None:
    for name, codec in (("a.mp4", "libx264"), ("a.avi", "mpeg4")):
        found = playable(write_video(tmp_path / name, 5, codec=codec, options={"bf": "0"}))
        assert found is not None
        assert (found.has_sound, found.silent_because) == (False, "")
