"""What a file's packets tell: damage, when each frame is shown, and which frames need not be decoded.

In H.264 and HEVC every packet is one frame, and says whether another frame is built on it. Frames that no
other is built on are often half of all; a decoder told so passes over those that nobody wants. And where few
frames of a long video are wanted, decoding jumps from one key frame to another. Where the packets leave a
doubt, all frames are decoded.

Decoding may begin at a key frame on which everything behind it is built, and nothing before it. In H.264 and
HEVC that is an *IDR* picture all of whose followers are also shown after it. A key frame that is none, as in
an open GOP (a group of pictures that looks over its edge), is no such random access point. The packets say so
themselves: their parts (NAL units) are looked through, not decoded. Wherever they leave a doubt, there are no
random access points, and the whole file is decoded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from attcell._remote import expect, is_remote
from attcell._walls import alive
from attcell.errors import VideoError
from attcell.video._container import opened
from attcell.video.info import DecodedPass

_JOINT = 2  # packets of an MPEG-TS before a key frame
_NOTICING = frozenset({"h264", "mpeg1video", "mpeg2video"})  # of 180 lost packets they missed 2, HEVC's half
CODECS = frozenset({"h264", "hevc"})  # every packet is one frame, and says whether another is built on it


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """When each frame of a file is shown, by its packets.

    Attributes:
        pts: (N,) int64, the time stamps of all frames, in the order shown.
        shown: (N,) int64, packet → the index of its frame.
        places: packet → the stamp by which it is sought.
        last_ticks: duration of the last frame.
        random_access_points: the packets where decoding may begin.
        ends: frames that are always decoded: the first one, which decides the size of all; and that of the
            last packet of a file without an index, where it shows that a file was cut off.
        is_sure: False where the contents of the packets were not looked at: decoding may perhaps not begin at
            a random access point.
    """

    pts: np.ndarray
    shown: np.ndarray
    places: tuple[int, ...]
    last_ticks: int
    random_access_points: list[int]
    ends: tuple[int, ...]
    is_sure: bool = True

    def plan(self, wanted: Collection[int]) -> list[Stretch]:
        """The stretches of packets to decode for these frames; the whole file where nothing is gained."""
        num_packets = len(self.shown)
        if not wanted:
            return [Stretch(0, num_packets)]
        needed = self.shown.argsort()[[*self.ends, *wanted]]
        return stretches(num_packets, self.random_access_points, needed.tolist())


def may_skip(video: VideoStream, wanted: Collection[int]) -> bool:
    """Whether there can be frames of an indexed file that need not be decoded."""
    return video.codec_context.name in CODECS and 0 < len(wanted) < video.frames


def packet_index_of(
    path: Path, stream: int | None, container: InputContainer, video: VideoStream, indexed: int
) -> PacketIndex | None:
    """As :func:`read_packet_index`. An MP4 on a server tells all but its packets' contents in its index, and
    those of the stretches that are decoded are looked at when they come.
    """
    if is_remote(path) and indexed and len(video.index_entries) == indexed:
        with opened(path, stream, is_outline=True) as (outline, same):
            return read_packet_index(outline, same, indexed, is_outline=True)
    return read_packet_index(container, video, indexed)


def expect_stretch(path: Path, video: VideoStream, stretch: Stretch) -> None:
    """Have a server send all of a stretch at once, whose packets a complete index has.

    Raises:
        VideoError: it does not.
    """
    first, last = (video.index_entries[place] for place in (stretch.start, stretch.end - 1))
    try:
        expect(path, first.pos, last.pos + last.size)
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror or error})") from None


def read_packet_index(
    container: InputContainer, video: VideoStream, indexed: int = 0, *, is_outline: bool = False
) -> PacketIndex | None:
    """Read all packets without decoding; None where they leave a doubt.

    A doubt is: a packet that is damaged or not to be shown, a stamp that is missing or double, more or fewer
    packets than the file's index has, or frames before the first key frame, which may never be shown.

    Args:
        container: open.
        video: a stream of one of ``CODECS``.
        indexed: the number of frames in the file's index; 0 if it has none.
        is_outline: the contents of packets are not there: each key frame of the file's index, which has all
            packets, counts as an IDR picture.
    """
    seen = _seen(container, video, is_outline=is_outline)
    if not seen or (indexed and len(seen) != indexed):
        return None
    first, stamps = seen[0], {packet.pts for packet in seen}
    if None in stamps or len(stamps) != len(seen):
        return None
    pts = np.array([packet.pts for packet in seen])
    order = pts.argsort()
    if not first.is_key or order[0] != 0:
        return None
    shown = np.empty_like(order)
    shown[order] = np.arange(len(order))
    is_idr = np.array(
        [of.is_keyframe for of in video.index_entries] if is_outline else [of.is_idr for of in seen]
    )
    return PacketIndex(
        pts[order],
        shown,
        tuple(packet.place for packet in seen),
        seen[order[-1]].ticks,
        random_access_points(shown, is_idr),
        (0,) if indexed else (0, int(shown[-1])),
        is_sure=not is_outline,
    )


class _Seen(NamedTuple):
    """What is kept of a packet: not itself, for all of them would hold the whole file in memory."""

    pts: int | None
    place: int
    ticks: int
    is_key: bool
    is_idr: bool


def reader_of(video: VideoStream) -> PacketReader:
    """What tells of the packets of a stream."""
    return PacketReader(video.codec_context.name, bytes(video.codec_context.extradata or b""))


def _seen(container: InputContainer, video: VideoStream, *, is_outline: bool) -> list[_Seen]:
    """All packets in the order of the file; none where one is damaged or not to be shown.

    No packet counts as an IDR picture where another is not made as expected.
    """
    reader = None if is_outline else reader_of(video)  # packets without contents tell nothing
    seen: list[_Seen] = []
    for packet in packets(container, video):
        if packet.is_corrupt or packet.is_discard:
            return []
        is_idr = False
        try:
            is_idr = reader is not None and reader.is_idr(bytes(packet))
        except UnknownParts:
            reader = None
        # By its decoding stamp an MP4 would be sought from the key frame before, which is much to send.
        place = packet.pts or 0 if packet.dts is None or is_outline else packet.dts
        seen.append(_Seen(packet.pts, place, packet.duration or 0, packet.is_keyframe, is_idr))
    return seen if reader is not None or is_outline else [packet._replace(is_idr=False) for packet in seen]


def packets(container: InputContainer, video: VideoStream) -> Iterator[av.Packet]:
    """The packets that hold something; a file that breaks off just ends, and its index promises more."""
    found = container.demux(video)
    while True:
        alive()
        try:
            packet = next(found, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if packet.size:
            yield packet


def noted_packets(
    container: InputContainer, video: VideoStream, decoded: DecodedPass
) -> Iterator[av.Packet | None]:
    """The stream's packets, then None to flush the decoder; what they tell is noted in ``decoded``.

    In an MPEG-TS an incomplete packet is one whose number does not follow, or the one before it. Shortly
    before a key frame that may be where files were joined, and nothing is missing: it is where the times
    begin again, or where the decoder is one that notices what is missing.
    """
    found = container.demux(video)
    until_key = _JOINT if container.format.name == "mpegts" else 0
    notices = video.codec_context.name in _NOTICING
    doubt, latest = 0, None  # packets in which a joint may still come; the latest packet's stamp
    while True:
        alive()
        try:
            packet = next(found, None)
        except av.FFmpegError as error:
            decoded.cut_off = decoded.cut_off or error.strerror or str(error)
            packet = None
        if packet is None:
            break
        if not packet.size:  # an AVI's repeated frame, or PyAV's flush: the decoder would end with either
            continue
        decoded.num_packets += not packet.is_discard
        if doubt:
            again = latest is not None and packet.dts is not None and packet.dts < latest
            is_joint = packet.is_keyframe and (again or notices)
            doubt = 0 if is_joint else doubt - 1
            if not doubt and not is_joint:
                decoded.cut_off = decoded.cut_off or "a packet is incomplete"
        latest = packet.dts
        if packet.is_corrupt:
            doubt = until_key
            if not doubt:
                decoded.cut_off = decoded.cut_off or "a packet is incomplete"
        yield packet
    if doubt:
        decoded.cut_off = decoded.cut_off or "a packet is incomplete"
    yield None


# Where the decoding of a file may begin, and which stretches of it are decoded to get some frames.

# A rule by what was measured (benchmarks/keyframes.py): a jump empties the decoder and fills it again.
JUMP_COST = 16  # frames that could be decoded in the time of a jump
LEAST_SPARED = 500  # frames; for less a file is decoded in full, which tells its damage too


class Stretch(NamedTuple):
    """Packets decoded in one go, from a random access point: their places in the file, end excluded."""

    start: int
    end: int


def stretches(
    num_packets: int, random_access_points: Sequence[int], needed: Collection[int]
) -> list[Stretch]:
    """The stretches to decode, in order; the whole file in one where jumping spares too little.

    Args:
        num_packets: N.
        random_access_points: the packets where decoding may begin, rising.
        needed: the packets whose frames are wanted.
    """
    whole = [Stretch(0, num_packets)]
    if len(random_access_points) < 2:
        return whole
    found: list[Stretch] = []
    starts = np.array(random_access_points)
    for place in sorted(set(needed)):
        start = int(starts[np.searchsorted(starts, place, "right") - 1])
        if found and start - found[-1].end < JUMP_COST:  # the same group of pictures, or as good as the next
            found[-1] = Stretch(found[-1].start, place + 1)
        else:
            found.append(Stretch(start, place + 1))
    cost = sum(end - start + JUMP_COST for start, end in found)
    return found if num_packets - cost >= LEAST_SPARED else whole


def random_access_points(shown: np.ndarray, is_idr: np.ndarray) -> list[int]:
    """The packets where decoding may begin.

    Args:
        shown: (N,) int64, packet → the index of its frame in the order shown.
        is_idr: (N,) bool, packet → whether it holds an IDR picture.
    """
    before = np.concatenate([[-1], np.maximum.accumulate(shown)[:-1]])  # the latest frame of those before
    places = np.arange(len(shown))
    return np.flatnonzero(is_idr & (shown == places) & (before == places - 1)).tolist()


# The parts of a packet (NAL units).

_OTHER, _PARAMETERS, _PICTURE, _IDR = range(4)


class UnknownParts(Exception):
    """A packet that is not made as expected: nothing is known of where decoding may begin."""


class PacketReader:
    """Tells of each packet of a file, in order, whether it holds an IDR picture.

    Args:
        codec: ``h264`` or ``hevc``.
        configuration: the stream's extradata, which says how the parts of a packet are told apart.
    """

    def __init__(self, codec: str, configuration: bytes) -> None:
        self._kind = _h264_kind if codec == "h264" else _hevc_kind
        place = 4 if codec == "h264" else 21
        is_sized = len(configuration) > place and configuration[0] == 1
        self._length = (configuration[place] & 3) + 1 if is_sized else 0
        self._configuration = configuration
        self._is_first = True

    def is_idr(self, packet: bytes) -> bool:
        """Whether the packet holds an IDR picture.

        Raises:
            UnknownParts: it does not hold one whole picture, or brings parameters that no packet before had.
        """
        parts = _sized_parts(packet, self._length) if self._length else _marked_parts(packet)
        pictures = []
        for start, end in parts:
            kind = self._kind(packet, start, end)
            if kind == _PARAMETERS and packet[start:end] not in self._configuration:
                if not self._is_first:  # a jump would pass over them
                    raise UnknownParts
                self._configuration += packet[start:end]
            elif kind in (_PICTURE, _IDR):
                pictures.append(kind)
        if len(pictures) != 1:
            raise UnknownParts
        self._is_first = False
        return pictures[0] == _IDR

    def follows(self, packet: bytes, *, is_first: bool) -> bool:
        """Whether a packet is made as expected, and the first of a stretch such that decoding may begin."""
        try:
            return self.is_idr(packet) or not is_first
        except UnknownParts:
            return False


def _sized_parts(packet: bytes, length: int) -> Iterator[tuple[int, int]]:
    """Start and end of each part, before which its length stands."""
    place = 0
    while place < len(packet):
        start = place + length
        place = start + int.from_bytes(packet[place:start], "big")
        yield start, place
    if place != len(packet):
        raise UnknownParts


def _marked_parts(packet: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each part, before which 0, 0, 1 stands."""
    start = packet.find(_MARK) + 3
    if start < 3:
        raise UnknownParts
    while start >= 3:
        following = packet.find(_MARK, start)
        yield start, len(packet) if following < 0 else following
        start = following + 3


_MARK = b"\0\0\1"


def _h264_kind(packet: bytes, start: int, end: int) -> int:
    if end - start < 2 or end > len(packet) or packet[start] & 0x80:
        raise UnknownParts
    number, is_first_slice = packet[start] & 31, packet[start + 1] & 0x80
    if number in (1, 5):
        return (_IDR if number == 5 else _PICTURE) if is_first_slice else _OTHER
    if number in (2, 3, 4):  # a picture in partitions
        raise UnknownParts
    return _PARAMETERS if number in (7, 8, 13, 15) else _OTHER


def _hevc_kind(packet: bytes, start: int, end: int) -> int:
    if end - start < 3 or end > len(packet) or packet[start] & 0x81 or packet[start + 1] & 0xF8:
        raise UnknownParts  # damaged, or of another layer
    number, is_first_slice = packet[start] >> 1, packet[start + 2] & 0x80
    if number < 32:
        return (_IDR if number in (19, 20) else _PICTURE) if is_first_slice else _OTHER
    return _PARAMETERS if number in (32, 33, 34) else _OTHER
