"""One pass over a video file: all of its packets, or some stretches of them; all frames of any video."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, dropwhile, islice
from pathlib import Path
from typing import TypeVar, cast

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from attcell._paths import is_folder
from attcell.errors import CallError, VideoError
from attcell.types import Size
from attcell.video._container import opened, shown_size, to_rgb
from attcell.video._ending import cut_off
from attcell.video._packet_index import (
    CODECS,
    PacketIndex,
    Stretch,
    expect_stretch,
    may_skip,
    noted_packets,
    packet_index_of,
    packets,
    reader_of,
)
from attcell.video.features import NO_PICTURE, ROW_SECONDS, Rows, is_features, open_features
from attcell.video.frame_folder import open_frames
from attcell.video.info import DecodedPass, VideoInfo, Wanted

Picture = Callable[[], np.ndarray]  # gives a frame as RGB (H, W, 3) uint8

Outcome = TypeVar("Outcome")
_DURATION = re.compile(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d+)?)")  # in the tags of a Matroska file's streams
_MAX_THREADS = 16  # FFmpeg's own bound; it would take one more than there are cores, which is slower
# Decoders that, told to, never give a frame that damage changed. FFV1, HuffYUV and VP8 do, by measurement.
_ENDS_AT_DAMAGE = frozenset(
    {"h264", "hevc", "libdav1d", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "prores", "vp9", "wmv2"}
)
SOME_RATE = 25.0  # frames a second, where a file gives neither times nor a rate


Sizing = Callable[[Size], Size]  # the size of the frames as shown -> the one they are kept at


def every_frame_decoded(
    path: Path,
    stream: int | None,
    plan: Callable[[int], Collection[int]],
    threads: str,
    size: Sizing | None = None,
) -> Generator[Wanted, None, DecodedPass]:
    """Decode the whole file on many threads ("AUTO") or on one ("NONE"); the wanted frames come in their
    order, and then what the pass was like.

    ``plan`` gets the number of frames in an MP4's index (0 for other files) and gives the wanted ones.
    """
    with opened(path, stream) as (container, video):
        wanted = plan(_indexed(container, video))
        return (yield from _all(path, container, video, wanted, threads, size))


def needed_frames_decoded(
    path: Path, stream: int | None, plan: Callable[[int], Collection[int]], size: Sizing | None = None
) -> Generator[Wanted, None, DecodedPass | None]:
    """As :func:`every_frame_decoded` on many threads, but pass over frames that need not be decoded.

    None in the end means that something is not as the file's index promises: decode the file in full.
    """
    with opened(path, stream) as (container, video):
        indexed, is_known = _indexed(container, video), video.codec_context.name in CODECS
        wanted = plan(indexed) if indexed or not is_known else ()
        if not is_known or (indexed and not may_skip(video, wanted)):
            return (yield from _all(path, container, video, wanted, "AUTO", size))
        table = packet_index_of(path, stream, container, video, indexed)
        if table is None and indexed:
            return None
        if table is not None:
            wanted = wanted or plan(len(table.pts))
            some = _Some(path, table, wanted, table.plan(wanted))
            if indexed or len(some.stretches) > 1:
                return (yield from some.decoded(container, video, size))
    again = plan if table is None else lambda _: wanted
    return (yield from every_frame_decoded(path, stream, again, "AUTO", size))


def at_its_end(frames: Generator[Wanted, None, Outcome]) -> Outcome:
    """What a pass was like of which no frame is kept."""
    while True:
        try:
            next(frames)
        except StopIteration as end:
            return cast("Outcome", end.value)


def _indexed(container: InputContainer, video: VideoStream) -> int:
    """The number of frames in an MP4's index; 0 for other files, whose headers are guesses."""
    return video.frames if "mp4" in container.format.name else 0


def _all(
    path: Path,
    container: InputContainer,
    video: VideoStream,
    wanted: Collection[int],
    threads: str,
    size: Sizing | None,
) -> Generator[Wanted, None, DecodedPass]:
    decoded = _prepared(path, container, video, threads)
    reformatter = VideoReformatter()  # one for all: setting up a conversion costs as much as doing it
    found = noted_packets(container, video, decoded)
    for index, frame in enumerate(_shown_frames(found, video, decoded, size)):
        if index in wanted:
            yield Wanted(index, to_rgb(frame, decoded.kept_size, reformatter), decoded.seconds_of)
    return decoded


