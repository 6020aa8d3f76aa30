"""THUMOS14's lists beside the annotations."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attcell.data.annotations import thumos14 as thumos14_lists
from attcell.data.annotations import ucf101

LABELS = ("BaseballPitch", "Diving")
AVOID = "test_avoid_videos.txt"


def read_avoid(folder):
    return thumos14_lists.read_avoid(folder / AVOID, LABELS)


def read_durations(folder):
    return thumos14_lists.read_durations(folder / "d.txt")


def read_class_numbers(folder):
    return thumos14_lists.read_class_numbers(folder / "detclasslist.txt")


@given(st.dictionaries(st.from_regex(r"video_test_\d{7}", fullmatch=True), st.floats(1e-9, 1e5), max_size=5))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_durations_survive(tmp_path, lengths):
    thumos14_lists.write_durations(lengths, tmp_path / "d.txt")
    assert read_durations(tmp_path) == lengths


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.mp4\n1.5\nb.mp4\n", "d.txt:3: the length of b.mp4 is missing; get the file anew"),
        ("a.mp4\nb.mp4\n", "d.txt:2: 'b.mp4' is no length of a.mp4; expected seconds above 0"),
        ("a.mp4\n0\n", "d.txt:2: '0' is no length of a.mp4; expected seconds above 0"),
        ("a.mp4\nnan\n", "d.txt:2: 'nan' is no length of a.mp4; expected seconds above 0"),
        ("a.mp4\ninf\n", "d.txt:2: 'inf' is no length of a.mp4; expected seconds above 0"),
        ("a.mp4\n1\n\na.mp4\n2\n", "d.txt:4: a stands at d.txt:1 too; leave one of them out"),
    ],
)
def test_bad_durations(files, refused, text, message):
    assert refused(files({"d.txt": text}), read_durations) == message


def test_videos_to_avoid(files, refused, tmp_path):
    pairs = (("video_test_0000270", "Diving"), ("video_test_0000270", "BaseballPitch"))
    thumos14_lists.write_avoid(pairs, tmp_path / AVOID)
    assert (tmp_path / AVOID).read_text() == "video_test_0000270 Diving\nvideo_test_0000270 BaseballPitch\n"
    assert read_avoid(tmp_path) == pairs
    for text in ("v Archery", "v", "v Diving 3"):
        assert refused(files({AVOID: f"\n{text}\n"}), read_avoid) == (
            f"{AVOID}:2: {text!r}; expected 'VIDEO CLASS' with one of the 2 classes"
        )


def test_numbers_of_classes(files, tmp_path):
    numbers = {"BaseballPitch": 7, "Diving": 26}
    thumos14_lists.write_class_numbers(numbers, tmp_path / "detclasslist.txt")
    assert (tmp_path / "detclasslist.txt").read_text() == "7 BaseballPitch\n26 Diving\n"
    assert read_class_numbers(tmp_path) == numbers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 Diving\n", "detclasslist.txt:1: '0 Diving'; expected 'NUMBER CLASS' with a number from 1 to 101"),
        ("102 Diving\n",
         "detclasslist.txt:1: '102 Diving'; expected 'NUMBER CLASS' with a number from 1 to 101"),
        ("Diving\n", "detclasslist.txt:1: 'Diving'; expected 'NUMBER CLASS' with a number from 1 to 101"),
        ("7\n", "detclasslist.txt:1: the name of a class is needed here, and there is none"),
        ("7 A\n07 B\n",
         "detclasslist.txt:2: number 7 stands at detclasslist.txt:1 too; leave one of them out"),
        ("7 A\n8 A\n",
         "detclasslist.txt:2: class 'A' is there already (detclasslist.txt:1); classes need different names"),
    ],
)  # fmt: skip
def test_bad_numbers_of_classes(files, refused, text, message):
    assert refused(files({"detclasslist.txt": text}), read_class_numbers) == message


@pytest.mark.real
@pytest.mark.parametrize(
    ("part", "num_lengths", "num_avoided"), [("validation", 1010, 7), ("test", 1574, 14)]
)
def test_the_official_lists(official, tmp_path, part, num_lengths, num_avoided):
    file = official / "thumos14" / f"{part}_durations.txt"
    lengths = thumos14_lists.read_durations(file)
    assert len(lengths) == num_lengths
    thumos14_lists.write_durations(lengths, tmp_path / "d.txt")
    assert (tmp_path / "d.txt").read_bytes() == file.read_bytes()
    file = official / "thumos14" / f"{part}_avoid_videos.txt"
    pairs = thumos14_lists.read_avoid(file, ucf101.read_labels(official / "ucf101" / "classInd.txt"))
    assert len(pairs) == num_avoided
    assert all(video.startswith(f"video_{part}_") and video in lengths for video, _ in pairs)
    thumos14_lists.write_avoid(pairs, tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_bytes() == file.read_bytes()
