"""Mutations of what a file contains: lengths and checksums stay right, so that readers reach the damage."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress

from benchmarks.damage.mutations import BYTES, TEXT, OfBytes, Rng, json_places

_NUMBERS = ("9" * 5000, "1" + "0" * 400, "1" + "0" * 30, "1000000000", "10000000000000", "-1", "0", "1e400",
            "-0.0", "NaN", "Infinity", "0.1", "4294967296", "\u0661")  # fmt: skip
_DEPTHS = (40, 200, 480, 900, 970, 5000)
_KINDS = ("F64", "F16", "BF16", "F8_E4M3", "F8_E8M0", "F4", "BOOL", "I64", "U16", "U64", "C64", "X9")
_SUFFIXES = (".jpg", ".png", ".npy", ".json")
_OF_PARTS = ("bits", "cut", "hole", "zeros", "splice", "header", "other file")


def number_changed(rng: Rng, text: str) -> str:
    """A number in place of which an extreme one stands."""
    spans = [found.span() for found in re.finditer(r"-?\d+(\.\d+)?", text)]
    start, end = spans[int(rng.integers(len(spans)))] if spans else (len(text), len(text))
    return text[:start] + _NUMBERS[int(rng.integers(len(_NUMBERS)))] + text[end:]


def nested(rng: Rng, text: str) -> str:
    """A value of JSON, or a word of any text, nested in lists or objects, some deeper than anybody needs."""
    depth = _DEPTHS[int(rng.integers(len(_DEPTHS)))]
    before, after = ("[", "]") if rng.random() < 0.5 else ('{"a":', "}")
    with suppress(ValueError, IndexError):
        content = json.loads(text)
        found = list(json_places(content))
        holder, key = found[int(rng.integers(len(found)))]
        kept, holder[key] = holder[key], "%"
        value = before * depth + json.dumps(kept) + after * depth
        return json.dumps(content).replace('"%"', value, 1)
    words = [found.span() for found in re.finditer(r"\S+", text)]
    start, end = words[int(rng.integers(len(words)))] if words else (0, 0)
    return text[:start] + before * depth + text[start:end] + after * depth + text[end:]


def member(rng: Rng, data: bytes, other: bytes) -> bytes:
    """A file inside a ZIP file changed, renamed, packed otherwise, or there twice; with checksums."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # it is none, or no longer
        return _changed(rng, data, other)
    names = list(files)
    if not names:
        return data
    name, which, made = names[int(rng.integers(len(names)))], rng.random(), io.BytesIO()
    packing = zipfile.ZIP_STORED if rng.random() < 0.7 else int(rng.choice((8, 12, 14)))
    with zipfile.ZipFile(made, "w", packing) as archive, suppress(UserWarning):
        for of, content in files.items():
            if of == name and which < 0.6:
                archive.writestr(of, framed(rng, _changed(rng, content, other), other))
            elif of == name and which < 0.8:
                archive.writestr(_renamed(rng, of), content)
            elif of != name or which < 0.9:
                archive.writestr(of, content)
    return made.getvalue()


def _changed(rng: Rng, data: bytes, other: bytes) -> bytes:
    if rng.random() < 0.4:
        return framed(rng, data, other)
    return BYTES[str(rng.choice(_OF_PARTS))](rng, data or b"\0", other or b"\0")


def _renamed(rng: Rng, name: str) -> str:
    at = int(rng.integers(len(name) + 1))
    return name[:at] + str(rng.choice(("../", "\u00e9", "9", "0", "/", ":", *_SUFFIXES))) + name[at:]


def framed(rng: Rng, data: bytes, other: bytes) -> bytes:
    """The header of a file of NumPy or safetensors with another text, and the right length."""
    if data[:6] == b"\x93NUMPY" and len(data) > 10:
        size = int.from_bytes(data[8:10], "little")
        text = _other_text(rng, data[10 : 10 + size].decode("latin-1"))[:60_000].encode("latin-1", "replace")
        return data[:8] + len(text).to_bytes(2, "little") + text + data[10 + size :]
    size = int.from_bytes(data[:8], "little")
    if 2 <= size <= len(data) - 8 and data[8:9] == b"{":
        text = _other_text(rng, data[8 : 8 + size].decode("utf-8", "replace")).encode("utf-8", "replace")
        return len(text).to_bytes(8, "little") + text + data[8 + size :]
    return BYTES["bits"](rng, data or b"\0", other)


def _other_text(rng: Rng, text: str) -> str:
    which = rng.random()
    if which < 0.2:
        kinds = [found.span() for found in re.finditer(r"(?<=\"dtype\":\")\w+|(?<='descr': ')[^']+", text)]
        if kinds:
            start, end = kinds[int(rng.integers(len(kinds)))]
            new = str(rng.choice((*_KINDS, "<f8", ">f2", "|O", "<c8", "<f16", "<M8", "|V0", "<U1", "i4,f4")))
            return text[:start] + new + text[end:]
    names = list(_TEXTS)
    return _TEXTS[names[int(rng.integers(len(names)))]](rng, text or " ")


_TEXTS: Mapping[str, Callable[[Rng, str], str]] = {**TEXT, "number": number_changed, "nested": nested}
_FRAMES: Mapping[str, OfBytes] = {"member": member, "frame": framed}


def mutated(rng: Rng, data: bytes, other: bytes, *, is_text: bool) -> tuple[str, bytes]:
    """What was done, once to four times, and what came of it."""
    done = []
    names = [*_OF_PARTS, *(_TEXTS if is_text else [*_FRAMES] * 4)]
    for _ in range(1 + int(4 * rng.random() ** 3)):
        name = str(rng.choice(names))
        with suppress(RecursionError):  # of a text that is nested deeply already
            data = _once(rng, name, data or b"\0", other or b"\0")
            done.append(name)
    return ", ".join(done), data


def _once(rng: Rng, name: str, data: bytes, other: bytes) -> bytes:
    if name in _TEXTS:
        return _TEXTS[name](rng, data.decode("utf-8", "replace")).encode("utf-8", "surrogatepass")
    return {**BYTES, **_FRAMES}[name](rng, data, other)
