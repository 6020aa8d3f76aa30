"""Video files that are not what they should be."""

from __future__ import annotations

import wave
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from PIL import Image


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


def jpegs_with_exif(count: int, orientation: int | None) -> list[bytes]:
    """So many different JPEG pictures of 80 x 60 as a camera makes them, turned as EXIF says."""
    made = []
    for number in range(count):
        pixels = np.zeros((60, 80, 3), np.uint8)
        pixels[:30, : 5 + 5 * number], pixels[40:] = (200, 30, 30), (30, 30, 200)
        exif, file = Image.Exif(), BytesIO()
        exif[0x010F] = "a camera"
        if orientation is not None:
            exif[0x0112] = orientation
        Image.fromarray(pixels).save(file, "JPEG", exif=exif)
        made.append(file.getvalue())
    return made


def write_mjpeg(path: Path, pictures: list[bytes]) -> Path:
    """JPEG pictures of 80 x 60 as the packets of a video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 80, 60, "yuvj420p"
        for index, picture in enumerate(pictures):
            packet = av.Packet(picture)
            packet.pts = packet.dts = index
            packet.time_base, packet.stream = Fraction(1, 25), stream
            container.mux(packet)
    return path
