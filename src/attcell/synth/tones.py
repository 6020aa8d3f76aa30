"""The sounds of generated videos: tones of a pitch contour or a rhythm, over a background without any.

A sound repeats a short pattern of *notes*. Its middle pitch and its tempo are drawn, so that neither a
frequency nor a length tells which sound it is: only how the pitch goes, or when notes begin, does. A note
glides evenly in octaves, and is a pure tone, so that it is known where it is in time and in frequency.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RATE = 48_000  # samples a second
LOWEST, HIGHEST = 500.0, 2000.0  # of a sound's middle pitch, in Hz
_FADE_SECONDS = 0.01  # of a note's beginning and end, so that it does not click
_KNOCKS_PER_SECOND = 0.7


class Note(NamedTuple):
    """One tone: from when to when, in seconds, and from which frequency to which, in Hz."""

    start: float
    end: float
    from_hz: float
    to_hz: float


class _Pattern(NamedTuple):
    """What a sound repeats: its length in seconds, and notes as (start, end, from, to), in parts of the
    length and in octaves from the middle pitch.
    """

    seconds: float
    notes: tuple[tuple[float, float, float, float], ...]


_PATTERNS = {
    "rise": _Pattern(0.5, ((0.0, 0.8, -0.45, 0.45),)),
    "beat": _Pattern(0.25, ((0.0, 0.5, 0.0, 0.0),)),
    "fall": _Pattern(0.5, ((0.0, 0.8, 0.45, -0.45),)),
    "trill": _Pattern(0.25, ((0.0, 0.5, 0.25, 0.25), (0.5, 1.0, -0.25, -0.25))),
    "gallop": _Pattern(0.6, ((0.0, 0.17, 0.0, 0.0), (0.27, 0.44, 0.0, 0.0))),
}
SOUNDS = tuple(_PATTERNS)


def notes_of(
    sound: str, intervals: Sequence[tuple[float, float]], middle_hz: float, tempo: float
) -> tuple[Note, ...]:
    """The notes of a sound that is heard in some intervals; it begins anew with each, and is cut at its end.

    Args:
        sound: one of ``SOUNDS``.
        intervals: in seconds.
        middle_hz: its middle pitch.
        tempo: 1 is the pattern's own.
    """
    pattern = _PATTERNS[sound]
    period = pattern.seconds / tempo
    found = []
    for start, end in intervals:
        for number in range(int(np.ceil((end - start) / period))):
            begin = start + number * period
            whole = (_note(begin, period, middle_hz, *step) for step in pattern.notes)
            found += [_cut(note, end) for note in whole if note.start + 2 * _FADE_SECONDS < end]
    return tuple(found)


def _note(begin: float, period: float, middle_hz: float, *step: float) -> Note:
    start, end, first, last = step
    return Note(begin + start * period, begin + end * period, middle_hz * 2.0**first, middle_hz * 2.0**last)


def _cut(note: Note, end: float) -> Note:
    """The note up to ``end``."""
    if note.end <= end:
        return note
    return Note(note.start, end, note.from_hz, float(pitch(note, end)))


def pitch(note: Note, seconds: np.ndarray | float) -> np.ndarray:
    """The frequency of a note at times within it, in Hz."""
    share = (np.asarray(seconds) - note.start) / (note.end - note.start)
    return note.from_hz * (note.to_hz / note.from_hz) ** share


def add_note(samples: np.ndarray, note: Note, level: float) -> None:
    """Add a note to ``samples``, (S,) float32 at ``RATE``, in place."""
    first, last = round(note.start * RATE), min(round(note.end * RATE), len(samples))
    frequency = pitch(note, np.arange(first, last) / RATE)
    phase = 2.0 * np.pi * np.cumsum(frequency) / RATE
    fade = round(_FADE_SECONDS * RATE)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)
    tone = level * np.sin(phase)
    tone[:fade] *= ramp[: len(tone)]
    tone[-fade:] *= ramp[::-1][-len(tone) :]
    samples[first:last] += tone.astype(np.float32)


def background(num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise without a tone, (S,) float32: a low rumble that swells, and knocks at any time."""
    spectrum = np.fft.rfft(rng.standard_normal(num_samples, dtype=np.float32))
    frequency = np.fft.rfftfreq(num_samples, 1 / RATE)
    noise = np.fft.irfft(spectrum / np.sqrt(1.0 + frequency / 150.0), num_samples)
    seconds = np.arange(num_samples) / RATE
    swell = 1.0 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 0.5) * seconds + rng.uniform(0, 2 * np.pi))
    samples = (rng.uniform(0.01, 0.04) / noise.std() * noise * swell).astype(np.float32)
    for _ in range(rng.poisson(_KNOCKS_PER_SECOND * num_samples / RATE)):
        first = int(rng.integers(num_samples))
        knock = np.exp(-np.arange(RATE // 5) / (rng.uniform(0.015, 0.04) * RATE))[: num_samples - first]
        burst = rng.uniform(0.1, 0.35) * knock * rng.standard_normal(len(knock))
        samples[first : first + len(knock)] += burst.astype(np.float32)
    return samples
