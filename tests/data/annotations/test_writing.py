"""What a format cannot say is refused, and nothing is written."""

from __future__ import annotations

from functools import partial

import pytest

from attcell.data.annotations.reading import AnnotatedVideo, Annotation
from attcell.errors import CallError
from attcell.types import ActionInstance
from tests.data.annotations import writers

WRITERS = {
    "ucf101": partial(writers.write_ucf101, split=1),
    "hmdb51": partial(writers.write_hmdb51, split=1),
    "ccv": writers.write_ccv,
    "sports1m": writers.write_sports1m,
    "kinetics": writers.write_kinetics,
    "thumos14": writers.write_thumos14,
}


def of_train(*videos: AnnotatedVideo, labels: tuple[str, ...] = ("run", "sit")) -> Annotation:
    return Annotation(labels, {"train": videos})


@pytest.mark.parametrize("name", WRITERS)
def test_parts_without_a_file(tmp_path, name):
    with pytest.raises(
        CallError, match=r"the annotation has the part 'more', and this format writes .*train|valid"
    ):
        WRITERS[name](Annotation(("run",), {"more": ()}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


STEM = "0wR5jVB-WPk_000417_000427"


@pytest.mark.parametrize(
    ("name", "annotation", "message"),
    [
        ("ucf101", of_train(AnnotatedVideo("run/a.avi", (0, 1))),
         "run/a.avi has 2 classes, and this format writes just one a video"),
        ("hmdb51", of_train(AnnotatedVideo("run/a.avi", ())),
         "run/a.avi has 0 classes, and this format writes just one a video"),
        ("ucf101", of_train(AnnotatedVideo("sit/a.avi", (0,))),
         "sit/a.avi is of class run; this format needs ids such as run/NAME.avi"),
        ("hmdb51", of_train(AnnotatedVideo("a.avi", (1,))),
         "a.avi is of class sit; this format needs ids such as sit/NAME.avi"),
        ("sports1m", of_train(AnnotatedVideo("UDqivjS-lpI", ())),
         "UDqivjS-lpI has 0 classes; this format needs YouTube's ids of 11 characters, and at "
         "least one class"),
        ("sports1m", of_train(AnnotatedVideo("short", (0,))),
         "short has 1 classes; this format needs YouTube's ids of 11 characters, and at "
         "least one class"),
        ("kinetics", of_train(AnnotatedVideo(STEM, (0,))),
         "no video is of class sit, and this format names classes by videos alone"),
        ("kinetics", of_train(AnnotatedVideo(STEM, ()), labels=()),
         f"{STEM} has 0 classes, and this format writes just one a video"),
        ("kinetics", of_train(AnnotatedVideo("x", (0,)), labels=("run",)),
         "x is no file stem of Kinetics, such as 0wR5jVB-WPk_000417_000427"),
    ],
)  # fmt: skip
def test_videos_that_a_format_cannot_say(tmp_path, name, annotation, message):
    with pytest.raises(CallError) as caught:
        WRITERS[name](annotation, tmp_path / "out")
    assert str(caught.value) == message
    assert not (tmp_path / "out").exists()


def test_intervals_that_thumos14_cannot_say(tmp_path):
    sit = ActionInstance("v", "sit", 0.0, 1.0)
    video = AnnotatedVideo("v", (0,), instances=(sit,))
    with pytest.raises(CallError, match=r"^v has an instance of sit, which is no class"):
        writers.write_thumos14(Annotation(("run",), {"test": (video,)}), tmp_path / "out")
    with pytest.raises(CallError, match=r"^v has an ambiguous interval and is in no part; add it to one"):
        writers.write_thumos14(Annotation(("run",), {}, ambiguous=(sit,)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_classes_that_activitynet_cannot_say(tmp_path):
    video = AnnotatedVideo("v", (0,))
    with pytest.raises(CallError, match=r"^v: its classes are not those of its instances"):
        writers.write_activitynet(Annotation(("run",), {"training": (video,)}), tmp_path / "x.json")
    with pytest.raises(
        CallError, match=r"^no video is of class run, and this format names classes by videos alone"
    ):
        writers.write_activitynet(Annotation(("run",), {}), tmp_path / "x.json")
