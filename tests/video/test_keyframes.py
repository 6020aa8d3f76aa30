"""From key frame to key frame: the same pictures, times and counts as by decoding everything."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attcell.types import Size
from attcell.video import _packet_index as keyframes
from attcell.video import _passes as passes
from attcell.video._container import opened
from attcell.video._packet_index import (
    JUMP_COST,
    LEAST_SPARED,
    PacketReader,
    UnknownParts,
    random_access_points,
    read_packet_index,
    stretches,
)
from attcell.video.decode import count_frames, read_frames
from attcell.video.input_spec import InputSpec
from attcell.video.inputs import frames_around
from attcell.video.parts import ViewParts
from attcell.video.sampling import ViewPlan, random_frames
from tests.damage import damage
from tests.video.test_packet_index import assert_same, everything

X264 = {"preset": "ultrafast", "sc_threshold": "0"}


def write_moving(
    path: Path,
    num_frames: int,
    options: dict[str, str],
    *,
    codec: str = "libx264",
    ticks: list[int] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Noise that moves, so that pictures are built on others; frame i is shown at ticks[i] / 1000 seconds."""
    scene = np.random.default_rng(0).integers(0, 256, (96, 160, 3), dtype=np.uint8)
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for index in range(num_frames):
            left, top = index % 90, (2 * index) % 45
            picture = np.ascontiguousarray(scene[top : top + 48, left : left + 64])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = 40 * index if ticks is None else ticks[index]
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _random_video(folder: Path, random) -> Path:
    """Any group of pictures, open or closed, any rate, codec and container."""
    codec = random.choice(["libx264", "libx264", "libx265"])
    gop, b_frames, is_open = random.randint(1, 40), random.randint(0, 4), random.randint(0, 2) // 2
    if codec == "libx264":
        more = f"open-gop={is_open}:ref={random.randint(1, 4)}:b-pyramid={random.randint(0, 2)}"
        options = {**X264, "g": str(gop), "bf": str(b_frames), "x264-params": more}
    else:
        more = f"keyint={gop}:min-keyint={gop}:bframes={b_frames}:open-gop={is_open}:scenecut=0"
        options = {"preset": "ultrafast", "x265-params": f"log-level=none:{more}"}
    suffix = random.choice(["mp4", "mkv", "ts", *(["mov", "flv", "avi"] if codec == "libx264" else [])])
    num_frames = random.randint(30, 90)
    steps = [random.randint(15, 80) if random.randint(0, 1) else 40 for _ in range(num_frames)]
    ticks = np.cumsum(steps if random.randint(0, 1) else [40] * num_frames).tolist()
    return write_moving(folder / f"a.{suffix}", num_frames, options, codec=codec, ticks=ticks)


@pytest.fixture
def eager(monkeypatch):
    """Jump whenever a frame is spared."""
    monkeypatch.setattr(keyframes, "JUMP_COST", 0)
    monkeypatch.setattr(keyframes, "LEAST_SPARED", 1)


@pytest.fixture
def fed(monkeypatch) -> list[int]:
    """How many packets went into the decoder, pass by pass."""
    counts: list[int] = []
    real = passes._whole_frames

    def counted(packets, video, decoded):
        counts.append(0)

        def each():
            for packet in packets:
                counts[-1] += packet is not None
                yield packet

        yield from real(each(), video, decoded)

    monkeypatch.setattr(passes, "_whole_frames", counted)
    return counts


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(random=st.randoms(use_true_random=False))
def test_sparse_reading_gives_what_decoding_everything_gives(random, eager, monkeypatch, tmp_path_factory):
    """Of any video, for any number of segments and any streams."""
    path = _random_video(tmp_path_factory.mktemp("v"), random)
    spec = InputSpec(tuple(random.sample(["frame", "flow", "clip"], random.randint(1, 3))), clip_frames=8)
    num_segments, seed = random.randint(1, 8), random.randint(0, 99)

    def choose(num_frames):
        frame_indices = random_frames(num_frames, num_segments, np.random.default_rng(seed))
        return frames_around(frame_indices, num_frames, spec)

    found = read_frames(path, choose, size=lambda shown: Size(32, 24))
    wanted = everything(path, choose, monkeypatch, size=lambda shown: Size(32, 24))
    assert found.indices.tolist() == wanted.indices.tolist()
    assert_same(found, wanted)


def _closed(gop: int, b_frames: int = 2) -> dict[str, str]:
    return {**X264, "g": str(gop), "bf": str(b_frames)}


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "flv", "ts"])
def test_few_frames_of_a_long_video_take_few_packets(tmp_path, fed, monkeypatch, suffix):
    path = write_moving(tmp_path / f"a.{suffix}", 1000, _closed(10))
    wanted = np.array([5, 444, 445, 990])
    found = read_frames(path, lambda num_frames: wanted)
    assert len(fed) == 1
    assert fed[0] <= 4 * 10
    assert_same(found, everything(path, lambda _: wanted, monkeypatch))


