"""What is written for an annotation tool is read back, to a frame or to a millisecond."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.annotation_tools.records import LabelledVideo, Wanted
from attcell.annotation_tools.registry import FORMATS, read_labels, write_labels
from attcell.annotation_tools.videos import Videos
from attcell.types import Detection, Size

LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn"))
CLASSES = st.text(LETTERS, min_size=1, max_size=12).map(str.strip).filter(bool)
STEMS = st.text(LETTERS, min_size=1, max_size=12).map(str.strip).filter(lambda name: name.strip("./\\"))
NAMES = STEMS.map(lambda stem: stem.replace("/", "-").replace("\\", "-") + ".mp4")
RATES = st.sampled_from([5.0, 12.0, 24000 / 1001, 25.0, 30000 / 1001, 60.0])
MILLISECONDS = st.integers(0, 5_000_000)


@st.composite
def actions(draw: st.DrawFn, fps: float) -> Detection:
    start, length = draw(MILLISECONDS) / 1000, draw(st.integers(0, 60_000)) / 1000
    score = draw(st.floats(0, 10).map(lambda of: float(f"{of:.6g}")))
    return Detection(draw(CLASSES), start, start + max(length, 1 / fps), score)


@st.composite
def videos(draw: st.DrawFn) -> tuple[LabelledVideo, ...]:
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    fps = draw(RATES)
    return tuple(
        LabelledVideo(name, tuple(draw(st.lists(actions(fps), max_size=4))), fps, Size(112, 96), 6000.0)
        for name in names
    )


def annotated(path: Path) -> None:
    """Do to Label Studio's tasks what a person does who accepts the predictions."""
    from attcell._files import read_json, write_json

    tasks = read_json(path)
    write_json(str(path), [{"data": of["data"], "annotations": of["predictions"]} for of in tasks])


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=40, deadline=None)
@given(written=videos())
def test_what_is_written_is_read_back(form, written):
    entry = FORMATS[form]
    if entry.is_per_video:
        written = written[:1]
    labels = tuple(sorted({of.label for video in written for of in video.actions}))
    fps = written[0].fps
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{entry.suffix}"
        assert write_labels(path, form, Wanted(written, labels))[0].is_relative_to(path)
        if form == "label-studio":
            annotated(path)
        back = read_labels(path, None, Videos(fps=fps)).videos
    assert [video.video for video in back] == [video.video for video in written]
    slack = 0.0005 if form in ("via", "elan") else 0.5 / fps
    for before, after in zip(written, back, strict=True):
        order = sorted(before.actions, key=key), sorted(after.actions, key=key)
        assert len(before.actions) == len(after.actions)
        for one, other in zip(*order, strict=True):
            assert one.label == other.label
            assert one.score == pytest.approx(other.score)
            assert one.start_seconds == pytest.approx(other.start_seconds, abs=slack + 2e-6)
            assert one.end_seconds == pytest.approx(other.end_seconds, abs=slack + 2e-6)


def key(of: Detection) -> tuple[str, float, int, int]:
    return of.label, of.score, round(of.start_seconds * 2), round(of.end_seconds * 2)


def test_several_videos_get_a_file_each(tmp_path):
    two = tuple(LabelledVideo(f"{name}/a.mp4", (), 25.0) for name in ("x", "y"))
    files = write_labels(tmp_path / "out", "elan", Wanted(two, ()))
    assert [file.name for file in files] == ["x_a.eaf", "y_a.eaf"]
    assert [of.video for of in read_labels(tmp_path / "out", None, Videos()).videos] == ["x/a.mp4", "y/a.mp4"]
