"""Where the decoding of a file may begin, and which stretches of it are decoded to get some frames.

Decoding may begin at a key frame on which everything behind it is built, and nothing before it. In H.264 and
HEVC that is an *IDR* picture all of whose followers are also shown after it. A key frame that is none, as in
an open GOP (a group of pictures that looks over its edge), is no such random access point. The packets say so
themselves: their parts (NAL units) are looked through, not decoded. Wherever they leave a doubt, there are no
random access points, and the whole file is decoded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np

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
