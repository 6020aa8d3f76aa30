"""Generated videos with sound."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.errors import CallError, DataError
from attcell.synth.render import render
from attcell.synth.scene import ALLOWED_NUM_CLASSES, FPS, SPLITS
from attcell.synth.sounding import (
    CODECS,
    SoundingPlan,
    ceilings,
    plan_sounding,
    sound_of,
    sounding_ring,
    write_sounding,
)
from attcell.synth.tones import RATE
from attcell.synth.truth import read_truth
from attcell.synth.write import write_dataset

FEW = {"train": 1, "test": 1}


def plan(label: int = 0, seed: int = 0, split: str = "train", number: int = 0, **more) -> SoundingPlan:
    values = {"kind": "untrimmed", "num_classes": 6, **more}
    return plan_sounding(values.pop("kind"), label, seed=seed, split=split, number=number, **values)


def overlap(one, other) -> float:
    return sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in one for b in other)


def shown(video: SoundingPlan, role: str) -> list[tuple[float, float]]:
    return [interval for of in video.scene.figures if of.role == role for interval in of.intervals]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5), st.integers(0, 2**31), st.sampled_from(SPLITS), st.integers(0, 999))
def test_only_the_action_is_seen_and_heard_at_once(label, seed, split, number):
    video = plan(label, seed, split, number)
    seconds = video.scene.num_frames / FPS
    assert 10 <= seconds <= 18
    right, wrong = video.right.intervals, video.wrong.intervals
    actor, other = (sorted(shown(video, role)) for role in ("actor", "stand-in"))
    assert actor == sorted(right)
    for intervals in (right, wrong, other):
        edges = np.ravel(sorted(intervals)) * FPS
        assert edges[0] >= 0
        assert edges[-1] <= video.scene.num_frames
        assert (np.diff(edges) > 0).all()
        np.testing.assert_allclose(edges, np.round(edges), atol=1e-9)
    lengths = {round(end - start, 9) for start, end in (*right, *wrong, *other)}
    assert len(lengths) == 1  # none is told by how long it takes
    # On their way people are in the frame for longer than their interval, and then no tone is heard.
    there = {"actor": [], "stand-in": []}
    for figure in video.scene.figures:
        if figure.role != "grey":
            start, end = figure.intervals[0]
            there[figure.role].append((figure.enter, end + start - figure.enter))
    assert overlap(there["actor"], wrong) == 0
    assert overlap(there["stand-in"], (*right, *wrong)) == 0
    assert overlap(there["actor"], right) == pytest.approx(sum(end - start for start, end in right))
    true = sounding_ring(6)[label]
    assert video.right.name == true.motion != video.wrong.name
    assert 0.15 < video.action.mean() < 0.3
    assert video.action.sum() == round(sum(end - start for start, end in right) * FPS)


def test_what_counts_is_drawn_as_what_does_not():
    """Else sight, or sound, could tell by itself which of two it is: by time, loudness, pitch or place."""
    plans = [plan(number % 6, number=number) for number in range(900)]

    def difference(right, wrong) -> float:
        """In standard errors."""
        of = np.array([[right(one), wrong(one)] for one in plans])
        gap = of[:, 0] - of[:, 1]
        return abs(gap.mean()) / (gap.std() / np.sqrt(len(gap)) + 1e-12)

    def figure(role: str):
        return lambda one: next(of for of in one.scene.figures if of.role == role)

    actor, other = figure("actor"), figure("stand-in")
    measured = {
        "first heard": (lambda one: one.right.intervals[0][0], lambda one: one.wrong.intervals[0][0]),
        "first seen": (lambda one: min(shown(one, "actor"))[0], lambda one: min(shown(one, "stand-in"))[0]),
        "loudness": (lambda one: one.right.level, lambda one: one.wrong.level),
        "pitch": (
            lambda one: np.log(np.mean(one.right.truth.band_hz)),
            lambda one: np.log(np.mean(one.wrong.truth.band_hz)),
        ),
        "height": (lambda one: actor(one).height, lambda one: other(one).height),
        "place": (lambda one: actor(one).feet[0], lambda one: other(one).feet[0]),
        "depth": (lambda one: actor(one).feet[1], lambda one: other(one).feet[1]),
    }
    assert {name: gap for name, of in measured.items() if (gap := difference(*of)) > 4} == {}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 5), st.integers(0, 2**31))
def test_a_trimmed_video_is_all_action(label, seed):
    video = plan(label, seed, kind="trimmed")
    seconds = video.scene.num_frames / FPS
    assert 3 <= seconds <= 4
    assert video.right.intervals == ((0.0, seconds),) == tuple(shown(video, "actor"))
    assert video.wrong is None
    assert video.action.all()
    assert shown(video, "stand-in") == []


@pytest.mark.parametrize("kind", ["trimmed", "untrimmed"])
def test_a_plan_follows_from_its_arguments_and_changes_with_each(kind):
    first = plan(kind=kind)
    assert plan(kind=kind) == first
    others = [{"label": 1}, {"seed": 1}, {"split": "test"}, {"number": 1}]
    assert all(plan(kind=kind, **other) != first for other in others)
    assert np.array_equal(sound_of(first), sound_of(plan(kind=kind)))


@pytest.mark.parametrize("num_classes", ALLOWED_NUM_CLASSES)
def test_who_cannot_tell_what_is_at_once_is_right_one_time_in_three(num_classes):
    share = 1 / 4 if num_classes == 4 else 1 / 3  # of four classes each video shows all there is
    assert ceilings(num_classes) == {what: pytest.approx(share) for what in ("sight", "sound", "both")}
    assert ceilings(num_classes, "trimmed") == {"sight": 0.5, "sound": 0.5, "both": 1.0}


def test_the_ceiling_is_what_an_oracle_reaches_on_the_plans():
    tables = {"sight": {}, "sound": {}, "both": {}}
    for number in range(600):
        video = plan(number % 6, number=number)
        colours = frozenset(_colour(of) for of in video.scene.figures if of.role != "grey")
        sounds = frozenset((video.right.name, video.wrong.name))
        for name, key in (("sight", colours), ("sound", sounds), ("both", (colours, sounds))):
            tables[name].setdefault(key, []).append(number % 6)
    for name, table in tables.items():
        right = sum(max(np.bincount(labels)) for labels in table.values()) / 600
        assert right == pytest.approx(ceilings(6)[name], abs=0.06)


def _colour(figure) -> int:
    return int(np.argmax(figure.look.shirt))


def test_a_sound_is_heard_when_it_is_to_be():
    video = plan()
    samples = sound_of(video)
    assert samples.dtype == np.float32
    assert len(samples) == video.scene.num_frames * RATE // FPS
    assert np.abs(samples).max() <= 1
    low, high = video.right.truth.band_hz
    power = []
    for second in np.arange(0, len(samples) / RATE - 0.1, 0.1):
        part = samples[round(second * RATE) : round((second + 0.1) * RATE)]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
        hz = np.fft.rfftfreq(len(part), 1 / RATE)
        power.append(spectrum[(hz > 0.97 * low) & (hz < 1.03 * high)].max())
    heard = [any(s <= t < e - 0.1 for s, e in video.right.intervals) for t in 0.1 * np.arange(len(power))]
    silent = [
        all(t + 0.1 < s or t > e for s, e in (*video.right.intervals, *video.wrong.intervals))
        for t in 0.1 * np.arange(len(power))
    ]
    assert np.median(np.array(power)[heard]) > 30 * np.median(np.array(power)[silent])


# Written


@pytest.fixture(scope="module", params=CODECS)
def written(request, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("sounding") / request.param
    return write_sounding(out, "trimmed", seed=1, num_classes=4, codec=request.param, videos=FEW)


def sound_in(path: Path) -> tuple[np.ndarray, float]:
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    assert all(frame.sample_rate == RATE for frame in frames)
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames]), float(frames[0].time)


def test_the_file_holds_the_planned_sound_at_the_planned_time(written):
    label = sounding_ring(4)[1].name
    video = plan_sounding("trimmed", 1, seed=1, split="test", number=0, num_classes=4)
    planned = sound_of(video)
    path = written / "test" / label / "000.mp4"
    samples, first = sound_in(path)
    assert first == 0
    size = len(planned)
    assert abs(len(samples) - size) < 0.03 * RATE  # a codec fills its last packet
    shifts = np.arange(-480, 481)
    part = planned[RATE : 2 * RATE]
    likeness = [float(part @ samples[RATE + by : 2 * RATE + by]) for by in shifts]
    assert abs(shifts[np.argmax(likeness)]) <= 0.001 * RATE
    assert max(likeness) > 0.9 * float(part @ part)
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert [stream.type for stream in container.streams] == ["video", "audio"]
    assert np.abs(np.array(frames).astype(int) - render(video.scene).frames.astype(int)).mean() < 6.0


def test_layout_and_truth(written):
    truth = read_truth(written)
    labels = [c.name for c in sounding_ring(4)]
    assert truth.labels == tuple(sorted(labels))
    assert set(truth.videos) == {f"{split}/{name}/000.mp4" for split in FEW for name in labels}
    for name, video in truth.videos.items():
        assert video.intervals == video.sound.intervals == ((0.0, video.num_frames / FPS),)
        low, high = video.sound.band_hz
        notes = video.sound.notes
        assert (low, high) == (notes[:, 2:].min(), notes[:, 2:].max())
        assert not np.isnan(video.boxes).any()
        assert video.label == name.split("/")[1]


def test_the_same_call_writes_the_same_and_leaves_it(written, tmp_path):
    codec = written.name
    again = write_sounding(tmp_path / "set", "trimmed", seed=1, num_classes=4, codec=codec, videos=FEW)
    for file in (path for path in written.rglob("*.*") if path.is_file()):
        assert (again / file.relative_to(written)).read_bytes() == file.read_bytes()
    before = {path: path.stat().st_mtime_ns for path in again.rglob("*")}
    assert write_sounding(again, "trimmed", seed=1, num_classes=4, codec=codec, videos=FEW) == again
    assert {path: path.stat().st_mtime_ns for path in again.rglob("*")} == before
    with pytest.raises(CallError, match=r"holds another generated set \(.*sound .*\) than the one asked for"):
        write_dataset(again, "trimmed", seed=1, num_classes=4, videos=FEW)
    (again / "test" / "rise_red" / "000.mp4").unlink()
    with pytest.raises(DataError, match=r"test/rise_red/000\.mp4 is missing"):
        write_sounding(again, "trimmed", seed=1, num_classes=4, codec=codec, videos=FEW)


def test_the_actor_has_a_box_while_he_is_there_each_time_that_he_comes():
    number = next(n for n in range(20) if len(plan(number=n).right.intervals) == 2)
    video = plan(number=number)
    boxes = render(video.scene).boxes
    for start, end in video.right.intervals:
        assert all(box is not None for box in boxes[round(start * FPS) : round(end * FPS)])
    for start, end in (*video.wrong.intervals, *shown(video, "stand-in")):
        assert all(box is None for box in boxes[round(start * FPS) : round(end * FPS)])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "short"}, "unknown kind of generated video 'short'"),
        ({"seed": -1}, "seed is -1; give a whole number, at least 0"),
        ({"num_classes": 5}, "5 classes cannot be generated"),
        ({"look": "rough"}, "unknown look 'rough'; choose one of plain, smooth"),
        ({"codec": "mp3"}, "unknown codec of sound 'mp3'; choose one of aac, opus"),
        ({"videos": {"train": 0}}, "not all of them 0"),
    ],
)
def test_values_that_are_not_allowed(tmp_path, values, message):
    with pytest.raises(CallError, match=message):
        write_sounding(tmp_path / "set", **values)
    assert not (tmp_path / "set").exists()


def test_a_truth_with_half_a_sound_is_refused(written, tmp_path):
    content = json.loads((written / "truth.json").read_text())
    del content["videos"]["test/rise_red/000.mp4"]["sound"]["notes"]
    (tmp_path / "truth.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="is not the truth of a generated set: 'notes' is missing"):
        read_truth(tmp_path)
