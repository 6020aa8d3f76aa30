"""Folders per class and list files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from attcell.data.sources import read_source, videos_below
from attcell.errors import CallError, DataError
from tests.moving import noisy_frames, write_pictures


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two classes with empty files: reading a source opens no video."""
    for name in (
        "wave/b.mp4",
        "wave/a.AVI",
        "wave/more/c.webm",
        "run/x y.mkv",
        "wave/notes.txt",
        "stray.mp4",
    ):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "data" / "empty").mkdir()
    (tmp_path / "data" / ".hidden").mkdir()
    return tmp_path / "data"


def listed(tmp_path: Path, text: str, name: str = "list.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def test_a_folder_per_class(folder):
    listing = read_source(folder)
    assert listing.labels == ("run", "wave")
    assert [(record.id, record.label) for record in listing.records] == [
        ("run/x y.mkv", 0),
        ("wave/a.AVI", 1),
        ("wave/b.mp4", 1),
        ("wave/more/c.webm", 1),
    ]
    assert all(record.path == folder / record.id for record in listing.records)
    names = [path.relative_to(folder).as_posix() for path in listing.ignored]
    assert sorted(names) == ["empty", "stray.mp4", "wave/notes.txt"]


def test_all_videos_below_a_folder_in_class_folders_or_not(folder, tmp_path):
    write_pictures(folder / "frames", noisy_frames(2))
    assert [record.id for record in videos_below(folder).records] == [
        "frames",
        "run/x y.mkv",
        "stray.mp4",
        "wave/a.AVI",
        "wave/b.mp4",
        "wave/more/c.webm",
    ]
    with pytest.raises(DataError, match=r"empty: no videos found below it \(known suffixes: \.3gp"):
        videos_below(folder / "empty")


def test_class_folders_that_are_links_are_followed_and_loops_end(folder, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "z.mp4").touch()
    (folder / "jump").symlink_to(other)
    (folder / "wave" / "up").symlink_to(folder)
    listing = read_source(folder)
    assert listing.labels == ("jump", "run", "wave")
    assert [record.id for record in listing.records if record.label == 0] == ["jump/z.mp4"]


def test_a_folder_that_may_not_be_looked_into_stands_among_the_videos(folder, tmp_path, monkeypatch):
    real, closed = os.scandir, {str(folder / "wave"), str(folder / "run" / "deep")}
    (folder / "run" / "deep").mkdir()

    def scandir(path):
        if str(path) in closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    listing = read_source(folder)
    assert listing.labels == ("run", "wave"), "the class is not gone"
    assert [record.id for record in listing.records] == ["run/deep", "run/x y.mkv", "wave"]
    closed.add(str(folder))
    with pytest.raises(DataError, match=r"data: cannot be read \(Permission denied\); check its permissions"):
        read_source(folder)


def test_a_class_folder_without_a_video_by_its_name_is_refused_and_other_files_are_told(folder, caplog):
    caplog.set_level("INFO", "attcell")
    read_source(folder)
    assert (
        "data: 1 files in class folders are no videos by their names and left out, such as wave/notes.txt"
        in (caplog.text)
    )
    (folder / "sit").mkdir()
    (folder / "sit" / "a.mp5").touch()
    said = r"class folders without a video by its name: sit \(1 files, such as a.mp5\). Bring"
    with pytest.raises(DataError, match=said):
        read_source(folder)


def test_a_video_beside_its_own_frames_counts_twice_and_is_told(folder, caplog):
    for name in ("wave/b", "run/other"):
        write_pictures(folder / name, noisy_frames(1))
    ids = [record.id for record in read_source(folder).records]
    assert ids == ["run/other", "run/x y.mkv", "wave/a.AVI", "wave/b", "wave/b.mp4", "wave/more/c.webm"]
    (said,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert said.getMessage() == (
        f"{folder}: 1 videos are there as a file and as a folder of frames of the same name, and count "
        "twice, such as wave/b.mp4; take the one or the other away"
    )


def test_parts_that_would_be_learnt_as_classes_are_told(tmp_path, caplog):
    for name in ("train/run/a.mp4", "train/wave/b.mp4", "Test/run/c.mp4"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert read_source(tmp_path).labels == ("Test", "train")
    assert (
        f"{tmp_path}: its classes are Test, train, which are names of parts of a data set; if" in caplog.text
    )
    assert caplog.messages[0].endswith(f"give one part, such as {tmp_path / 'train'}")
    caplog.clear()
    read_source(tmp_path / "train")
    assert caplog.text == ""


def test_a_class_is_the_same_in_both_unicode_forms(tmp_path):
    for name in ("cafe\u0301/a.mp4", "bar/a.mp4"):
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        (tmp_path / "data" / name).touch()
    assert read_source(tmp_path / "data").labels == ("bar", "caf\u00e9")
    for known in ("caf\u00e9", "cafe\u0301"):
        listing = read_source(tmp_path / "data", labels=("bar", known))
        assert [(record.id, record.labels) for record in listing.records] == [
            ("bar/a.mp4", (0,)),
            ("cafe\u0301/a.mp4", (1,)),
        ]
        assert listing.labels == ("bar", known)


def test_known_labels_are_matched_by_name(folder):
    listing = read_source(folder, labels=["wave", "jump", "run"])
    assert listing.labels == ("wave", "jump", "run")
    assert {record.id.split("/")[0]: record.label for record in listing.records} == {"wave": 0, "run": 2}


def test_an_unknown_class_folder_is_named_with_a_suggestion(folder):
    message = r"unknown class folders: 'wave' \(did you mean 'waves'\?\)\. Known classes: run, waves\."
    with pytest.raises(DataError, match=message):
        read_source(folder, labels=["run", "waves"])


def test_a_folder_without_videos(tmp_path):
    with pytest.raises(DataError, match="no videos found; expected one folder per class"):
        read_source(tmp_path)


def test_a_list_file(tmp_path):
    path = listed(tmp_path, "a/b c.mp4 1\r\n\r\n#d.mp4  0  \r\n  e\tf.mp4\t2\r\n")
    listing = read_source(path)
    assert [(record.id, record.label) for record in listing.records] == [
        ("a/b c.mp4", 1),
        ("#d.mp4", 0),
        ("e\tf.mp4", 2),
    ]
    assert listing.records[0].path == tmp_path / "a" / "b c.mp4"
    assert listing.labels == ("0", "1", "2")
    assert listing.ignored == ()


def test_a_list_starts_at_its_root(tmp_path):
    (tmp_path / "videos").mkdir()
    path = listed(tmp_path, "a.mp4 0\n")
    assert read_source(str(path), str(tmp_path / "videos")).records[0].path == tmp_path / "videos" / "a.mp4"


@pytest.mark.parametrize(
    ("name", "text"), [("labels.txt", "run\nlong jump\n"), ("classInd.txt", "1 run\r\n2 long jump\r\n")]
)
def test_names_beside_a_list(tmp_path, name, text):
    listed(tmp_path, text, name)
    path = listed(tmp_path, "a.mp4 1\n")
    assert read_source(path).labels == ("run", "long jump")
    assert read_source(path, labels=["x", "y", "z"]).labels == ("x", "y", "z")


def test_bad_names_beside_a_list(tmp_path):
    path = listed(tmp_path, "a.mp4 1\n")
    listed(tmp_path, "0 run\n1 jump\n", "classInd.txt")
    with pytest.raises(DataError, match=r"classInd.txt: line '0 run'; expected '1 Name'"):
        read_source(path)
    listed(tmp_path, "run\nrun\n", "labels.txt")
    with pytest.raises(DataError, match=r"labels.txt: class names must be there, and each only once"):
        read_source(path)


def test_all_bad_lines_are_reported_with_their_numbers(tmp_path):
    path = listed(tmp_path, "a.mp4 0\nb.mp4\n\nc.mp4 one\nd.mp4 -1\n./a.mp4 1\ne.mp4 2\n")
    with pytest.raises(DataError) as caught:
        read_source(path, labels=["x", "y"])
    assert str(caught.value).split("\n") == [
        f"{path}: 5 bad lines; expected 'path label', or 'folder frames label' for a folder of frames, "
        "with labels from 0:",
        f"  {path}:2: a path and a label are needed: 'b.mp4'",
        f"  {path}:4: the label 'one' is not a whole number from 0: 'c.mp4 one'",
        f"  {path}:5: the label '-1' is not a whole number from 0: 'd.mp4 -1'",
        f"  {path}:6: this video is on line 1 already: './a.mp4 1'",
        f"  {path}:7: label 2 is too high, 2 classes count from 0 to 1: 'e.mp4 2'",
    ]


def test_many_bad_lines_are_counted(tmp_path):
    path = listed(tmp_path, "bad\n" * 25)
    with pytest.raises(DataError) as caught:
        read_source(path)
    lines = str(caught.value).split("\n")
    assert len(lines) == 12
    assert lines[0].startswith(f"{path}: 25 bad lines")
    assert lines[-1] == "  and 15 more"


def test_sources_that_are_not_there(tmp_path, folder):
    with pytest.raises(CallError, match="gone: no such file or folder; give a folder"):
        read_source(tmp_path / "gone")
    with pytest.raises(CallError, match=r"root .*gone: no such folder"):
        read_source(listed(tmp_path, "a.mp4 0\n"), tmp_path / "gone")
    with pytest.raises(CallError, match="is for list files"):
        read_source(folder, folder)


@pytest.mark.parametrize(
    ("content", "message"), [(b"\n \n", "the list is empty"), (b"\xff\xfe\x00", "not a text file in UTF-8")]
)
def test_files_that_are_no_list(tmp_path, content, message):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_source(path)


@pytest.mark.real
def test_weizmann(real_data):
    listing = read_source(real_data / "weizmann")
    assert (len(listing.records), len(listing.labels), listing.ignored) == (90, 10, ())


def test_what_is_no_path_is_refused(tmp_path):
    with pytest.raises(
        CallError, match=r'source is 5; give one path as text or Path, such as "videos/train"'
    ):
        read_source(5)
    (tmp_path / "list.txt").write_text("a.mp4 0\n")
    with pytest.raises(CallError, match=r'root is 5; give one path as text or Path, such as "videos"'):
        read_source(tmp_path / "list.txt", 5)


class TestFoldersOfFrames:
    def test_a_folder_of_frames_is_a_video_as_a_file_is(self, folder):
        for name in ("wave/clip/img_00001.jpg", "wave/clip/flow_x_00001.jpg", "jump/v1.2/0.png"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        listing = read_source(folder)
        assert listing.labels == ("jump", "run", "wave")
        assert [(record.id, record.label) for record in listing.records if record.path.is_dir()] == [
            ("jump/v1.2", 0),
            ("wave/clip", 2),
        ]

    def test_pictures_beside_videos_or_folders_are_ignored(self, folder):
        (folder / "wave" / "00001.jpg").touch()
        (folder / "wave" / "more" / "img_00001.jpg").touch()
        listing = read_source(folder)
        assert len(listing.records) == 4
        ignored = {path.relative_to(folder).as_posix() for path in listing.ignored}
        assert {"wave/00001.jpg", "wave/more/img_00001.jpg"} <= ignored

    def test_frames_in_a_class_folder_itself_are_outside_any_class(self, folder):
        (folder / "empty" / "img_00001.jpg").touch()
        listing = read_source(folder)
        assert listing.labels == ("run", "wave")
        assert [path.name for path in listing.ignored].count("empty") == 1


def test_where_there_is_no_video_features_stand_in_their_place(tmp_path):
    for name in ("wave/a.npy", "run/more/b.NPY", "wave/notes.txt", "stray.npy"):
        path = tmp_path / "given" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    listing = read_source(tmp_path / "given")
    assert [(record.id, record.label) for record in listing.records] == [
        ("run/more/b.NPY", 0),
        ("wave/a.npy", 1),
    ]
    assert [path.name for path in listing.ignored] == ["stray.npy", "notes.txt"]
    (tmp_path / "given" / "wave" / "a.mp4").touch()
    with pytest.raises(DataError, match=r"without a video by its name: run \(1 files, such as b.NPY\)"):
        read_source(tmp_path / "given")
    (tmp_path / "given" / "run").rename(tmp_path / "given" / ".run")
    listing = read_source(tmp_path / "given")
    assert [record.id for record in listing.records] == ["wave/a.mp4"]
    assert tmp_path / "given" / "wave" / "a.npy" in listing.ignored


def test_a_line_may_name_features(tmp_path):
    listing = read_source(listed(tmp_path, "some/a b 3.npy 1\nb.npy 0 1\n"))
    assert [(record.id, record.labels) for record in listing.records] == [
        ("some/a b 3.npy", (1,)),
        ("b.npy", (0, 1)),
    ]
