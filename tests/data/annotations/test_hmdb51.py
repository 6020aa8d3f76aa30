"""HMDB51's file for each class and split."""

from __future__ import annotations

import pytest

from attcell.data.annotations import hmdb51
from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from tests.data.annotations import writers

SMALL = {
    "kick_test_split1.txt": "b (1).avi 1 \r\na.avi 2 \r\n",
    "kick_ball_test_split1.txt": "a.avi 0 \nc.avi 1 \n",
    "class_list.txt": "not read\n",
}


def test_a_small_one(files, tmp_path):
    found = hmdb51.read(files(SMALL), 1)
    assert found == Annotation(
        ("kick", "kick_ball"),
        {
            "train": (AnnotatedVideo("kick/b (1).avi", (0,)), AnnotatedVideo("kick_ball/c.avi", (1,))),
            "test": (AnnotatedVideo("kick/a.avi", (0,)),),
            "unused": (AnnotatedVideo("kick_ball/a.avi", (1,)),),
        },
    )
    writers.write_hmdb51(found, tmp_path / "again", 3)
    assert hmdb51.read(tmp_path / "again", 3) == found
    assert (tmp_path / "again" / "kick_test_split3.txt").read_text() == "a.avi 2 \nb (1).avi 1 \n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.avi 3 \n",
         "kick_test_split1.txt:1: 'a.avi 3'; expected 'VIDEO.avi CODE' with the code 1 (training), 2 "
         "(testing) or 0 (unused)"),
        ("b.avi 1\na.avi\n",
         "kick_test_split1.txt:2: 'a.avi'; expected 'VIDEO.avi CODE' with the code 1 (training), 2 "
         "(testing) or 0 (unused)"),
        ("a.avi 1\n\na.avi 2\n",
         "kick_test_split1.txt:3: kick/a.avi stands at kick_test_split1.txt:1 too; leave one of them out"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(files, refused, text, message):
    assert refused(files({**SMALL, "kick_test_split1.txt": text}), hmdb51.read, 1) == message


def test_files_that_are_missing(files, refused):
    more = {"climb_test_split2.txt": "a.avi 1\n", "wave_test_split3.txt": "a.avi 1\n"}
    folder = files({**SMALL, **more}, "some")
    advice = "put the official files there, or give their folder"
    assert refused(folder, hmdb51.read, 1) == (
        f"{folder} lacks climb_test_split1.txt, wave_test_split1.txt; {advice}"
    )
    folder = files({"x.txt": ""}, "none")
    assert refused(folder, hmdb51.read, 1) == f"{folder} names no class; get the official files anew"
    folder = files({"kick_test_split1.txt": "a.avi 1\n"}, "half")
    assert refused(folder, hmdb51.read, 1) == (
        f"the test part of {folder} lists no video; get the official file anew"
    )


def test_classes_that_differ_in_case(files, refused):
    folder = files({**SMALL, "Kick_test_split1.txt": "a.avi 1\n"})
    assert refused(folder, hmdb51.read, 1) == (
        "kick_test_split1.txt: class 'kick' differs only in case from 'Kick' (Kick_test_split1.txt); "
        "classes need different names"
    )


@pytest.mark.real
@pytest.mark.parametrize("split", [1, 2, 3])
def test_the_official_files(official, tmp_path, split):
    found = hmdb51.read(official / "hmdb51", split)
    assert {part: len(videos) for part, videos in found.parts.items()} == {
        "train": 3570, "test": 1530, "unused": 1666,
    }  # fmt: skip
    assert (len(found.labels), found.notes) == (51, ())
    for label in range(51):
        assert sum(video.labels == (label,) for video in found.parts["train"]) == 70
        assert sum(video.labels == (label,) for video in found.parts["test"]) == 30
    writers.write_hmdb51(found, tmp_path, split)
    assert hmdb51.read(tmp_path, split) == found
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (official / "hmdb51" / file.name).read_bytes()