@dataclass(frozen=True, eq=False)
class _Some:
    """Some frames of a file, by its packet index.

    Attributes:
        path: the file.
        table: when each frame is shown.
        wanted: indices of frames.
        stretches: of packets, which are decoded; frames that nobody wants and no other is built on are passed
            over.
    """

    path: Path
    table: PacketIndex
    wanted: Collection[int]
    stretches: Sequence[Stretch]

    def decoded(
        self, container: InputContainer, video: VideoStream, size: Sizing | None
    ) -> Generator[Wanted, None, DecodedPass | None]:
        """The wanted frames, and what the pass was like; None where something is damaged, missing, of another
        size, or not where the packet index has it: at the latest before a frame that comes after a missing
        one.
        """
        table, decoded = self.table, _prepared(self.path, container, video, "AUTO")
        reformatter = VideoReformatter()
        missing: dict[int | None, int] = {int(table.pts[index]): index for index in self.wanted}
        following = iter(sorted(self.wanted))
        ticks = decoded.seconds_per_tick

        def times(indices: np.ndarray) -> np.ndarray:
            return table.pts[indices] * ticks[0] / ticks[1]

        jumps = len(self.stretches) > 1
        try:
            for frame in _shown_frames(self._packets(container, video, decoded), video, decoded, size):
                index = missing.pop(frame.pts, None)
                if index is not None:
                    if index != next(following):
                        return None
                    yield Wanted(index, to_rgb(frame, decoded.kept_size, reformatter), times)
                if jumps and frame.interlaced_frame:  # a packet may be half a frame
                    return None
        except _NotThere:
            return None
        if decoded.is_damaged or decoded.other_sizes or missing:
            return None
        decoded.pts, decoded.dts = table.pts.tolist(), [None] * len(table.pts)
        decoded.last_ticks = table.last_ticks
        return decoded

    def _packets(
        self, container: InputContainer, video: VideoStream, decoded: DecodedPass
    ) -> Iterator[av.Packet | None]:
        """The packets of each stretch, and None after each, to flush the decoder."""
        kept = {int(self.table.pts[index]) for index in {*self.wanted, *self.table.ends}}
        is_sure = self.table.is_sure or len(self.stretches) == 1
        reader = None if is_sure else reader_of(video)
        for start, end in self.stretches:
            if reader is not None:
                expect_stretch(self.path, video, Stretch(start, end))
            found = self._from(container, video, start)
            for place, packet in enumerate(islice(found, end - start), start):
                if reader is not None and not reader.follows(bytes(packet), is_first=place == start):
                    raise _NotThere
                decoded.num_packets += 1
                video.codec_context.skip_frame = "DEFAULT" if packet.pts in kept else "NONREF"
                yield packet
            yield None

    def _from(self, container: InputContainer, video: VideoStream, start: int) -> Iterator[av.Packet]:
        """The packets from one on; the decoder is emptied for them."""
        table = self.table
        stamp = table.pts[table.shown[start]]
        container.seek(table.places[start], stream=video, backward=True)
        found = dropwhile(lambda packet: packet.pts != stamp, packets(container, video))
        first = next(found, None)
        if first is None:
            raise _NotThere
        return chain([first], found)


class _NotThere(Exception):
    """A packet is not found where the packet index has it, or is another than that says."""


class EveryFrame:
    """All frames of a video file, or of a folder of frames, as RGB, one after another, in constant memory.

    Iterate it once; then ``info`` tells what the video held. One thread decodes, so that a damaged
    file gives the same frames on every machine.

    Args:
        path: a video file, or a folder of frames.
        size: the size of the frames as shown -> the one to give them at; as they are if None.
        frames: which frames of a folder, counted from 0, are the video; all if None.
        row_seconds: from one row of a file of features to the next.

    Raises:
        CallError: ``frames`` of a file.
        VideoError: on iteration, the file is missing, empty or not a video, or the folder is none of frames;
            from ``info``, nothing decoded.
    """

    def __init__(
        self,
        path: Path,
        size: Sizing | None = None,
        frames: range | None = None,
        row_seconds: float = ROW_SECONDS,
    ) -> None:
        if not is_folder(path):
            refuse_window(path, frames)
        self.path = path
        self._row_seconds = row_seconds
        self._frames = frames
        self._size = size
        self._decoded: DecodedPass | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        for picture in self.pictures():
            yield picture()

    def pictures(self) -> Iterator[Picture]:
        """The same, each frame converted only when it is called: most of the cost is in that."""
        if is_folder(self.path):
            folder = open_frames(self.path, self._frames)
            self._decoded = pictures = folder.new_pass()
            for image in folder.frames(pictures, self._size):
                yield partial(np.asarray, image)
            return
        if is_features(self.path):
            self._decoded = rows = Rows.of(self.path, self._row_seconds)
            yield from (partial(np.asarray, NO_PICTURE) for _ in rows.pts)
            return
        with opened(self.path, None) as (container, video):
            self._decoded = decoded = _prepared(self.path, container, video, "NONE")
            reformatter = VideoReformatter()
            for frame in _shown_frames(noted_packets(container, video, decoded), video, decoded, self._size):
                yield partial(to_rgb, frame, decoded.kept_size, reformatter)

    def times(self, frame_indices: np.ndarray) -> np.ndarray:
        """(n,) seconds of frames that have come, as far as can be told yet."""
        assert self._decoded is not None, "iterate first"
        return self._decoded.seconds_of(frame_indices)

    @property
    def info(self) -> VideoInfo:
        """What was decoded so far: of the whole video once all frames were taken."""
        assert self._decoded is not None, "iterate first"
        return self._decoded.info(self.path)


