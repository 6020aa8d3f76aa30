"""Tones and the noise behind them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.synth.tones import RATE, SOUNDS, Note, add_note, background, notes_of, pitch


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SOUNDS),
    st.lists(st.tuples(st.integers(0, 20), st.integers(6, 40)), min_size=1, max_size=3),
    st.floats(500, 2000),
    st.floats(0.85, 1.2),
)
def test_notes_fill_the_intervals_and_leave_none(sound, spans, middle, tempo):
    intervals, start = [], 0.0
    for gap, length in spans:
        intervals.append((start + gap / 12, start + (gap + length) / 12))
        start = intervals[-1][1]
    notes = notes_of(sound, intervals, middle, tempo)
    for note in notes:
        assert any(start <= note.start < note.end <= end for start, end in intervals)
        assert middle / 2**0.46 < min(note.from_hz, note.to_hz)
        assert max(note.from_hz, note.to_hz) < middle * 2**0.46
    assert {start for start, _ in intervals} <= {note.start for note in notes}  # it begins on the dot
    for start, end in intervals:  # and is never silent for long
        here = [note for note in notes if start <= note.start < end]
        silences = [other.start - one.end for one, other in pairwise(here)] + [end - here[-1].end]
        assert min(silences) > -1e-9
        assert max(silences) < 0.42


def test_sounds_differ_by_their_pitch_or_their_rhythm():
    whole = {sound: notes_of(sound, [(0.0, 3.0)], 1000.0, 1.0) for sound in SOUNDS}
    assert all(note.to_hz > note.from_hz for note in whole["rise"])
    assert all(note.to_hz < note.from_hz for note in whole["fall"])
    assert {note.from_hz for note in whole["beat"]} == {1000.0} == {note.to_hz for note in whole["gallop"]}
    assert len({note.from_hz for note in whole["trill"]}) == 2
    begins = {sound: np.diff([note.start for note in of]) for sound, of in whole.items()}
    assert np.ptp(begins["beat"]) < 1e-9
    assert np.ptp(begins["gallop"]) > 0.2


def test_a_note_that_is_cut_goes_as_far_as_it_comes():
    *_, last = notes_of("rise", [(0.0, 0.7)], 800.0, 1.0)
    uncut = notes_of("rise", [(0.0, 5.0)], 800.0, 1.0)[1]
    assert last.end == 0.7
    assert last.to_hz == pytest.approx(float(pitch(uncut, 0.7)))


@pytest.mark.parametrize("note", [Note(0.25, 0.75, 800.0, 1600.0), Note(0.25, 0.75, 900.0, 900.0)])
def test_a_note_is_where_it_says(note):
    samples = np.zeros(RATE, dtype=np.float32)
    add_note(samples, note, 0.3)
    there = np.flatnonzero(np.abs(samples) > 1e-4) / RATE
    assert there[0] == pytest.approx(note.start, abs=0.002)
    assert there[-1] == pytest.approx(note.end, abs=0.002)
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.01)
    for seconds in (0.3, 0.5, 0.7):
        part = samples[round((seconds - 0.02) * RATE) : round((seconds + 0.02) * RATE)]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 8 * RATE // 10))
        heard = spectrum.argmax() * 10 / 8
        assert heard == pytest.approx(float(pitch(note, seconds)), rel=0.02)


def test_a_note_ends_with_the_samples():
    samples = np.zeros(RATE // 2, dtype=np.float32)
    add_note(samples, Note(0.25, 0.75, 900.0, 900.0), 0.3)
    assert np.abs(samples[RATE // 4 :]).max() > 0.25


def test_noise_has_no_tone_and_is_never_silent():
    samples = background(4 * RATE, np.random.default_rng(5))
    assert samples.dtype == np.float32
    assert 0.005 < np.abs(samples).mean() < 0.1
    assert np.array_equal(samples, background(4 * RATE, np.random.default_rng(5)))
    power = np.abs(np.fft.rfft(samples.reshape(-1, RATE // 10))) ** 2  # 10 Hz a line
    line = power.mean(axis=0)[30:300]
    smooth = np.convolve(line, np.ones(15) / 15, mode="same")
    assert (line[10:-10] / smooth[10:-10]).max() < 4