def test_a_plan_of_segments_jumps_too(tmp_path, fed):
    path = write_moving(tmp_path / "a.mp4", 1000, _closed(20))
    parts = ViewParts(path, InputSpec(("frame", "clip"), clip_frames=4), ViewPlan(6))
    assert [part.start for part in parts] == [0]
    assert parts.info.num_frames == 1000
    assert len(fed) == 1
    assert fed[0] <= 7 * 20 + 6 * 2


@pytest.mark.parametrize(
    ("name", "num_frames", "options"),
    [
        ("short.mp4", LEAST_SPARED, _closed(10)),
        ("one group of pictures.mp4", 700, _closed(1000)),
        ("open.mp4", 700, {**_closed(10), "x264-params": "open-gop=1"}),
        ("no times.avi", 700, _closed(10)),
        ("half pictures.mp4", 700, {**_closed(10), "flags": "+ildct+ilme", "x264-params": "tff=1"}),
    ],
)
def test_all_is_decoded_where_nothing_is_spared_or_sure(
    tmp_path, fed, monkeypatch, name, num_frames, options
):
    path = write_moving(tmp_path / name, num_frames, options)
    wanted = np.array([3, num_frames - 5])
    found = read_frames(path, lambda _: wanted)
    assert fed[-1] == num_frames
    assert_same(found, everything(path, lambda _: wanted, monkeypatch))


def test_damage_where_it_is_decoded_leads_to_decoding_everything(tmp_path, fed, monkeypatch):
    path = damage(write_moving(tmp_path / "a.mp4", 1000, _closed(10, 0)))  # packet 500
    for wanted in ([0, 505], [0, 900]):  # lengths that are no packet's are seen anywhere
        fed.clear()
        choose = lambda num_frames, wanted=wanted: np.array(wanted)  # noqa: E731
        found = read_frames(path, choose)
        assert found.info.is_damaged
        assert fed[-1] == 1000
        assert_same(found, everything(path, choose, monkeypatch))


def _spoil(path: Path, number: int) -> None:
    """Fill the last part of a packet with other bytes: its lengths stay right, and its picture does not."""
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
    data = bytearray(path.read_bytes())
    middle = packet.pos + packet.size // 2
    data[middle : packet.pos + packet.size] = b"\xa5" * (packet.pos + packet.size - middle)
    path.write_bytes(data)


