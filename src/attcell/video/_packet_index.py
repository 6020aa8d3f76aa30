"""What a file's packets tell without decoding: when each frame is shown, and which need not be decoded.

In H.264 and HEVC every packet is one frame, and says whether another frame is built on it. Frames that no
other is built on are often half of all; a decoder told so passes over those that nobody wants. And where few
frames of a long video are wanted, decoding jumps from one key frame to another (``_keyframes.py``). Where the
packets leave a doubt, all frames are decoded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from attcell._walls import alive
from attcell.video._keyframes import PacketReader, Stretch, UnknownParts, random_access_points, stretches

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
    """

    pts: np.ndarray
    shown: np.ndarray
    places: tuple[int, ...]
    last_ticks: int
    random_access_points: list[int]
    ends: tuple[int, ...]

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


def read_packet_index(container: InputContainer, video: VideoStream, indexed: int = 0) -> PacketIndex | None:
    """Read all packets without decoding; None where they leave a doubt.

    A doubt is: a packet that is damaged or not to be shown, a stamp that is missing or double, more or fewer
    packets than the file's index has, or frames before the first key frame, which may never be shown.

    Args:
        container: open.
        video: a stream of one of ``CODECS``.
        indexed: the number of frames in the file's index; 0 if it has none.
    """
    seen = _seen(container, video)
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
    is_idr = np.array([packet.is_idr for packet in seen])
    return PacketIndex(
        pts[order],
        shown,
        tuple(packet.place for packet in seen),
        seen[order[-1]].ticks,
        random_access_points(shown, is_idr),
        (0,) if indexed else (0, int(shown[-1])),
    )


class _Seen(NamedTuple):
    """What is kept of a packet: not itself, for all of them would hold the whole file in memory."""

    pts: int | None
    place: int
    ticks: int
    is_key: bool
    is_idr: bool


def _seen(container: InputContainer, video: VideoStream) -> list[_Seen]:
    """All packets in the order of the file; none where one is damaged or not to be shown.

    No packet counts as an IDR picture where another is not made as expected.
    """
    configuration = bytes(video.codec_context.extradata or b"")
    reader: PacketReader | None = PacketReader(video.codec_context.name, configuration)
    seen: list[_Seen] = []
    for packet in packets(container, video):
        if packet.is_corrupt or packet.is_discard:
            return []
        is_idr = False
        try:
            is_idr = reader is not None and reader.is_idr(bytes(packet))
        except UnknownParts:
            reader = None
        place = packet.pts or 0 if packet.dts is None else packet.dts
        seen.append(_Seen(packet.pts, place, packet.duration or 0, packet.is_keyframe, is_idr))
    return seen if reader is not None else [packet._replace(is_idr=False) for packet in seen]


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
