"""Frames that need not be decoded: the same pictures, times and counts as by decoding everything."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from attcell.video import _passes as passes
from attcell.video import decode
from attcell.video._container import opened
from attcell.video._packet_index import may_skip, read_packet_index
from attcell.video.decode import count_frames, read_frames
from tests.damage import damage

B_FRAMES = {"options": {"bf": "3", "g": "12", "b-adapt": "0", "sc_threshold": "0"}}


@pytest.fixture
def num_decoded(monkeypatch) -> list[int]:
    """How many frames came out of the decoder, pass by pass."""
    passed: list[int] = []
    real = passes._shown_frames

    def counted(*arguments):
        passed.append(0)
        for frame in real(*arguments):
            passed[-1] += 1
            yield frame

    monkeypatch.setattr(passes, "_shown_frames", counted)
    return passed


def everything(path: Path, choose, monkeypatch, **options) -> decode.DecodedFrames:
    """The wanted frames by decoding all."""
    with monkeypatch.context() as patched:
        patched.setattr(passes, "may_skip", lambda *_: False)
        patched.setattr(passes, "CODECS", frozenset())
        return read_frames(path, choose, **options)


def assert_same(found: decode.DecodedFrames, expected: decode.DecodedFrames) -> None:
    np.testing.assert_array_equal(np.stack(found.images), np.stack(expected.images))
    assert found.info.frame_seconds.tolist() == expected.info.frame_seconds.tolist()
    for name in ("num_frames", "end_seconds", "size", "notes", "is_damaged"):
        assert getattr(found.info, name) == getattr(expected.info, name), name


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_wanted_frames_are_those_of_decoding_everything(make_video, monkeypatch, num_decoded, codec):
    options = B_FRAMES if codec == "libx264" else {"options": {"x265-params": "log-level=none:bframes=3"}}
    path = make_video("a.mp4", 40, codec=codec, **options)
    for wanted in ([0], [39], [1, 2, 3], [38, 5, 5, 17], list(range(39))):
        num_decoded.clear()
        found = read_frames(path, lambda num_frames, wanted=wanted: np.array(wanted))
        skipped = num_decoded.copy()
        assert_same(found, everything(path, lambda _, wanted=wanted: np.array(wanted), monkeypatch))
        assert len(skipped) == 1
        assert skipped[0] < 40 or len(wanted) == 39, "something was passed over"


def test_variable_rate_and_a_late_start(make_video, monkeypatch):
    ticks = [1000 + 40 * index + (index * 7) % 11 for index in range(30)]
    path = make_video("a.mp4", 30, ticks=ticks, time_base=Fraction(1, 1000), **B_FRAMES)
    wanted = np.array([3, 4, 22])
    found = read_frames(path, lambda num_frames: wanted)
    assert_same(found, everything(path, lambda _: wanted, monkeypatch))


def test_a_damaged_file_is_decoded_in_full(make_video, monkeypatch, num_decoded):
    path = damage(make_video("a.mp4", 20, options={"g": "5", "bf": "0", "sc_threshold": "0"}))
    wanted = np.array([0, 3])
    found = read_frames(path, lambda num_frames: wanted)
    assert len(num_decoded) > 1
    assert found.info.is_damaged
    assert found.info.notes == count_frames(path).notes
    assert_same(found, everything(path, lambda _: wanted, monkeypatch))


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "libx264"), ("a.mp4", "mpeg4"), ("a.avi", "mpeg4"), ("a.mov", "libx264")]
)
def test_only_indexed_files_of_known_codecs_are_spared(make_video, name, codec):
    with opened(make_video(name, codec=codec), None) as (container, video):
        assert (bool(passes._indexed(container, video)) and may_skip(video, [1])) == (name == "a.mov")


def test_nothing_is_spared_where_all_or_nothing_is_wanted(make_video):
    with opened(make_video("a.mp4", 5), None) as (_, video):
        assert not may_skip(video, range(5))
        assert not may_skip(video, [])


def test_a_file_cut_off_leaves_a_doubt(make_video):
    path = make_video("cut.mp4", 60, size=(320, 240), options={"movflags": "faststart", "bf": "2"})
    path.write_bytes(path.read_bytes()[:-400])
    with opened(path, None) as (container, video):
        assert read_packet_index(container, video, video.frames) is None


@pytest.mark.real
def test_real_files_give_what_decoding_everything_gives(real_data, monkeypatch, num_decoded):
    rng = np.random.default_rng(0)
    files = [path for folder in ("odd", "clips") for path in sorted((real_data / folder).glob("*.mp4"))]
    assert len(files) >= 8
    for path in files:
        num_frames = count_frames(path).num_frames
        wanted = np.sort(rng.choice(num_frames, min(8, num_frames - 1), replace=False))
        found = read_frames(path, lambda _, wanted=wanted: wanted)
        assert_same(found, everything(path, lambda _, wanted=wanted: wanted, monkeypatch))
