"""Writing a whole generated set."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
import pytest

from attcell.errors import CallError, DataError
from attcell.synth.render import render
from attcell.synth.scene import FPS, plan_video, ring
from attcell.synth.truth import read_truth
from attcell.synth.write import write_dataset
from tests.conftest import left_over

FEW = {"train": 2, "test": 1}


def decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("synth") / "set", seed=1, num_classes=4, videos=FEW)


def test_layout_and_truth(written: Path) -> None:
    truth = read_truth(written)
    labels = [c.name for c in ring(4)]
    assert truth.labels == tuple(sorted(labels))
    expected = {
        f"{split}/{name}/{i:03d}.mp4" for split, n in FEW.items() for name in labels for i in range(n)
    }
    assert set(truth.videos) == expected
    assert {path.relative_to(written).as_posix() for path in written.rglob("*.mp4")} == expected
    for name, video in truth.videos.items():
        assert video.label == name.split("/")[1]
        assert video.intervals == ((0.0, video.num_frames / FPS),)


def test_the_file_holds_the_planned_frames(written: Path) -> None:
    plan = plan_video("trimmed", 1, seed=1, split="test", number=0, num_classes=4)
    frames = decoded(written / "test" / ring(4)[1].name / "000.mp4")
    planned = render(plan).frames
    assert frames.shape == planned.shape
    assert np.abs(frames.astype(int) - planned.astype(int)).mean() < 6.0


def test_a_finished_set_is_left_as_it_is(written: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in written.rglob("*")}
    assert write_dataset(written, seed=1, num_classes=4, videos=FEW) == written
    assert {path: path.stat().st_mtime_ns for path in written.rglob("*")} == before


def test_a_run_that_was_killed_with_its_first_file_begins_again(tmp_path: Path) -> None:
    left_over(tmp_path, "parameters", ".json").write_text("{")
    write_dataset(tmp_path, seed=1, num_classes=4, videos={"train": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parameters.json", "train", "truth.json"]


def test_a_video_does_not_depend_on_how_many_others_there_are(written: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "fewer", seed=1, num_classes=4, videos={"train": 1})
    fewer, more = contents(tmp_path / "fewer"), contents(written)
    assert {name for name in fewer if name.endswith(".mp4")} < set(more)
    assert all(more[name] == data for name, data in fewer.items() if name.endswith(".mp4"))


def test_a_broken_off_run_is_taken_up_again(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"

    def breaks(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(out, seed=1, num_classes=4, videos=FEW, progress=breaks)
    assert not (out / "truth.json").exists()
    left_over(out / "train" / "wave_red", "000", ".mp4").write_bytes(b"half")
    seen: list[tuple[int, int]] = []
    write_dataset(
        out, seed=1, num_classes=4, videos=FEW, progress=lambda done, all_: seen.append((done, all_))
    )
    assert seen == [(i + 1, 12) for i in range(12)]
    assert contents(out) == contents(written)


def test_other_folders_are_refused(written: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"holds another generated set \(.*seed 1.*\) than .*seed 2.*delete"):
        write_dataset(written, seed=2, num_classes=4, videos=FEW)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        CallError, match="is not empty and holds no generated set; name a new or empty folder"
    ):
        write_dataset(tmp_path)
    with pytest.raises(CallError, match=r"notes\.txt is a file"):
        write_dataset(tmp_path / "notes.txt")
    (tmp_path / "parameters.json").write_text("[]")
    with pytest.raises(
        CallError, match=r"holds another generated set \(unreadable parameters\) than the one"
    ):
        write_dataset(tmp_path)
    (tmp_path / "parameters.json").write_text("{")
    with pytest.raises(CallError, match=r"parameters\.json cannot be read"):
        write_dataset(tmp_path)


def test_a_finished_set_with_a_hole_is_an_error(tmp_path: Path) -> None:
    write_dataset(tmp_path / "set", num_classes=4, videos={"val": 1})
    (tmp_path / "set" / "val" / "wave_red" / "000.mp4").unlink()
    with pytest.raises(DataError, match=r"val/wave_red/000\.mp4 is missing \(and 0 more\); delete"):
        write_dataset(tmp_path / "set", num_classes=4, videos={"val": 1})


@pytest.mark.parametrize(
    ("kind", "seed", "videos", "message"),
    [
        ("short", 0, FEW, "unknown kind of generated video 'short'"),
        ("trimmed", -1, FEW, "seed is -1; give a whole number, at least 0"),
        ("trimmed", 1.5, FEW, "seed is 1.5; give a whole number, at least 0"),
        ("trimmed", "1", FEW, "seed is '1'; give a whole number, at least 0"),
        ("trimmed", 0, 3, "videos are 3; give splits and numbers, such as"),
        ("trimmed", 0, ["test"], r"videos are \['test'\] \(list\); give splits and numbers"),
        ("trimmed", 0, {"dev": 1}, "unknown split 'dev'"),
        ("trimmed", 0, {"train": 0}, "not all of them 0"),
        ("trimmed", 0, {"train": 3, "test": -1}, r"videos\['test'\] is -1; give a whole number, at least 0"),
        ("trimmed", 0, {"train": 1.5}, r"videos\['train'\] is 1.5; give a whole number, at least 0"),
    ],
)
def test_values_that_are_not_allowed(
    tmp_path: Path, kind: str, seed: int, videos: Mapping[str, int], message: str
) -> None:
    with pytest.raises(CallError, match=message):
        write_dataset(tmp_path / "set", kind, seed=seed, videos=videos)
    assert not (tmp_path / "set").exists()


def test_a_folder_is_a_path_or_its_text(tmp_path):
    out = write_dataset(str(tmp_path / "videos"), num_classes=4, videos={"test": 1})
    assert out == tmp_path / "videos"
    with pytest.raises(CallError, match=r'out is 5; give one path as text or Path, such as "videos"'):
        write_dataset(5)


@pytest.mark.parametrize("value", [4.0, "6", True, [6]])
def test_a_number_of_classes_that_is_no_whole_number(tmp_path, value):
    with pytest.raises(CallError, match=f"^{re.escape(str(value))} classes cannot be .* 4, 6, 8, 10$"):
        write_dataset(tmp_path / "set", num_classes=value)
    assert not (tmp_path / "set").exists()


def test_numpys_whole_numbers_write_the_same_set(tmp_path):
    out = write_dataset(tmp_path / "set", num_classes=4, videos={"test": 1})
    before = (out / "truth.json").read_bytes()
    again = write_dataset(out, seed=np.int64(0), num_classes=np.int64(4), videos={"test": np.int64(1)})
    assert (again / "truth.json").read_bytes() == before


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    out = write_dataset(tmp_path / "set", num_classes=4, videos={"train": 1})
    (out / "truth.json").unlink()
    folder = out / "train" / ring(4)[2].name
    shutil.rmtree(folder)
    folder.write_text("in the way")
    with pytest.raises(OSError, match="exists") as caught:
        write_dataset(out, num_classes=4, videos={"train": 1})
    assert Path(caught.value.filename) == folder
    assert not (out / "truth.json").exists()


# Of small sets in the look of the suites: the frames, and the bytes of what lies beside the videos.
PINNED = {
    ("trimmed", "paths"): "4faab9dbaa98f196",
    ("untrimmed", "paths"): "28372c3273d9646b",
    ("untrimmed", "postures"): "c678801de71f8782",
}


@pytest.mark.parametrize(("kind", "motions"), list(PINNED))
def test_the_sets_of_the_suites_stay_as_they_are(kind: str, motions: str, tmp_path: Path) -> None:
    videos = {"train": 1}
    write_dataset(tmp_path / "set", kind, seed=9, num_classes=4, motions=motions, videos=videos)
    digest = hashlib.sha256()
    for name in ("parameters.json", "truth.json"):
        digest.update((tmp_path / "set" / name).read_bytes())
    plan = plan_video(kind, 1, seed=9, split="train", number=0, num_classes=4, motions=motions)
    digest.update(render(plan).frames.tobytes())
    assert digest.hexdigest()[:16] == PINNED[kind, motions]
