"""Sets of joined videos on disk, and which clips follow each other in a video."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.errors import CallError, DataError
from attcell.research.suites.joining import MOST_CLIPS, Clip, plan_joined, write_joined
from attcell.synth.truth import read_truth
from attcell.video.decode import count_frames, read_frames
from tests.video.conftest import write_video

PEOPLE = ("ann", "bob", "cy", "dee")
LENGTHS = {"bend": 12, "wave": 15, "walk": 9, "run": 11}
OPTIONS = {"background": ["walk", "run"], "test_people": ["cy", "dee"], "videos": {"train": 2, "test": 1}}


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """Four classes by four people; a clip's brightness tells its class."""
    folder = tmp_path_factory.mktemp("clips")
    for label, length in LENGTHS.items():
        (folder / label).mkdir()
        for person in PEOPLE:
            write_video(folder / label / f"{person}_{label}.mp4", length, size=(48, 36))
    return folder


def test_the_truth_is_that_of_the_frames(clips, tmp_path):
    out = write_joined(tmp_path / "set", clips, seed=3, **OPTIONS)
    truth = read_truth(out)
    assert (truth.kind, truth.labels, truth.size, truth.fps) == ("joined", ("bend", "wave"), (48, 36), 25.0)
    assert sorted(truth.videos) == [
        f"{split}/{label}/{number:03d}.mp4"
        for split, count in (("test", 1), ("train", 2))
        for label in ("bend", "wave")
        for number in range(count)
    ]
    for name, video in truth.videos.items():
        assert count_frames(out / name).num_frames == video.num_frames
        assert np.isnan(video.boxes).all()
        length = LENGTHS[video.label]
        shown = read_frames(out / name, np.arange).images
        for start, end in video.intervals:
            first, last = round(start * 25), round(end * 25)
            assert last - first == length
            assert video.action[first:last].all()
            greys = [round((float(shown[n].mean()) - 20) / 8) for n in range(first, last)]
            assert greys == list(range(length)), "a whole clip, from its first frame to its last"
        assert video.action.sum() == length * len(video.intervals)


def test_a_broken_off_set_goes_on_and_a_finished_one_stays(clips, tmp_path):
    out = write_joined(tmp_path / "set", clips, **OPTIONS)
    first = {path: path.stat().st_mtime_ns for path in sorted(out.rglob("*.mp4"))}
    gone = next(iter(first))
    (out / "truth.json").unlink()
    content = gone.read_bytes()
    gone.unlink()
    write_joined(out, clips, **OPTIONS)
    assert gone.read_bytes() == content
    assert {path: path.stat().st_mtime_ns for path in first if path != gone}.items() <= first.items()
    write_joined(out, clips, **OPTIONS)
    gone.unlink()
    with pytest.raises(DataError, match="is a finished set but"):
        write_joined(out, clips, **OPTIONS)
    with pytest.raises(CallError, match="holds another generated set"):
        write_joined(out, clips, **{**OPTIONS, "seed": 1})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"background": ["fly"]},
            "background: there is no 'fly' among the clips; they have bend, run",
        ),
        ({"background": list(LENGTHS)}, "background are 4 of 4; name some, but not all"),
        (
            {"test_people": ["zoe"]},
            "test_people: there is no 'zoe' among the clips; they have ann, bob",
        ),
        ({"test_people": list(PEOPLE)}, "test_people are 4 of 4; name some, but not all"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_there_is_not_is_told_and_nothing_is_written(clips, tmp_path, change, said):
    with pytest.raises(CallError, match=said):
        write_joined(tmp_path / "set", clips, **{**OPTIONS, **change})
    assert not (tmp_path / "set").exists()


def test_clips_that_do_not_fit_are_told(clips, tmp_path):
    mine = tmp_path / "clips"
    for label in ("bend", "walk"):
        (mine / label).mkdir(parents=True)
        for person in ("ann", "bob"):
            write_video(mine / label / f"{person}_x.mp4", 9, size=(48, 36))
    options = {"background": ["walk"], "test_people": ["bob"], "videos": {"train": 1, "test": 1}}
    (mine / "walk" / "bob_x.mp4").rename(mine / "walk" / "eve_x.mp4")
    with pytest.raises(DataError, match=r"no clip of walk by the people of test; choose others to test"):
        write_joined(tmp_path / "set", mine, **options)
    (mine / "walk" / "eve_x.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 clips cannot be read:\n.*eve_x\.mp4: the file is empty"):
        write_joined(tmp_path / "set", mine, **options)


CLIPS = st.lists(
    st.builds(
        Clip,
        st.just(Path("x")),
        st.sampled_from(["bend", "wave", "walk", "run"]),
        st.sampled_from(["ann", "bob", "cy"]),
        st.integers(10, 100),
    ),
    max_size=12,
).map(lambda some: [Clip(Path("a"), "bend", "ann", 40), Clip(Path("b"), "walk", "ann", 30), *some])


@settings(max_examples=200, deadline=None)
@given(CLIPS, st.integers(0, 1000))
def test_one_or_two_actions_of_the_class_apart_between_background(clips, seed):
    plan = plan_joined(clips, "bend", ["walk", "run"], np.random.default_rng(seed))
    labels = [clip.label for clip in plan]
    acting = [place for place, label in enumerate(labels) if label == "bend"]
    assert 1 <= len(acting) <= 2
    assert set(labels) <= {"bend", "walk", "run"}
    assert all(second - first > 1 for first, second in pairwise(acting))
    people = {clip.person for clip in clips if clip.label == "bend"}
    assert len({plan[place].person for place in acting}) == min(len(acting), len(people))
    frames = sum(clip.num_frames for clip in plan)
    action = sum(plan[place].num_frames for place in acting)
    assert action <= 0.4 * frames or len(plan) - len(acting) == MOST_CLIPS
    again = plan_joined(clips, "bend", ["walk", "run"], np.random.default_rng(seed))
    assert again == plan
