"""What damages bytes, packets and text. Each takes a generator of random numbers: the same by seed."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.damage.originals import FPS, HEIGHT, WIDTH

Rng = np.random.Generator
OfBytes = Callable[[Rng, bytes, bytes], bytes]  # of a file, and of another one
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEADER = 600  # bytes


# Bytes


def bits(rng: Rng, data: bytes, _: bytes) -> bytes:
    """1 to 64 bits the other way round."""
    changed = bytearray(data)
    for place in rng.integers(0, 8 * len(data), int(2 ** rng.uniform(0, 6))):
        changed[place // 8] ^= 1 << (place % 8)
    return bytes(changed)


def cut(rng: Rng, data: bytes, _: bytes) -> bytes:
    """The beginning alone."""
    return data[: int(rng.integers(0, len(data)))]


def hole(rng: Rng, data: bytes, _: bytes) -> bytes:
    """A piece taken out."""
    start, end = _span(rng, len(data))
    return data[:start] + data[end:]


def zeros(rng: Rng, data: bytes, _: bytes) -> bytes:
    """A piece of zeros or ones."""
    start, end = _span(rng, len(data))
    return data[:start] + bytes([int(rng.choice((0, 255)))]) * (end - start) + data[end:]


def splice(rng: Rng, data: bytes, other: bytes) -> bytes:
    """A piece of another file in place of one, or put in."""
    start, end = _span(rng, len(data))
    first, last = _span(rng, len(other))
    return data[:start] + other[first:last] + data[start if rng.random() < 0.5 else end :]


def header(rng: Rng, data: bytes, _: bytes) -> bytes:
    """A field near the beginning or the end set to an extreme."""
    width = int(rng.choice((1, 2, 4, 8)))
    most = min(_HEADER, len(data) - width)
    if most <= 0:
        return data
    place = int(rng.integers(0, most + 1))
    if rng.random() < 0.3:
        place = len(data) - width - place
    return _with_number(rng, data, place, width)


def numbers(rng: Rng, data: bytes, _: bytes) -> bytes:
    """A size, a rate or a count set to an extreme wherever it stands."""
    wanted = int(rng.choice((WIDTH, HEIGHT, FPS, 1000, 12800, 48_000, 90_000, 16)))
    places = []
    for width, code in ((2, "H"), (4, "I")):
        for order in "<>":
            with suppress(struct.error):
                pattern, at = struct.pack(order + code, wanted), -1
                while (at := data.find(pattern, at + 1)) >= 0:
                    places.append((at, width))
    if not places:
        return header(rng, data, b"")
    at, width = places[int(rng.integers(len(places)))]
    return _with_number(rng, data, at, width)


def other_file(rng: Rng, data: bytes, other: bytes) -> bytes:
    """Another file, an empty one, or noise."""
    return (other, b"", rng.bytes(len(data)))[int(rng.integers(3))]


def atoms(rng: Rng, data: bytes, _: bytes) -> bytes:
    """A box of an MP4 or MOV in another place, there twice, or missing; of other files a sixteenth."""
    pieces = _boxes(data)
    if rng.random() < 0.6:
        for number, piece in enumerate(pieces):
            if piece[4:8] == b"moov":
                inner = _mixed(rng, _boxes(piece[8:]))
                body = b"".join(inner)
                pieces[number] = struct.pack(">I", len(body) + 8) + b"moov" + body
                return b"".join(pieces)
    return b"".join(_mixed(rng, pieces))


def _boxes(data: bytes) -> list[bytes]:
    pieces, at = [], 0
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if size < 8 or at + size > len(data) or not data[at + 4 : at + 8].isalnum():
            break
        pieces.append(data[at : at + size])
        at += size
    rest = data[at:]
    if len(pieces) < 2:
        step = max(1, len(data) // 16)
        return [data[i : i + step] for i in range(0, len(data), step)]
    return pieces + ([rest] if rest else [])


def _mixed(rng: Rng, pieces: list[bytes]) -> list[bytes]:
    pieces = list(pieces)
    if not pieces:
        return pieces
    one, two = (int(place) for place in rng.integers(0, len(pieces), 2))
    which = int(rng.integers(3))
    if which == 0:
        pieces[one], pieces[two] = pieces[two], pieces[one]
    elif which == 1:
        pieces.insert(two, pieces[one])
    else:
        del pieces[one]
    return pieces


def _with_number(rng: Rng, data: bytes, place: int, width: int) -> bytes:
    value = int(rng.choice(_EXTREMES)) if rng.random() < 0.8 else int(rng.integers(0, 2**32))
    number = (value % 2 ** (8 * width)).to_bytes(width, "big" if rng.random() < 0.5 else "little")
    return data[:place] + number + data[place + width :]


def _span(rng: Rng, length: int) -> tuple[int, int]:
    """A piece, mostly a short one."""
    if length == 0:
        return 0, 0
    size = min(length, int(2 ** rng.uniform(0, max(1.0, np.log2(length)))))
    start = int(rng.integers(0, length - size + 1))
    return start, start + size


BYTES: Mapping[str, OfBytes] = {
    "bits": bits, "cut": cut, "hole": hole, "zeros": zeros, "splice": splice, "header": header,
    "numbers": numbers, "atoms": atoms, "other file": other_file,
}  # fmt: skip


# Packets


def packets(rng: Rng, original: Path, path: Path) -> bool:
    """The video's packets with some left out, twice, in another order, or with other times; False if the
    container does not take them."""
    try:
        with av.open(str(original)) as source, av.open(str(path), "w") as container:
            streams = {
                of.index: container.add_stream_from_template(of)
                for of in source.streams
                if of.type in {"video", "audio"}
            }
            kept = [packet for packet in source.demux() if packet.size and packet.stream.index in streams]
            for packet in _other_packets(rng, kept):
                packet.stream = streams[packet.stream.index]
                with suppress(av.FFmpegError, ValueError, OverflowError):
                    container.mux(packet)
    except (av.FFmpegError, ValueError):
        return False
    return path.exists() and path.stat().st_size > 0


def _other_packets(rng: Rng, kept: list[av.Packet]) -> list[av.Packet]:
    which = int(rng.integers(5))
    if which == 0:
        kept = [packet for packet in kept if rng.random() > 0.3]
    elif which == 1:
        kept = [packet for packet in kept for _ in range(1 + int(rng.random() < 0.2))]
    elif which == 2:
        order = np.argsort(np.arange(len(kept)) + rng.uniform(0, 6, len(kept)))
        kept = [kept[place] for place in order]
    elif which == 3:
        for packet in kept:
            if rng.random() < 0.2 and packet.pts is not None:
                packet.pts += int(rng.choice((-1000, -1, 1, 1000, 2**31, 2**40)))
    else:
        for packet in kept:
            if rng.random() < 0.3:
                packet.dts = packet.pts = int(rng.choice((0, 1, 2**31 - 1, 2**33)))
    return kept


# Text


def line_gone(rng: Rng, text: str) -> str:
    """A line left out."""
    lines = text.splitlines(keepends=True)
    del lines[int(rng.integers(len(lines)))]
    return "".join(lines)


def line_twice(rng: Rng, text: str) -> str:
    """A line that is there twice."""
    lines = text.splitlines(keepends=True)
    place = int(rng.integers(len(lines)))
    return "".join([*lines[: place + 1], lines[place], *lines[place + 1 :]])


def lines_swapped(rng: Rng, text: str) -> str:
    """Two lines that changed places."""
    lines = text.splitlines(keepends=True)
    one, two = (int(place) for place in rng.integers(0, len(lines), 2))
    lines[one], lines[two] = lines[two], lines[one]
    return "".join(lines)


_WORDS = (
    "", "nan", "inf", "-inf", "-1", "1e400", "9" * 40, "1.5", "0x10", "\u0661", "true", "null", "{}", "[]",
    "../../etc/passwd", "a" * 5000, "\x00", "\x1b[31m", "\u202e", "=1+1", "*", "&a", "${HOME}", "%s", "-",
    "!!python/object:os.system", "\ud7ff", "caf\u00e9",
)  # fmt: skip


def word_changed(rng: Rng, text: str) -> str:
    """A word or number in place of which stands something odd."""
    spans = _words(text)
    start, end = spans[int(rng.integers(len(spans)))] if spans else (0, 0)
    return text[:start] + _WORDS[int(rng.integers(len(_WORDS)))] + text[end:]


def _words(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in re.finditer(r"[\w.+-]+", text)]


_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, 10**30, 1.5, "", "x", [], {}, [[1]], {"a": 1}, "nan", float("nan"),
)  # fmt: skip


def json_changed(rng: Rng, text: str) -> str:
    """A value, anywhere in it, of another kind, gone, or there twice; or nested too deep."""
    try:
        content = json.loads(text)
    except ValueError:
        return word_changed(rng, text)
    if rng.random() < 0.05:
        return "[" * 100_000 + "]" * 100_000
    found = list(json_places(content))
    if not found:
        return "null"
    holder, key = found[int(rng.integers(len(found)))]
    which = int(rng.integers(3))
    if which == 0:
        del holder[key]
    elif which == 1 and isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder[key] = _VALUES[int(rng.integers(len(_VALUES)))]
    return json.dumps(content)


def json_places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every list or object of JSON, with each of its places."""
    if not isinstance(content, dict | list):
        return
    for key, value in list(content.items() if isinstance(content, dict) else enumerate(content)):
        yield content, key
        if isinstance(value, dict | list):
            yield from json_places(value)


TEXT: Mapping[str, Callable[[Rng, str], str]] = {
    "line gone": line_gone, "line twice": line_twice, "lines swapped": lines_swapped,
    "word changed": word_changed, "value changed": json_changed,
}  # fmt: skip
HARMLESS: Mapping[str, Callable[[bytes], bytes]] = {  # the same content: the value must stay
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "Windows line ends": lambda data: data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "empty lines at the end": lambda data: data + b"\n\n",
}
