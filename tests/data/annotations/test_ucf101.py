"""UCF101's three files."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attcell.data.annotations import ucf101
from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from attcell.errors import CallError, DataError
from tests.data.annotations import writers

SMALL = {
    "classInd.txt": "1 Archery\r\n2 HandstandPushups\r\n",
    "trainlist02.txt": "\ufeffArchery/v_Archery_g08_c01.avi 1\r\n\r\n"
    "HandstandPushups/v_HandStandPushups_g08_c02.avi 2 \r\n",
    "testlist02.txt": "Archery/v_Archery_g01_c01.avi\r\nArchery/odd name.avi\r\n",
}
TRAIN, TEST = "trainlist02.txt", "testlist02.txt"


def test_a_small_one(files, tmp_path):
    found = ucf101.read(str(files(SMALL)), 2)
    assert found == Annotation(
        ("Archery", "HandstandPushups"),
        {
            "train": (
                AnnotatedVideo("Archery/v_Archery_g08_c01.avi", (0,), "Archery_g08"),
                AnnotatedVideo(
                    "HandstandPushups/v_HandStandPushups_g08_c02.avi", (1,), "HandstandPushups_g08"
                ),
            ),
            "test": (
                AnnotatedVideo("Archery/v_Archery_g01_c01.avi", (0,), "Archery_g01"),
                AnnotatedVideo("Archery/odd name.avi", (0,)),
            ),
        },
    )
    writers.write_ucf101(found, tmp_path / "again", 2)
    assert ucf101.read(tmp_path / "again", 2) == found
    assert (tmp_path / "again" / TEST).read_text() == SMALL[TEST].replace("\r", "")


def test_a_test_list_may_have_labels(files):
    with_labels = files({**SMALL, TEST: "Archery/v_Archery_g01_c01.avi 1\n"}, "with")
    found = ucf101.read(with_labels, 2)
    assert found.parts["test"] == (AnnotatedVideo("Archery/v_Archery_g01_c01.avi", (0,), "Archery_g01"),)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (TRAIN, "Archery/a.avi\n",
         "trainlist02.txt:1: 'Archery/a.avi' has no label; expected 'CLASS/VIDEO.avi 1'"),
        (TRAIN, "\nArchery/a.avi 2\n",
         "trainlist02.txt:2: Archery/a.avi has label 2, and its folder's class is 1 in classInd.txt; "
         "mend one of them"),
        (TRAIN, "Archery/a.avi 0\n",
         "trainlist02.txt:1: Archery/a.avi has label 0, and its folder's class is 1 in classInd.txt; "
         "mend one of them"),
        (TRAIN, "Run/a.avi 1\n",
         "trainlist02.txt:1: Run/a.avi is in the folder of no class; classInd.txt beside it names the "
         "2 classes"),
        (TEST, "Archery\n",
         "testlist02.txt:1: Archery is in the folder of no class; classInd.txt beside it names the 2 "
         "classes"),
        (TEST, "Archery/a.avi 2\n",
         "testlist02.txt:1: Archery/a.avi has label 2, and its folder's class is 1 in classInd.txt; "
         "mend one of them"),
        (TEST, "Archery/a.avi\nArchery/a.avi\n",
         "testlist02.txt:2: Archery/a.avi stands at testlist02.txt:1 too; leave one of them out"),
        (TEST, "Archery/v_Archery_g08_c01.avi\n",
         "testlist02.txt:1: Archery/v_Archery_g08_c01.avi stands at trainlist02.txt:1 too; leave one of "
         "them out"),
        (TEST, "\n", "testlist02.txt lists no video; get the official file anew"),
        ("classInd.txt", "0 Archery\n",
         "classInd.txt:1: '0 Archery'; expected '1 NAME', numbered from 1 without gaps"),
        ("classInd.txt", "1 Archery\n3 Run\n",
         "classInd.txt:2: '3 Run'; expected '2 NAME', numbered from 1 without gaps"),
        ("classInd.txt", "1 Archery\n2\n",
         "classInd.txt:2: the name of a class is needed here, and there is none"),
        ("classInd.txt", "1 Archery\n2 archery\n",
         "classInd.txt:2: class 'archery' differs only in case from 'Archery' (classInd.txt:1); "
         "classes need different names"),
        ("classInd.txt", "1 Archery\n2 Archery\n",
         "classInd.txt:2: class 'Archery' is there already (classInd.txt:1); classes need different names"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(files, refused, name, text, message):
    assert refused(files({**SMALL, name: text}), ucf101.read, 2) == message


def test_missing_files_and_other_splits(files):
    folder = files(SMALL)
    with pytest.raises(
        DataError, match=r"the files lacks trainlist01\.txt, testlist01\.txt; put the official"
    ):
        ucf101.read(folder, 1)
    with pytest.raises(CallError, match="split is 4; give 1, 2 or 3"):
        ucf101.read(folder, 4)


def test_file_names_that_differ_in_case_are_noted(files):
    text = "Archery/a.avi\nArchery/A.avi\n"
    (note,) = ucf101.read(files({**SMALL, TEST: text}), 2).notes
    assert note.startswith("Archery/a.avi and Archery/A.avi differ only in case")


names = st.text("abcé _-.", min_size=1, max_size=8).filter(lambda name: name == name.strip())


@given(st.lists(names, min_size=2, max_size=9, unique=True), st.integers(1, 8))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_names_survive(tmp_path, stems, num_train):
    videos = [
        AnnotatedVideo(f"{('A', 'B c')[place % 2]}/{of}.avi", (place % 2,)) for place, of in enumerate(stems)
    ]
    num_train = min(num_train, len(videos) - 1)
    parts = {"train": tuple(videos[:num_train]), "test": tuple(videos[num_train:])}
    annotation = Annotation(("A", "B c"), parts)
    writers.write_ucf101(annotation, tmp_path, 3)
    assert ucf101.read(tmp_path, 3) == annotation


@pytest.mark.real
@pytest.mark.parametrize(
    ("split", "num_train", "num_test"), [(1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696)]
)
def test_the_official_files(official, tmp_path, split, num_train, num_test):
    found = ucf101.read(official / "ucf101", split)
    assert (len(found.parts["train"]), len(found.parts["test"])) == (num_train, num_test)
    assert (len(found.labels), found.notes) == (101, ())
    groups = {part: {video.group for video in videos} for part, videos in found.parts.items()}
    assert not groups["train"] & groups["test"]
    assert len(groups["train"] | groups["test"]) == 101 * 25
    writers.write_ucf101(found, tmp_path, split)
    assert ucf101.read(tmp_path, split) == found
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (official / "ucf101" / file.name).read_bytes().replace(b"\r", b"")