def _prepared(path: Path, container: InputContainer, video: VideoStream, threads: str) -> DecodedPass:
    """Set the decoder up, and note what the header says.

    On one thread a decoder gives of a damaged file what it can, and the same in every run. On several it may
    give other frames each time, and the note that one is damaged may come too late, so there damage ends the
    frame: that is never missed, and the file is decoded again on one.
    """
    context = video.codec_context
    video.thread_type = threads if context.name in _ENDS_AT_DAMAGE else "NONE"
    if threads != "NONE":
        context.options = {"err_detect": "explode"}
    context.thread_count = min(os.cpu_count() or 1, _MAX_THREADS)
    ticks = video.time_base
    rate = video.average_rate or video.guessed_rate or SOME_RATE
    assert ticks is not None  # FFmpeg gives every stream one
    decoded = DecodedPass((ticks.numerator, ticks.denominator), float(rate), video.frames)
    decoded.cut_off = cut_off(path, container.format.name)
    if container.format.name.startswith("matroska"):
        decoded.header_end = _promised_end(container, video)
    return decoded


def _promised_end(container: InputContainer, video: VideoStream) -> float:
    """When the video ends, in seconds: by its own tag, or else when the file ends. 0 where neither tells: a
    file with subtitles may last longer than its video.
    """
    own = _DURATION.fullmatch(video.metadata.get("DURATION", ""))
    if own is not None:
        return 3600 * int(own[1]) + 60 * int(own[2]) + float(own[3])
    if container.duration is None or any(of.type == "subtitle" for of in container.streams):
        return 0.0
    return ((container.start_time or 0) + container.duration) / av.time_base


def _shown_frames(
    packets: Iterable[av.Packet | None], video: VideoStream, decoded: DecodedPass, size: Sizing | None
) -> Iterator[VideoFrame]:
    """The frames to keep, in the order they are shown; what they tell is noted in ``decoded``."""
    for frame in _whole_frames(packets, video, decoded):
        stored_size = Size(frame.width, frame.height)
        if not decoded.pts:
            decoded.stored_size, decoded.shown_size = stored_size, shown_size(frame)
            decoded.kept_size = size(decoded.shown_size) if size else decoded.shown_size
        elif stored_size != decoded.stored_size:
            decoded.other_sizes.add(stored_size)
        decoded.add_frame(frame.pts, frame.dts)
        decoded.last_ticks = frame.duration
        decoded.num_flagged += frame.is_corrupt
        yield frame


def _whole_frames(
    packets: Iterable[av.Packet | None], video: VideoStream, decoded: DecodedPass
) -> Iterator[VideoFrame]:
    """The frames to keep, in the order they are shown; damage is counted in ``decoded``."""
    is_broken = False
    for packet in packets:
        try:
            frames = video.decode(packet)
        except av.FFmpegError:
            decoded.num_refused += 1
            is_broken = bool(decoded.pts)
            continue
        for frame in frames:
            is_broken = is_broken and not frame.key_frame
            if not is_broken:
                yield frame


def promised_frames(path: Path, *, stream: int | None = None, frames: range | None = None) -> int:
    """How many frames a video's packets promise, without decoding.

    Of a folder of frames it is the number of its pictures, or of those in the window ``frames``; of a file of
    features that of its rows.

    Raises:
        VideoError: the file is missing, empty or not a video; the folder is none of frames, or has a gap.
        CallError: ``frames`` of a file.
    """
    if is_folder(path):
        return len(open_frames(path, frames).names)
    refuse_window(path, frames)
    if is_features(path):
        return len(open_features(path))
    with opened(path, stream) as (container, video):
        counted = DecodedPass((1, 1), SOME_RATE, 0)
        for _ in noted_packets(container, video, counted):
            pass
        return counted.num_packets


def check_opens(path: Path, frames: range | None = None) -> None:
    """A quick look whether a video can be opened: its header and first packet, or the names in a folder of
    frames.

    Raises:
        VideoError, CallError: as of :func:`promised_frames`; and a file without any packet of video.
    """
    if is_folder(path):
        open_frames(path, frames)
        return
    refuse_window(path, frames)
    if is_features(path):
        open_features(path)
        return
    with opened(path, None) as (container, video):
        if next(noted_packets(container, video, DecodedPass((1, 1), SOME_RATE, 0))) is None:
            raise VideoError(
                f"{path}: it has a header and no pictures behind it: it was probably cut off while it was "
                "copied or recorded. Get it again, or leave it out."
            )


def refuse_window(path: Path, frames: range | None) -> None:
    """Raise a CallError for a window of a video file: it would have to be decoded from its beginning."""
    if frames is not None:
        raise CallError(
            f"{path}: {len(frames)} frames from frame {frames.start} on were asked for; a part of the frames "
            "can be had of a folder of frames alone"
        )
