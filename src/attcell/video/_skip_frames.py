"""Frames of an MP4 that need not be decoded: nobody wants them, and no other frame is built on them.

In H.264 and HEVC these are often half of all frames, and a decoder told so passes over them. The file's index
says which packet holds which frame, and when it is shown. Where that is not certain, all frames are decoded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import av
from av.container import InputContainer
from av.video.stream import VideoStream

_CODECS = frozenset({"h264", "hevc"})  # every packet is one frame, and says whether another is built on it


@dataclass(frozen=True)
class Timetable:
    """When each frame of a file is shown, by its packets.

    Attributes:
        pts: the time stamps of all frames, in the order shown.
        last_ticks: duration of the last frame.
        wanted: time stamp → index of the wanted frames.
    """

    pts: tuple[int, ...]
    last_ticks: int
    wanted: dict[int, int]

    def prepare(self, video: VideoStream, packet: av.Packet) -> None:
        """Tell the decoder whether it may pass over the frame of this packet."""
        video.codec_context.skip_frame = "DEFAULT" if packet.pts in self.wanted else "NONREF"


def may_skip(video: VideoStream, wanted: Collection[int]) -> bool:
    """Whether there can be frames that need not be decoded."""
    return video.codec_context.name in _CODECS and 0 < len(wanted) < video.frames


def read_timetable(
    container: InputContainer, video: VideoStream, wanted: Collection[int]
) -> Timetable | None:
    """Read all packets without decoding, and go back to the first; None where the packets leave a doubt.

    A doubt is: a packet that is damaged or not to be shown, a stamp that is missing or double, more or fewer
    packets than the index has, or frames before the first key frame, which may never be shown.
    """
    seen = [  # not the packets themselves, which would hold the whole file in memory
        _Seen(packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe)
        for packet in _packets(container, video)
        if not (packet.is_corrupt or packet.is_discard)
    ]
    stamps = {packet.pts: packet.ticks for packet in seen if packet.pts is not None}
    if not len(stamps) == len(seen) == video.frames:
        return None
    order, first = sorted(stamps), seen[0]
    if not first.is_key or first.pts != order[0] or first.dts is None:
        return None
    container.seek(first.dts, stream=video, backward=True)
    return Timetable(tuple(order), stamps[order[-1]], {order[index]: index for index in wanted})


class _Seen(NamedTuple):
    """What is kept of a packet."""

    pts: int | None
    dts: int | None
    ticks: int
    is_key: bool


def _packets(container: InputContainer, video: VideoStream) -> Iterator[av.Packet]:
    """Those that hold something; a file that breaks off just ends, for its index promises more."""
    packets = container.demux(video)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if packet.size:
            yield packet
