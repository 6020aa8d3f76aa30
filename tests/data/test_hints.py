"""What names, first frames and counts of videos hint at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from attcell.data.groups import with_groups
from attcell.data.hints import few_videos, first_frame_hash, look_alikes, propose_groups
from attcell.types import VideoRecord
from tests.moving import write_pictures

CLASSES = ("bend", "run")


def records_of(form: str, groups: int = 5, clips: int = 3) -> list[VideoRecord]:
    """Videos of two classes, named by class ``c``, group ``g``, name ``n`` and clip ``k``."""
    people = ("ann", "bob", "cid", "dee", "eva")
    return [
        VideoRecord(name, Path(name), (label,))
        for label, c in enumerate(CLASSES)
        for g in range(groups)
        for k in range(clips)
        for name in [form.format(c=c, g=g, n=people[g % 5], k=k, id=(label * groups + g) * clips + k)]
    ]


@pytest.mark.parametrize(
    ("form", "expression", "num_groups"),
    [
        ("{c}/v_{c}_g{g:02d}_c{k:02d}.avi", "_(g[0-9]+)_", 5),
        ("{c}/person{g:02d}_{c}_d{k}_uncomp.avi", "/(person[0-9]+)_", 5),
        ("{c}/{c}-Subject{g}.{k}.mp4", "(?:^|[^A-Za-z])(Subject[0-9]+)(?![0-9])", 5),
        ("{c}/{n}/{k:03d}.mp4", "^[^/]+/([^/]+)/", 5),
        ("{c}/{n}_{c}_{k}.avi", "([^/_]+)_[^/]*$", 5),
        ("{c}/{c}_{n}_{k}.avi", "(?:^|/)[^/_]+_([^/_]+)_[^/]*$", 5),
        ("{c}/IMG_2021030{g}_{k}.mp4", "(?:^|/)[^/_]+_([^/_]+)_[^/]*$", 5),
        ("{c}/{n}{k}.mp4", r"([^/]*[^/0-9_. -])[_. -]*[0-9]+\.[^./]+$", 5),
        ("{c}/{n}{k}", "([^/]*[^/0-9_. -])[_. -]*[0-9]+$", 5),
    ],
)
def test_names_that_look_like_groups(form, expression, num_groups):
    records = records_of(form)
    found = propose_groups(records)
    assert (found.expression, found.num_groups, found.num_videos) == (expression, num_groups, 30)
    assert len({record.group for record in with_groups(records, found.expression)}) == num_groups


@pytest.mark.parametrize(
    "form",
    [
        "{c}/{k:03d}.mp4",
        "{c}/{c}_{k:03d}.mp4",
        "{c}/video_{k:03d}.mp4",
        "{c}/s{k:02d}.mp4",
        "{c}/x{id}_000.mp4",
    ],
)
def test_names_that_count_clips_or_tell_the_class_do_not(form):
    assert propose_groups(records_of(form, groups=1, clips=9)) is None
    assert propose_groups([]) is None


def test_first_frames_that_look_alike(tmp_path):
    rng = np.random.default_rng(0)
    scenes = [
        rng.integers(0, 255, (8, 9)).repeat(8, 0).repeat(8, 1)[..., None].repeat(3, 2) for _ in range(3)
    ]
    scenes.append(np.full((64, 72, 3), 30))
    hashes = {}
    for number, scene in enumerate(scenes):
        for clip in range(2):
            noisy = np.clip(scene + rng.normal(0, 3, scene.shape) + 9 * clip, 0, 255).astype(np.uint8)
            write_pictures(tmp_path / f"{number}_{clip}", [noisy, noisy])
            record = VideoRecord(f"{number}_{clip}", tmp_path / f"{number}_{clip}", (0,))
            hashes[record.id] = first_frame_hash(record)
    assert hashes.pop("3_0") is None  # no contrast
    assert hashes.pop("3_1") is None
    assert look_alikes(hashes) == [["0_0", "0_1"], ["1_0", "1_1"], ["2_0", "2_1"]]
    assert first_frame_hash(VideoRecord("gone", tmp_path / "gone.mp4", (0,))) is None


def test_a_chain_of_alike_frames_is_one_set():
    hashes = {"a": 0, "b": 0xFFFFFFFF, "c": 0b111, "d": 0b111111, "e": 0xFFFFFFF0}
    assert look_alikes(hashes) == [["a", "c", "d"], ["b", "e"]]
    assert look_alikes({}) == []


def test_classes_of_few_videos():
    assert few_videos(["a", "b", "c"], [20, 3, 0]) == []
    assert few_videos(["a", "b"], [1, 1]) == [
        "2 of 2 classes have one video, of which nothing is left to validate or test by: a, b"
    ]
    (uneven,) = few_videos(["a", "b"], [20, 20_000])
    assert uneven.startswith(
        "the classes are uneven, 20,000 videos of b and 20 of a: accuracy can be high without"
    )
    assert few_videos(["a", "b"], [20, 20_000], balanced=True) == []
