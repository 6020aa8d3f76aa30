"""Checking a source by decoding all of it."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from attcell.data.check import check_source


def write_video(
    path: Path, num_frames: int, *, first: int = 0, options: dict[str, str] | None = None
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(num_frames):
            image = np.full((48, 64, 3), (first + index) * 5 % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "data"
    write_video(folder / "run" / "a.mp4", 30)
    write_video(folder / "run" / "b.mp4", 30, first=7)
    write_video(folder / "wave" / "c.mp4", 10)
    return folder


def test_a_whole_source(folder):
    report = check_source(folder)
    assert report.ok
    found = report.to_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["classes"] == [
        {"label": "run", "videos": 2, "frames": 60, "seconds": pytest.approx(2.4)},
        {"label": "wave", "videos": 1, "frames": 10, "seconds": pytest.approx(0.4)},
    ]
    assert found["sizes"] == {"64x48": 3}
    assert found["short"] == {"wave/c.mp4": 10}
    assert not any(
        found[key] for key in ("missing", "unreadable", "damaged", "duplicates", "surplus", "ignored")
    )
    lines = report.lines()
    assert lines[0] == f"{folder}: 3 videos, 2 classes, 3 can be read"
    assert "  frames a video: 10 to 30, median 30" in lines
    assert lines[-1] == "all videos are there and whole"


def test_everything_that_can_be_wrong(folder):
    (folder / "wave" / "empty.mp4").touch()
    (folder / "wave" / "readme.txt").touch()
    write_video(folder / "stray.mp4", 3)
    (folder / "wave" / "same.mp4").write_bytes((folder / "run" / "a.mp4").read_bytes())
    write_video(folder / "wave" / "cut.avi", 30, options={"g": "5"})
    whole = (folder / "wave" / "cut.avi").read_bytes()
    (folder / "wave" / "cut.avi").write_bytes(whole[: len(whole) * 3 // 4])
    report = check_source(folder)
    assert not report.ok
    found = report.to_dict()
    assert "the file is empty" in found["unreadable"]["wave/empty.mp4"]
    assert "frames decode; the rest is damaged" in found["damaged"]["wave/cut.avi"][0]
    assert found["duplicates"] == [["run/a.mp4", "wave/same.mp4"]]
    assert found["surplus"] == [str(folder / "stray.mp4")]
    assert found["ignored"] == [str(folder / "wave" / "readme.txt")]
    text = "\n".join(report.lines())
    assert "the same file twice: 1\n  run/a.mp4 = wave/same.mp4" in text
    assert text.endswith("something is wrong: see above")


def test_a_list_names_what_is_missing_and_what_lies_beside(folder):
    listing = folder.parent / "list.txt"
    listing.write_text("run/a.mp4 0\nwave/gone.mp4 1\n")
    report = check_source(listing, folder)
    assert not report.ok
    assert [video.id for video in report.missing] == ["wave/gone.mp4"]
    assert report.unreadable == ()
    assert report.surplus == (str(folder / "run" / "b.mp4"), str(folder / "wave" / "c.mp4"))
    assert "missing: 1\n  wave/gone.mp4" in "\n".join(report.lines())


def test_videos_that_a_list_leaves_out_are_no_fault(folder):
    listing = folder.parent / "list.txt"
    listing.write_text("run/a.mp4 0\n")
    report = check_source(listing, folder)
    assert report.ok
    assert len(report.surplus) == 2


def test_progress_sees_every_record_and_nothing_is_printed(folder, capfd):
    seen = []

    def progress(records):
        for record in records:
            seen.append(record.id)
            yield record

    check_source(folder, progress=progress)
    assert seen == ["run/a.mp4", "run/b.mp4", "wave/c.mp4"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.real
def test_weizmann_is_whole(real_data):
    report = check_source(real_data / "weizmann")
    assert report.ok
    assert len(report.videos) == 90
    assert report.to_dict()["sizes"] == {"180x144": 90}