def test_damage_inside_a_picture_shows_only_where_it_is_decoded(tmp_path):
    """What the documents say of sparse reading; attcell data check decodes everything."""
    path = write_moving(tmp_path / "a.mp4", 1000, _closed(10, 0))
    _spoil(path, 500)
    assert count_frames(path).is_damaged
    assert read_frames(path, lambda _: np.array([0, 505])).info.is_damaged
    assert not read_frames(path, lambda _: np.array([0, 905])).info.is_damaged


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "flv", "ts"])
def test_a_file_that_is_cut_off_gives_what_decoding_everything_gives(tmp_path, eager, monkeypatch, suffix):
    monkeypatch.setattr(passes, "_MAX_THREADS", 1)  # several may or may not flag the frame that is cut off
    more = {"movflags": "faststart"} if suffix == "mp4" else {}
    path = write_moving(tmp_path / f"whole.{suffix}", 60, _closed(10), container_options=more)
    whole = path.read_bytes()
    path = tmp_path / f"cut.{suffix}"

    def choose(num_frames):
        return np.array([0, num_frames // 2, num_frames - 1])

    for left in range(len(whole) - 97, len(whole) // 2, -4997):
        path.write_bytes(whole[:left])
        assert_same(read_frames(path, choose), everything(path, choose, monkeypatch))


def test_a_packet_that_is_not_found_again_leads_to_decoding_everything(tmp_path, fed, monkeypatch):
    path = write_moving(tmp_path / "a.mp4", 1000, _closed(10))
    wanted = np.array([5, 505])
    real = passes.packets

    def without_some(container, video):
        return (packet for packet in real(container, video) if packet.pts != lost)

    with opened(path, None) as (container, video):
        table = read_packet_index(container, video, 1000)
        lost = table.pts[500]
    with monkeypatch.context() as patched:
        patched.setattr(passes, "packets", without_some)
        found = read_frames(path, lambda _: wanted)
    assert fed[-1] == 1000
    assert_same(found, everything(path, lambda _: wanted, monkeypatch))


@pytest.mark.real
def test_real_files_give_what_decoding_everything_gives(real_data, eager, monkeypatch):
    rng = np.random.default_rng(1)
    for folder in ("odd", "clips"):
        for path in sorted((real_data / folder).iterdir()):
            if path.suffix != ".json":
                num_frames = count_frames(path).num_frames
                wanted = rng.choice(num_frames, min(3, num_frames), replace=False)
                choose = lambda _, wanted=wanted: wanted  # noqa: E731
                assert_same(read_frames(path, choose), everything(path, choose, monkeypatch))


# The rule, and what packets say.


EVERY_100 = list(range(0, 2000, 100))


def test_stretches_begin_at_random_access_points_and_end_with_the_last_wanted_frame():
    found = stretches(2000, EVERY_100, [0, 150, 130, 1900, 1999])
    assert found == [(0, 1), (100, 151), (1900, 2000)]


def test_stretches_near_each_other_are_one():
    near = 100 - JUMP_COST
    assert stretches(2000, EVERY_100, [near, 105, 900]) == [(0, 106), (900, 901)]
    assert stretches(2000, EVERY_100, [near - 1, 105, 900]) == [(0, near), (100, 106), (900, 901)]


@pytest.mark.parametrize(("every", "wanted"), [(20, range(0, 2000, 20)), (400, [399, 799, 1199, 1599])])
def test_all_is_one_stretch_where_jumping_spares_too_little(every, wanted):
    assert stretches(2000, list(range(0, 2000, every)), wanted) == [(0, 2000)]


def test_a_frame_is_decoded_with_those_that_it_is_built_on(tmp_path):
    """Of a key frame, a frame built on it, and two between them, the one between comes third."""
    path = write_moving(tmp_path / "a.mp4", 1000, {**_closed(10, 2), "x264-params": "b-adapt=0"})
    with opened(path, None) as (container, video):
        table = read_packet_index(container, video, 1000)
    assert table.random_access_points == list(range(0, 1000, 10))
    assert table.plan([501]) == [(0, 1), (500, 503)]
    assert table.plan([]) == [(0, 1000)]


def test_an_entry_has_all_earlier_frames_before_it():
    is_idr = np.array([True, False, False, True, False, False, True, False])
    assert random_access_points(np.array([0, 2, 1, 3, 5, 4, 6, 7]), is_idr) == [0, 3, 6]
    assert random_access_points(np.array([0, 2, 1, 4, 3, 5, 6, 7]), is_idr) == [0, 6], (
        "a frame before the key frame follows it"
    )
    assert random_access_points(np.array([0, 2, 4, 3, 1, 5, 6, 7]), is_idr) == [0, 6], (
        "one of before is shown after it"
    )


def _sized(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


AVC = bytes([1, 100, 0, 13, 0xFF, 0xE1])  # an H.264 configuration: parts have their length in four bytes
HEVC = bytes([1, *[0] * 20, 0xFF, 0])
IDR, SLICE, SETTINGS = b"\x65\x88", b"\x41\x9a", b"\x67\x01\x02"


@pytest.mark.parametrize(
    ("codec", "configuration", "packet", "expected"),
    [
        ("h264", AVC, _sized(b"\x06\x05", IDR, b"\x65\x08"), True),
        ("h264", AVC, _sized(SLICE), False),
        ("h264", b"", b"\0\0\0\1\x09\x10\0\0\1" + IDR, True),
        ("h264", b"", b"\0\0\1" + SLICE, False),
        ("hevc", HEVC, _sized(b"\x26\x01\x80"), True),
        ("hevc", HEVC, _sized(b"\x28\x01\x80"), True),
        ("hevc", HEVC, _sized(b"\x2a\x01\x80"), False),  # CRA, of an open group of pictures
        ("hevc", HEVC, _sized(b"\x02\x01\xd0"), False),
    ],
)
def test_a_packet_says_whether_decoding_may_begin_there(codec, configuration, packet, expected):
    assert PacketReader(codec, configuration).is_idr(packet) is expected


@pytest.mark.parametrize(
    ("codec", "packet"),
    [
        ("h264", b""),
        ("h264", _sized(IDR)[:-1]),
        ("h264", b"\xff" * 40),
        ("h264", bytes(40)),
        ("h264", _sized(b"\xe5\x88")),  # a bit that is always 0
        ("h264", _sized(IDR, IDR)),  # two pictures, or two halves of one
        ("h264", _sized(b"\x06\x05")),  # no picture
        ("h264", _sized(b"\x42\x9a")),  # a part of a picture
        ("hevc", _sized(b"\x26\x09\x80")),  # another layer
        ("hevc", _sized(b"\x26\x01")),
    ],
)
def test_a_packet_that_is_made_otherwise_leaves_a_doubt(codec, packet):
    with pytest.raises(UnknownParts):
        PacketReader(codec, AVC if codec == "h264" else HEVC).is_idr(packet)


def test_parameters_may_be_repeated_and_not_changed():
    reader = PacketReader("h264", AVC)
    assert reader.is_idr(_sized(SETTINGS, IDR))
    assert reader.is_idr(_sized(SETTINGS, IDR))
    with pytest.raises(UnknownParts):
        reader.is_idr(_sized(SETTINGS[:-1] + b"\x03", IDR))
