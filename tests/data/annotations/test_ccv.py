"""CCV's five files."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attcell.data.annotations import ccv
from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from tests.data.annotations import writers

SMALL = {
    "categoryName.txt": "Bird\r\nCat\r\nDog",
    "trainVidID.txt": "1MdlncaU5JE\r\n-0n50a7seNI\r\n",
    "trainLabel.txt": "1 0 1 \n0 0 0 \n",
    "testVidID.txt": "3dKrnfAgTmk\n\n",
    "testLabel.txt": "0\t1 0",
}


def test_a_small_one(files, tmp_path):
    found = ccv.read(files(SMALL))
    train = (AnnotatedVideo("1MdlncaU5JE", (0, 2)), AnnotatedVideo("-0n50a7seNI", ()))
    test = (AnnotatedVideo("3dKrnfAgTmk", (1,)),)
    assert found == Annotation(("Bird", "Cat", "Dog"), {"train": train, "test": test}, multi_label=True)
    writers.write_ccv(found, tmp_path / "again")
    assert ccv.read(tmp_path / "again") == found
    assert (tmp_path / "again" / "trainLabel.txt").read_text() == SMALL["trainLabel.txt"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("trainLabel.txt", "1 0 1\n",
         "trainVidID.txt:2: -0n50a7seNI has no row in trainLabel.txt; give files of one release"),
        ("trainLabel.txt", "1 0 1\n" * 3,
         "trainLabel.txt:3: this row has no video in trainVidID.txt; give files of one release"),
        ("testLabel.txt", "\n0 1\n", "testLabel.txt:2: 2 columns, and categoryName.txt names 3 classes"),
        ("testLabel.txt", "0 2 1\n", "testLabel.txt:1: '2' in column 2; expected 0 or 1"),
        ("testVidID.txt", "a b\n", "testVidID.txt:1: 'a b'; expected one YouTube id a line"),
        ("testVidID.txt", "1MdlncaU5JE\n",
         "testVidID.txt:1: 1MdlncaU5JE stands at trainVidID.txt:1 too; leave one of them out"),
        ("trainVidID.txt", "a\na\n",
         "trainVidID.txt:2: a stands at trainVidID.txt:1 too; leave one of them out"),
        ("categoryName.txt", "Cat\ncat\nDog",
         "categoryName.txt:2: class 'cat' differs only in case from 'Cat' (categoryName.txt:1); "
         "classes need different names"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(files, refused, name, text, message):
    assert refused(files({**SMALL, name: text}), ccv.read) == message


def test_an_empty_part_and_missing_files(files, refused):
    folder = files({**SMALL, "testVidID.txt": "", "testLabel.txt": ""}, "empty")
    assert refused(folder, ccv.read) == "testVidID.txt lists no video; get the official file anew"
    folder = files({name: SMALL[name] for name in ("trainVidID.txt", "trainLabel.txt")}, "half")
    assert refused(folder, ccv.read) == (
        f"{folder} lacks categoryName.txt, testVidID.txt, testLabel.txt; put the official files there, or "
        "give their folder"
    )


def test_ids_may_differ_in_case_alone(files):
    found = ccv.read(files({**SMALL, "trainVidID.txt": "aB\nAb\n"}))
    assert [video.id for video in found.parts["train"]] == ["aB", "Ab"]
    assert found.notes == ()


@given(st.lists(st.frozensets(st.integers(0, 3)), min_size=2, max_size=9))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_labels_survive(tmp_path, labels):
    videos = tuple(AnnotatedVideo(f"v{place}", tuple(sorted(of))) for place, of in enumerate(labels))
    annotation = Annotation(tuple("abcd"), {"train": videos[:1], "test": videos[1:]}, multi_label=True)
    writers.write_ccv(annotation, tmp_path)
    assert ccv.read(tmp_path) == annotation


@pytest.mark.real
def test_the_official_files(official, tmp_path):
    found = ccv.read(official / "ccv")
    assert {part: len(videos) for part, videos in found.parts.items()} == {"train": 4659, "test": 4658}
    assert (len(found.labels), found.labels[0], found.labels[19]) == (20, "Basketball", "Playground")
    counts = [len(video.labels) for videos in found.parts.values() for video in videos]
    # awk '{n=0; for (i=1; i<=NF; i++) n+=$i; print n}' trainLabel.txt testLabel.txt | sort | uniq -c
    assert [counts.count(number) for number in range(5)] == [1996, 6773, 538, 10, 0]
    writers.write_ccv(found, tmp_path)
    assert ccv.read(tmp_path) == found
    for file in tmp_path.iterdir():
        assert file.read_text().rstrip() == (official / "ccv" / file.name).read_text().rstrip()
