"""Checking a source by decoding all of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from attcell.data.check import check_source
from attcell.errors import CallError
from attcell.video.frame_folder import NO_TIMES
from tests.moving import noisy_frames, write_pictures


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


def test_what_cannot_be_told_is_no_video_that_is_missing(folder):
    name = f"{'x' * 300}.mp4"
    (folder / "list.txt").write_text(f"{name} 0\ngone.mp4 1\n")
    report = check_source(folder / "list.txt")
    assert [video.id for video in report.missing] == ["gone.mp4"]
    (unreadable,) = (video for video in report.videos if not video.is_read and not video.is_missing)
    assert unreadable.error == f"{folder / name}: cannot be read (File name too long)"


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


class TestFoldersOfFrames:
    def test_what_is_right_and_what_is_not(self, tmp_path):
        for number, name in enumerate(("a", "b", "c", "d", "e", "far")):
            write_pictures(tmp_path / name, noisy_frames(6, seed=number))
        shutil.copytree(tmp_path / "a", tmp_path / "same")
        (tmp_path / "b" / "img_00002.png").write_bytes(b"\x89PNG")
        (tmp_path / "c" / "img_00002.png").unlink()
        (tmp_path / "list.txt").write_text("a 6 0\nb 6 1\nc 6 1\nd 6 0 1\nsame 6 0\ngone.mp4 1\n")
        report = check_source(tmp_path / "list.txt")
        found = report.to_dict()
        assert not report.ok
        assert found["duplicates"] == [["a", "same"]]
        assert found["missing"] == ["gone.mp4"]
        assert "img_00002.png is missing, the first of 1" in found["unreadable"]["c"]
        assert found["damaged"]["b"][:2] == [
            "5 of 6 frames decode; the rest is damaged or missing",
            "does not decode: img_00002.png",
        ]
        assert found["surplus"] == [str(tmp_path / "e"), str(tmp_path / "far")]
        assert found["notes"] == {name: [NO_TIMES] for name in ("a", "d", "same")}
        assert [(one["videos"], one["frames"]) for one in found["classes"]] == [(3, 18), (4, 11)]
        assert f"  {NO_TIMES}: a and 2 more" in report.lines()

    def test_parts_are_counted_as_parts(self, tmp_path):
        write_pictures(tmp_path / "long", [*noisy_frames(5), *noisy_frames(5), *noisy_frames(5)])
        (tmp_path / "list.txt").write_text("long 0 5 0\nlong 5 10 1\n")
        report = check_source(tmp_path / "list.txt")
        assert report.ok
        assert [video.num_frames for video in report.videos] == [5, 10]
        assert report.surplus == ()

    def test_a_folder_per_class(self, tmp_path):
        for name in ("run/a", "wave/b", "stray"):
            write_pictures(tmp_path / name, noisy_frames(3, seed=len(name)))
        (tmp_path / "empty").mkdir()
        report = check_source(tmp_path)
        assert report.ok
        assert [video.id for video in report.videos] == ["run/a", "wave/b"]
        assert report.surplus == (str(tmp_path / "stray"),)
        assert report.ignored == (str(tmp_path / "empty"),)


class TestHints:
    @pytest.fixture
    def grouped(self, tmp_path) -> Path:
        """Two classes, three groups of four clips each; a group's first frames are alike."""
        rng = np.random.default_rng(0)
        for group in range(3):
            scene = rng.integers(0, 255, (8, 9)).repeat(8, 0).repeat(8, 1)[..., None].repeat(3, 2)
            for clip in range(4):
                name = ("run", "wave")[clip % 2]
                frames = [np.clip(scene + 5 * clip, 0, 255).astype(np.uint8)] * 3
                write_pictures(tmp_path / name / f"g{group}_c{clip}", frames)
        return tmp_path

    def test_what_looks_like_groups(self, grouped):
        report = check_source(grouped)
        named, alike = report.hints
        assert named == (
            "The number behind 'g' in the names would make 3 groups of 12 videos, such as 'g0'; if these "
            "belong together: data.groups='/(g[0-9]+)_'"
        )
        assert alike.startswith(
            "12 of 12 videos begin with a frame like another's, in 3 sets of up to 4, such"
        )
        assert report.to_dict()["hints"] == list(report.hints)
        assert f"to be looked at: 2\n  {named}" in "\n".join(report.lines())

    def test_groups_that_are_given(self, grouped):
        assert check_source(grouped, groups="(g[0-9])_").hints == (
            "3 groups of 4 videos, 3 of them in several classes",
        )
        counted, torn = check_source(grouped, groups="_(c[0-9])").hints
        assert counted == "4 groups of 3 videos, 0 of them in several classes"
        assert torn.startswith(
            "3 sets of videos whose first frames look alike lie in several groups, such as run"
        )
        with pytest.raises(CallError, match="finds nothing in the names of 12 videos"):
            check_source(grouped, groups="person")
        with pytest.raises(CallError, match="give a regular expression whose first brackets"):
            check_source(grouped, groups="")

    def test_a_lists_column(self, grouped):
        lines = [f"{path.relative_to(grouped)} 3 0 {path.name[:2]}" for path in sorted(grouped.glob("*/*"))]
        (grouped / "list.txt").write_text("\n".join(lines))
        report = check_source(grouped / "list.txt", groups="column")
        assert report.hints == ("3 groups of 4 videos, 0 of them in several classes",)

    def test_classes_of_few_videos_and_sizes_of_several(self, tmp_path):
        for number in range(12):
            write_video(tmp_path / "run" / f"{number}.mp4", 3)
        write_pictures(tmp_path / "wave" / "a", noisy_frames(3))
        assert [hint.split(":")[0] for hint in check_source(tmp_path).hints] == [
            "1 of 2 classes have one video, of which nothing is left to validate or test by",
            "the classes are uneven, 12 videos of run and 1 of wave",
        ]
        write_pictures(tmp_path / "wave" / "b", noisy_frames(3, seed=1))
        (kinds,) = check_source(tmp_path).hints
        assert kinds.startswith(
            "2 kinds of size and frame rate, 2 of them of several videos: each may be a camera"
        )

    def test_names_that_hold_a_direction(self, tmp_path):
        for label in ("turn_left", "turn_right", "wave"):
            for number in range(2):
                write_video(tmp_path / label / f"{number}.mp4", 3)
        (turned,) = check_source(tmp_path).hints
        assert turned.startswith(
            "class names hold a direction (turn_left, turn_right), and a mirror image is of"
        )
