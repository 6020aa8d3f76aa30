"""Groups of videos that belong together, from the command line: what is held out, said, and refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from attcell.synth.grouped import write_grouped
from tests.end_to_end.conftest import Run, recipe_values


@pytest.fixture(scope="session")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 clips of two classes, in 4 training groups and 1 of the test."""
    return write_grouped(tmp_path_factory.mktemp("grouped") / "set", seed=1, groups=5, clips=20)


@pytest.fixture
def own(grouped: Path, tmp_path: Path) -> Path:
    """A recipe for them that trains for a second, with a part of its training videos held out."""
    values = recipe_values(grouped)
    del values["data"]["val"]
    values["data"] |= {"val_fraction": 0.25, "workers": 0}
    values["segments"] = {"train": 2, "test": 2}
    values["train"] |= {"iterations": 1, "batch_size": 2, "checkpoint_every": 1}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_without_groups_a_line_says_so_and_how_to_give_them(attcell: Run, own: Path) -> None:
    said = attcell("train", own, "--out", "run").stderr
    (line,) = [line for line in said.splitlines() if "are drawn video by video" in line]
    assert "may share people, places or recordings with the training" in line
    assert "data.groups=EXPRESSION, FILE.csv or column" in line
    assert line.endswith("data.groups='/(g[0-9]+)_'")


def test_groups_are_kept_whole_through_training_and_test(
    attcell: Run, own: Path, grouped: Path, tmp_path: Path
) -> None:
    done = attcell("train", own, "data.groups=/(g[0-9]+)_", "--out", "run")
    assert "data.groups makes 4 groups of " in done.stderr
    assert "1 of them for validation" in done.stderr
    tested = attcell("test", tmp_path / "run" / "model")
    assert "groups" not in tested.stderr
    shared = [f"data.test={grouped}/train", "data.groups=/(g[0-9]+)_"]
    done = attcell("train", own, *shared, "--out", "again")
    message = "test videos are of groups that are in training too (g0"
    assert message in done.stderr
    assert message in attcell("test", tmp_path / "again" / "model").stderr


def videos_at(folder: Path, *names: str) -> Path:
    """Empty files: what is refused here is refused before a video is opened."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


FOUR = [f"{label}/g1_{clip}.mp4" for label in ("run", "wave") for clip in range(4)]


@pytest.mark.parametrize(
    ("names", "changes", "status", "message"),
    [
        (
            FOUR,
            ["data.groups=(person[0-9]+)"],
            2,
            "attcell: groups '(person[0-9]+)' finds nothing in the names of 8",
        ),
        ([*FOUR, "run/x.mp4"], ["data.groups=(g[0-9]+)"], 1, "tells no group of 1 of 9 videos: run/x.mp4"),
        (FOUR, ["data.groups=(g[0-9]+"], 2, "data.groups: no regular expression: missing ), unterminated"),
        (
            FOUR,
            ["data.groups=gone.csv"],
            2,
            "gone.csv: no such file; give a CSV with the columns video,group",
        ),
        (FOUR, ["data.groups=column"], 2, "data.groups=column is for list files; "),
        (FOUR, ["data.groups=(g[0-9]+)"], 1, "all 8 training videos of"),
        (
            ["run/g1_a.mp4", "run/g1_b.mp4", "wave/g2_a.mp4"],
            ["data.groups=(g[0-9]+)", "data.val_fraction=0.5"],
            1,
            "has one group, and groups are held out whole: data.val_fraction 0.5 leaves no validation videos",
        ),
        (FOUR[:4], [], 1, "has one class, run; at least 2 are needed"),
        (["run/a.mp4", "wave/b.mp4"], [], 1, "is not one video of any class; raise it, or set it to 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_message(
    attcell: Run, own: Path, tmp_path: Path, names, changes, status, message
) -> None:
    folder = videos_at(tmp_path / "mine", *names)
    sources = [f"data.train={folder}", "data.test=null", *changes]
    said = attcell("train", own, *sources, "--out", "run", status=status).stderr
    assert message in said
    assert not (tmp_path / "run").exists()


def test_a_class_that_is_in_the_test_alone(attcell: Run, own: Path, tmp_path: Path) -> None:
    test = videos_at(tmp_path / "test", "hop/a.mp4", "jump/b.mp4")
    said = attcell("train", own, f"data.test={test}", "--out", "run", status=1).stderr
    assert "the test videos, data.test: " in said
    assert "unknown class folders: 'jump'. Known classes: hop, slide" in said
    assert not (tmp_path / "run").exists()


def test_generated_clips_in_groups(attcell: Run, tmp_path: Path) -> None:
    done = attcell("synth", "clips", "--groups", 4, "--seed", 2)
    assert done.stdout == "clips: 27 clips of 2 classes in 4 groups, as their names tell (g01, g02, …)\n"
    assert len(list((tmp_path / "clips").glob("*/*/g0*_c*.mp4"))) == 27
    done = attcell("synth", "more", "--groups", 4, "--train", 30, status=2)
    assert "--train is not for clips in groups: leave it out, or --groups" in done.stderr


def test_the_check_proposes_groups_and_tells_what_given_ones_make(attcell: Run, grouped: Path) -> None:
    done = attcell("data", "check", grouped / "train")
    assert "to be looked at: " in done.stdout
    assert "if these belong together: data.groups='/(g[0-9]+)_'" in done.stdout
    done = attcell("data", "check", grouped / "train", "--groups", "/(g[0-9]+)_")
    assert "4 groups of 3 to " in done.stdout
    assert "of them in several classes" in done.stdout
    done = attcell("data", "check", grouped / "train", "--groups", "film", status=2)
    assert "attcell: groups 'film' finds nothing in the names of" in done.stderr
