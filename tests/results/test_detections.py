"""Files of detections, read and written, and what is wrong with them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.errors import CallError, DataError
from attcell.results.detections import (
    DetectionResults,
    read_detections,
    write_activitynet,
    write_thumos,
)
from attcell.types import Detection

NUMBERS = {"BaseballPitch": 7, "Diving": 22}


@pytest.fixture
def file(tmp_path: Path):
    def written(text: object, name: str = "found.json") -> Path:
        path = tmp_path / name
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    return written


def own(*rows: tuple[str, float, float, float], video: str = "a.mp4") -> dict:
    names = ("label", "start_seconds", "end_seconds", "score")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return {"video": video, "duration_seconds": 10.0, "detections": found}


def test_our_own_object_and_lines(file):
    videos = [own(("run", 1, 2, 0.5), ("sit", 3, 4, 0.25)), own(video="b.mp4")]
    expected = (Detection("run", 1, 2, 0.5, "a.mp4"), Detection("sit", 3, 4, 0.25, "a.mp4"))
    whole = read_detections(file({"model": "m", "videos": videos, "failed": {"c.mp4": "empty"}}))
    failed = {"video": "c.mp4", "error": "empty"}
    lines = read_detections(file("\n".join(map(json.dumps, [*videos, failed])) + "\n", "found.jsonl"))
    for found in (whole, lines):
        assert found.detections == expected
        assert found.videos == ("a.mp4", "b.mp4")
        assert found.durations == {"a.mp4": 10.0, "b.mp4": 10.0}
        assert found.failed == {"c.mp4": "empty"}
    assert lines.places[1] == f"{lines.source}:1 (a.mp4), detection 2"


def test_a_video_that_comes_twice_would_count_twice(file):
    videos = [own(("run", 1, 2, 0.5)), own(video="b.mp4"), own(("run", 1, 2, 0.5))]
    said = "a.mp4 has come before, and would count twice; leave one of them out"
    with pytest.raises(DataError, match=f"^{re.escape(str(file({'videos': videos})))}: video 3: {said}$"):
        read_detections(file({"videos": videos}))
    lines = "".join(json.dumps(of) + "\n" for of in [*videos[:2], {"video": "a.mp4", "error": "empty"}])
    with pytest.raises(DataError, match=f":3: {said}$"):
        read_detections(file(lines, "found.jsonl"))


def test_times_count_from_the_first_frame(file):
    video = {**own(("run", 9.5, 10.5, 0.5)), "first_frame_seconds": 8.5}
    assert read_detections(file({"videos": [video]})).detections == (
        Detection("run", 1.0, 2.0, 0.5, "a.mp4"),
    )


def test_activitynets_results(file):
    results = {"v": [{"score": 1, "segment": [94.5, 130.5], "label": "Rock climbing"}], "w": []}
    found = read_detections(file({"version": "VERSION 1.3", "results": results, "external_data": {}}))
    assert found.detections == (Detection("Rock climbing", 94.5, 130.5, 1.0, "v"),)
    assert found.videos == ("v", "w")


def test_thumos_lines(file):
    path = file("video_test_0000324 49.2 53.5 7 0.91\r\n\nvideo_test_0000324 1 2 99 0.5\n", "found.txt")
    found = read_detections(path, NUMBERS)
    assert found.detections == (
        Detection("BaseballPitch", 49.2, 53.5, 0.91, "video_test_0000324"),
        Detection("99", 1, 2, 0.5, "video_test_0000324"),
    )
    assert found.places == (f"{path}:1", f"{path}:3")
    with pytest.raises(CallError, match=r"names classes by numbers; say which they are by --class-numbers"):
        read_detections(path)


names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=5)
spans = st.tuples(st.integers(0, 99), st.integers(0, 9)).map(lambda of: (of[0] / 8, (of[0] + of[1]) / 8))
rows = st.builds(
    lambda label, span, score: Detection(label, *span, score / 64),
    st.sampled_from(list(NUMBERS)),
    spans,
    st.integers(-64, 64),
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(names, st.lists(rows, min_size=1, max_size=3), min_size=1, max_size=3))
def test_what_is_written_for_a_challenge_is_read_back(tmp_path_factory, found):
    folder = tmp_path_factory.mktemp("written")
    write_activitynet(folder / "a.json", found)
    write_thumos(folder / "t.txt", found, NUMBERS)
    expected = [
        Detection(of.label, of.start_seconds, of.end_seconds, of.score, video)
        for video, some in found.items()
        for of in some
    ]
    assert list(read_detections(folder / "a.json").detections) == expected
    for one, other in zip(read_detections(folder / "t.txt", NUMBERS).detections, expected, strict=True):
        assert one.video_id == other.video_id
        assert one.label == other.label
        assert one.start_seconds == pytest.approx(other.start_seconds, abs=1e-3)
        assert one.score == pytest.approx(other.score, abs=1e-5)


def test_what_a_challenge_cannot_say_is_refused(tmp_path):
    one = Detection("run", 0, 1, 0.5)
    with pytest.raises(CallError, match=r"class run has no number; name a file that has it"):
        write_thumos(tmp_path / "t.txt", {"v": [one]}, NUMBERS)
    with pytest.raises(CallError, match=r"'a b' has spaces, and THUMOS's lines are parted by spaces"):
        write_thumos(tmp_path / "t.txt", {"a b": [one]}, {"run": 1})
    assert not list(tmp_path.iterdir())


def test_every_fault_is_counted_and_the_first_ten_are_named(file):
    bad = [("run", 2, 1, 0.5), ("run", "x", 2, 0.5), ("run", 1, 2, float("nan"))] * 4
    with pytest.raises(DataError) as raised:
        read_detections(file({"videos": [own(*bad, ("run", 1, 2, 0.5))]}))
    first, *lines, last = str(raised.value).split("\n")
    assert first.endswith("found.json: 12 of 13 detections are none:")
    assert lines[0].endswith("video 1 (a.mp4), detection 1: it ends at 1 s, before its start at 2 s")
    assert lines[1].endswith("detection 2: x to 2 with score 0.5; expected numbers")
    assert "score nan" in lines[2]
    assert len(lines) == 10
    assert last == "  and 2 more"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{broken", r"is not JSON"),
        ('{"a": 1}\n{broken', r"found\.json:2 is not JSON"),
        ({"videos": [], "failed": [1]}, r"is no file of detections"),
        ({"some": 1}, r"is no file of detections \(.*\): it needs videos with detections"),
        ({"results": [1]}, r"'results' holds no videos; give a result file of ActivityNet"),
        ({"results": {"v": [{"segment": [1]}]}}, r"v, result 1: .*; expected a segment \[start, end\]"),
        ({"videos": [own() | {"duration_seconds": 10**400}]}, r"is no file of detections \(OverflowError"),
        (f"v 1 2 {'9' * 5000} 0.5\n{{", r"found\.json:2: '{'; expected 'VIDEO START END"),
        ("v 1 2 7\n", r"found\.json:1: 'v 1 2 7'; expected 'VIDEO START END NUMBER SCORE'"),
    ],
)
def test_what_is_no_such_file_is_told(file, text, said):
    with pytest.raises(DataError, match=said):
        read_detections(file(text), NUMBERS)


def test_bytes_and_classes_that_are_no_text(file, tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("v 1 2 7 0.5 ü".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.txt is no text in UTF-8 \(.*\); write it anew"):
        read_detections(path, NUMBERS)
    with pytest.raises(DataError, match=r"detection 1: the class is 7; expected its name"):
        read_detections(file({"videos": [own((7, 1, 2, 0.5))]}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("videos", "labels", "said"),
    [
        (["v.mp4"], ["Diving", "run"], r"numbers\.txt has no number of class run; name a file that has it"),
        (["a b.mp4"], ["Diving"], "'a b' has spaces, and THUMOS's lines are parted by spaces; rename it"),
        (["x/v.mp4", "y/v.mp4"], ["Diving"], "two videos are called v, which --format thumos cannot tell"),
    ],
)
def test_what_a_challenge_cannot_say_is_told_before_anything_is_looked_for(file, videos, labels, said):
    numbers = file("7 BaseballPitch\n22 Diving\n", "numbers.txt")
    with pytest.raises(CallError, match=said):
        DetectionResults("t.txt", "m", "thumos", numbers, [Path(video) for video in videos], labels)


def test_no_file(tmp_path):
    with pytest.raises(CallError, match=r"none\.json: no such file; give a file of detections"):
        read_detections(tmp_path / "none.json")
