"""Video files that are not what they should be."""

from __future__ import annotations

import wave
from pathlib import Path

import av


def damage(path: Path) -> Path:
    """Fill a packet in the middle of a video with ones: the frames up to the next key frame are lost."""
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    place, size = packets[len(packets) // 2]
    data = bytearray(path.read_bytes())
    data[place : place + size] = b"\xff" * size
    path.write_bytes(data)
    return path


def write_sound(path: Path) -> Path:
    """A tenth of a second of silence."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600))
    return path
