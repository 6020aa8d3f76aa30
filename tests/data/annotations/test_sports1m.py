"""Sports-1M's partitions and labels."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attcell.data.annotations import sports1m
from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from tests.data.annotations import writers

SMALL = {
    "labels.txt": "boomerang\nboxing\ncandlepin bowling\n",
    "train_partition.txt": "https://www.youtube.com/watch?v=UDqivjS-lpI 2,0\r\n\r\n"
    "http://youtu.be/-bcdefghij_?t=3 1\n",
    "test_partition.txt": "https://www.youtube.com/watch?feature=x&v=abcdefghijk&t=1 0,0, 1 \n",
}
TRAIN, TEST = "train_partition.txt", "test_partition.txt"
URL = "https://www.youtube.com/watch?v="


@pytest.mark.parametrize("place", ["", "original/"])
def test_a_small_one(files, tmp_path, place):
    texts = {name if name == "labels.txt" else place + name: text for name, text in SMALL.items()}
    found = sports1m.read(files(texts))
    train = (AnnotatedVideo("UDqivjS-lpI", (0, 2)), AnnotatedVideo("-bcdefghij_", (1,)))
    test = (AnnotatedVideo("abcdefghijk", (0, 1)),)
    labels = ("boomerang", "boxing", "candlepin bowling")
    assert found == Annotation(labels, {"train": train, "test": test}, multi_label=True)
    assert found.notes == ()
    writers.write_sports1m(found, tmp_path / "again")
    assert sports1m.read(tmp_path / "again") == found
    assert (tmp_path / "again" / TEST).read_text() == f"{URL}abcdefghijk 0,1\n"


def test_videos_on_several_lines_are_noted(files):
    lines = [f"{URL}UDqivjS-lpI 1", f"{URL}aaaaaaaaaaa 0", f"{URL}aaaaaaaaaaa 2", f"{URL}aaaaaaaaaaa 1"]
    found = sports1m.read(files({**SMALL, TEST: "\n".join(lines)}))
    assert found.parts["test"] == (
        AnnotatedVideo("UDqivjS-lpI", (1,)),
        AnnotatedVideo("aaaaaaaaaaa", (0, 1, 2)),
    )
    assert found.notes == (
        "1 video is on several lines of test_partition.txt; their labels are put together (first "
        "aaaaaaaaaaa)",
        "1 video is in training and in test, as the README says that videos may (first UDqivjS-lpI)",
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (TRAIN, "\nhttps://vimeo.com/1 2\n",
         "train_partition.txt:2: 'https://vimeo.com/1' names no YouTube video; expected 'URL 168,169'"),
        (TRAIN, f"{URL}short 2\n",
         f"train_partition.txt:1: '{URL}short' names no YouTube video; expected 'URL 168,169'"),
        (TEST, f"{URL}abcdefghijk\n",
         "test_partition.txt:1: the labels are ''; expected numbers from 0 to 2 with commas between"),
        (TEST, f"{URL}abcdefghijk 1,3\n",
         "test_partition.txt:1: the labels are '1,3'; expected numbers from 0 to 2 with commas between"),
        (TEST, f"{URL}abcdefghijk 1,,2\n",
         "test_partition.txt:1: the labels are '1,,2'; expected numbers from 0 to 2 with commas between"),
        (TEST, f"{URL}abcdefghijk -1\n",
         "test_partition.txt:1: the labels are '-1'; expected numbers from 0 to 2 with commas between"),
        (TEST, "\n", "test_partition.txt lists no video; get the official file anew"),
        ("labels.txt", "a\n\nb\n", "labels.txt:2: the name of a class is needed here, and there is none"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(files, refused, name, text, message):
    assert refused(files({**SMALL, name: text}), sports1m.read) == message


def test_missing_files(files, refused):
    advice = "put the official files there, or give their folder"
    folder = files({"labels.txt": "a\n"}, "labels")
    assert refused(folder, sports1m.read) == f"{folder} lacks {TRAIN}, {TEST}; {advice}"
    folder = files({"labels.txt": "a\n", f"original/{TRAIN}": ""}, "half")
    assert refused(folder, sports1m.read) == f"{folder} lacks original/{TEST}; {advice}"
    folder = files({TRAIN: ""}, "no labels")
    assert refused(folder, sports1m.read) == f"{folder} lacks labels.txt; {advice}"


ids = st.from_regex(r"[A-Za-z0-9_-]{11}", fullmatch=True)


@given(st.dictionaries(ids, st.frozensets(st.integers(0, 9), min_size=1), min_size=2, max_size=9))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_videos_survive(tmp_path, labels):
    videos = tuple(AnnotatedVideo(video, tuple(sorted(of))) for video, of in labels.items())
    annotation = Annotation(tuple("abcdefghij"), {"train": videos[1:], "test": videos[:1]}, multi_label=True)
    writers.write_sports1m(annotation, tmp_path)
    assert sports1m.read(tmp_path) == annotation


@pytest.mark.real
def test_the_official_labels(official, tmp_path):
    file = official / "sports1m" / "labels.txt"
    labels = sports1m.read_labels(file)
    assert (len(labels), labels[0], labels[486]) == (487, "boomerang", "model aircraft")
    annotation = Annotation(labels, {"train": (AnnotatedVideo("UDqivjS-lpI", (168, 169)),), "test": ()})
    writers.write_sports1m(annotation, tmp_path)
    assert (tmp_path / "labels.txt").read_bytes() == file.read_bytes()
