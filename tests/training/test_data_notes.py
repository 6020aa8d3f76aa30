"""What a training says of its videos before it begins."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from attcell._log import within
from attcell.errors import CallError, DataError
from attcell.models.listings import read_listings
from attcell.training.data_notes import tell_of_videos
from tests.small_models import recipe_of


def videos_at(folder: Path, *names: str) -> Path:
    """Empty files; nothing of what is told here looks into one."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def told(caplog, folder: Path, **sections) -> list[tuple[str, str]]:
    """Level and text of all that is said."""
    recipe = recipe_of(folder, **sections)
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="attcell"):
        tell_of_videos(recipe, read_listings(recipe))
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def grouped(*, labels=("run", "wave"), groups=range(10), clips=3) -> list[str]:
    return [f"{label}/g{group}_{clip}.mp4" for label in labels for group in groups for clip in range(clips)]


@pytest.fixture
def train(tmp_path) -> Path:
    return videos_at(tmp_path / "train", *grouped())


def test_without_groups_validation_may_share_scenes(caplog, train):
    assert told(caplog, train) == []
    (only,) = told(caplog, train, data={"val_fraction": 0.2})
    assert only[0] == "INFO"
    assert "\n" not in only[1]
    assert only[1].startswith(
        "the 12 validation videos are drawn video by video, and may share people, places"
    )
    assert (
        "Say what belongs together: data.groups=EXPRESSION, FILE.csv or column. The number behind 'g'"
        in only[1]
    )
    assert only[1].endswith("if these belong together: data.groups='/(g[0-9]+)_'")


def test_an_svms_inner_folds_may_share_scenes_too(caplog, train):
    (only,) = told(caplog, train, model={"classifier": "svm"})
    assert only[1].startswith("the SVM's inner folds are drawn video by video")


def test_groups_are_counted(caplog, train):
    data = {"val_fraction": 0.2, "groups": "(g[0-9]+)_"}
    assert told(caplog, train, data=data) == [
        (
            "INFO",
            "data.groups makes 10 groups of 60 videos, 2 of them for validation; 10 groups are in several "
            "classes, as people or places are (if they are other scenes under one name, let the expression "
            "match the class too)",
        )
    ]
    data["groups"] = "([a-z]+/g[0-9]+)_"
    assert told(caplog, train, data=data) == [
        ("INFO", "data.groups makes 20 groups of 60 videos, 4 of them for validation")
    ]
    (only,) = told(caplog, train, data={"groups": ".+"})
    assert only[1].endswith(
        "each video is a group of its own, and nothing is held together; is the group right?"
    )


def test_groups_in_two_parts(caplog, train, tmp_path):
    val = videos_at(tmp_path / "val", *grouped(groups=[9, 10], clips=1))
    test = videos_at(tmp_path / "test", *grouped(groups=[3, 11, 12], clips=2))
    _, first, second = told(caplog, train, data={"val": val, "test": test, "groups": "(g[0-9]+)_"})
    assert first == (
        "WARNING",
        "2 of 4 validation videos are of groups that are in training too (g9), so that they say little of "
        "new groups; part whole groups",
    )
    assert second[1].startswith("4 of 12 test videos are of groups that are in training too (g3), so")


def test_a_class_that_is_in_the_test_alone(caplog, train, tmp_path):
    test = videos_at(tmp_path / "test", "run/a.mp4", "jump/b.mp4")
    with pytest.raises(
        DataError, match=r"the test videos, data\.test: .*test: unknown class folders: 'jump'"
    ):
        told(caplog, train, data={"test": test})


def test_test_videos_that_are_not_there_or_have_no_group(caplog, train, tmp_path):
    with pytest.raises(CallError, match=r"the test videos, data\.test: .*gone: no such file or folder"):
        told(caplog, train, data={"test": tmp_path / "gone"})
    test = videos_at(tmp_path / "test", "run/g1_a.mp4", "run/b.mp4")
    with pytest.raises(DataError, match=r"data\.test: .* tells no group of 1 of 2 videos: run/b.mp4"):
        told(caplog, train, data={"test": test, "groups": "(g[0-9]+)_"})


def test_classes_of_few_videos(caplog, tmp_path):
    names = [f"run/{n}.mp4" for n in range(40)] + ["sit/a.mp4", "wave/b.mp4", "wave/c.mp4"]
    train = videos_at(tmp_path / "train", *names)
    single, uneven = told(caplog, train)
    assert single == (
        "WARNING",
        "1 of 3 classes have one video, of which nothing is left to validate or test by: sit",
    )
    assert uneven[1].startswith("the classes are uneven, 40 videos of run and 1 of sit: accuracy can be high")
    assert told(caplog, train, train={"class_weights": "balanced"}) == [single]
    *_, lacking = told(caplog, train, data={"val_fraction": 0.2})
    assert lacking[1] == (
        "2 of 3 classes have no validation video, and do not count in the choice of the best network: "
        "sit, wave"
    )


def test_names_of_a_csv_that_no_video_has(caplog, train, tmp_path):
    lines = [f"{name},{name[4:7]}" for name in grouped()]
    file = tmp_path / "groups.csv"
    file.write_text("\n".join(["video,group", *lines, "run/gone.mp4,x"]))
    *_, unknown = told(caplog, train, data={"groups": file})
    assert unknown == (
        "WARNING",
        f"{file} names 1 videos that are in no part of the data, and passed over: run/gone.mp4",
    )


def test_of_one_training_of_many_nothing_is_said(caplog, train):
    with within("one 1/5"):
        assert told(caplog, train, data={"val_fraction": 0.2}) == []


def test_a_data_sets_own_groups_and_others(caplog, miniature):
    data = {"train": None, "dataset": "weizmann", "root": miniature("weizmann") / "videos"}
    assert told(caplog, Path(), data={**data, "val_fraction": 0.2}) == []
    first, *shared = told(caplog, Path(), data={**data, "groups": "^([a-z])"})
    assert first[1].startswith("data.groups makes 2 groups of 16 videos, in place of those of weizmann")
    assert shared[0][1].startswith("2 of 2 test videos are of groups that are in training too (b, r)")


def test_videos_that_are_learnt_from_and_tested_too(caplog, train, tmp_path):
    tested = videos_at(tmp_path / "test", "run/new.mp4", "wave/also new.mp4")
    assert told(caplog, train, data={"test": tested}) == []
    (tested / "run" / "link.mp4").symlink_to(train / "run" / "g0_0.mp4")
    said = f"1 videos are in both data.train and data.test, first {train / 'run' / 'g0_0.mp4'}; the test's"
    for data in ({"test": tested}, {"test": tested, "val": train}):
        *_, (level, text) = told(caplog, train, data=data)  # of the validation it is said when it is read
        assert (level, text) == ("WARNING", f"{said} metrics repeat what was learnt")
