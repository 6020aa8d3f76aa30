from __future__ import annotations

import itertools
import logging
from pathlib import Path

import pytest

from attcell.errors import CallError, VideoError
from attcell.video.live import source as module
from attcell.video.live.address import Address
from attcell.video.live.source import Came, Dropped, Ended, LiveFrame, LiveSource, Reconnected
from tests.paced_server import paced_server
from tests.video.conftest import numbers, write_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 frames at 25 a second, a key frame every 5."""
    folder = tmp_path_factory.mktemp("live")
    return write_video(folder / "a.ts", 50, options={"g": "5", "bf": "0", "tune": "zerolatency"})


def came_of(address: str, **options: float) -> tuple[LiveSource, list[Came]]:
    source = LiveSource(Address.of(address), lambda shown: shown, first_wait=0.05, **options)  # type: ignore[arg-type]
    with source:
        return source, list(source)


def test_a_file_gives_all_its_frames_with_times_from_0(clip):
    source, came = came_of(str(clip))
    frames = [of for of in came if isinstance(of, LiveFrame)]
    assert numbers([of.image for of in frames]) == [index % 28 for index in range(50)]
    assert [of.seconds for of in frames] == pytest.approx([index / 25 for index in range(50)])
    assert came[-1] == Ended()
    assert (source.num_frames, source.num_dropped, source.num_reconnects) == (50, 0, 0)


def test_a_stream_that_breaks_twice_goes_on_with_growing_times(clip, caplog):
    caplog.set_level(logging.INFO, "attcell")
    with paced_server(clip, 0.6, (0.5, 0.7)) as url:
        source, came = came_of(url, reconnects=3)
    seconds = [of.seconds for of in came if isinstance(of, LiveFrame)]
    assert all(one < other for one, other in itertools.pairwise(seconds))
    gaps = [of.gap_seconds for of in came if isinstance(of, Reconnected)]
    assert len(gaps) == source.num_reconnects == 2
    assert source.gap_seconds == pytest.approx(sum(gaps))
    assert min(gaps) >= 0.05
    assert len(seconds) == source.num_frames > 90, "two parts and the whole"
    fault = came[-1].fault  # type: ignore[union-attr]
    assert "did not come back in 3 attempts" in str(fault)
    told = [message for message in caplog.messages if "connect again in" in message]
    assert [message.rpartition(" in ")[2] for message in told[-3:]] == ["0.05 s", "0.1 s", "0.2 s"]
    assert sum("s of the stream are missing" in message for message in caplog.messages) == 2


def test_frames_that_do_not_fit_are_dropped_in_one_piece_and_counted(clip, monkeypatch):
    monkeypatch.setattr(module, "QUEUED_FRAMES", 10)
    with paced_server(clip, 0.2) as url:
        source = LiveSource(Address.of(url), lambda shown: shown, reconnects=0)
        with source:
            source._thread.join(5)  # nobody takes a frame before all have come
            came = list(source)
    frames = [of for of in came if isinstance(of, LiveFrame)]
    assert len(frames) + source.num_dropped == source.num_frames == 50
    assert sum(of.num_frames for of in came if isinstance(of, Dropped)) == source.num_dropped >= 40
    assert isinstance(came[-1], Ended)


def test_what_is_read_slowly_of_a_file_waits(clip, monkeypatch):
    monkeypatch.setattr(module, "QUEUED_FRAMES", 4)
    source, came = came_of(str(clip))
    assert not [of for of in came if isinstance(of, Dropped)]
    assert source.num_frames == 50


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gone.mp4", "--live gone.mp4: no such file; give a file, http://…, rtsp://…, camera:0, or - for"),
        ("s3://a/b.ts", "--live s3:// is not read; give a file, camera:0, -, or one of http://"),
        ("camera:x", "--live camera:x: a camera is named by its number, such as camera:0"),
        ("camera:987", "--live camera:987: "),
    ],
)
def test_addresses_that_are_none(text, message):
    with pytest.raises(CallError) as error:
        Address.of(text)
    assert str(error.value).startswith(message)


def test_a_list_of_other_files_is_no_stream(clip, tmp_path):
    (tmp_path / "list.ts").write_text(f"#EXTM3U\n#EXTINF:2,\n{clip}\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError, match="cannot be opened"):
        Address.of(str(tmp_path / "list.ts")).open()
    with (
        paced_server(tmp_path / "list.ts", 0.01) as url,
        pytest.raises(VideoError, match=r"cannot be opened|sends no pictures"),
    ):
        Address.of(url).open()


def test_a_password_is_shown_nowhere():
    address = Address.of("rtsp://me:secret@127.0.0.1:1/a")
    assert str(address) == "rtsp://127.0.0.1:1/a"
    with pytest.raises(VideoError) as error:
        address.open()
    assert str(error.value).startswith("rtsp://127.0.0.1:1/a: cannot be opened (Connection refused)")
    assert "secret" not in repr(error.value)
