"""Each data set in miniature: check, training and test by a recipe of the papers' tables, and the table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Run

SMALL = (
    "model.streams.frame.backbone=small",
    "model.streams.frame.tap=null",
    "model.streams.frame.weights=none",
    "input.size=32",
    "input.short_side=36",
    "segments.train=2",
    "segments.test=3",
    "data.workers=0",
    "train.accelerator=cpu",
)
TRAINED = (
    "model.streams.frame.conv6_channels=8",
    "model.lstm_hidden=8",
    "train.iterations=2",
    "train.batch_size=2",
    "train.accumulate=1",
)


def name_of(recipe: str) -> str:
    """As the recipe's own ``name``."""
    return recipe.replace(" ", "-")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("name", "recipe", "figures", "videos", "published"),
    [
        ("ucf101", "stan-table-1 ucf101-frame-stan", ("top1", "mean_class_accuracy"), 4, "lost"),
        (
            "ucf101",
            "stan-table-1 ucf101-frame-pool5-512-ave",
            ("top1", "mean_class_accuracy"),
            4,
            "lost",
        ),
        ("ccv", "stan-table-1 ccv-frame-san", ("mAP",), 6, "lost"),
        ("ccv", "stan-table-1 ccv-frame-pool5-25088", ("mAP",), 6, "lost"),
        ("thumos14", "stan-table-1 thumos14-frame-stan", ("mAP", "top1"), 3, "lost"),
        ("sports1m", "stan-table-8 sports1m-stan-vgg16", ("mAP", "top1"), 4, "63.70"),
    ],
)
def test_check_train_test_and_table(
    attcell: Run, miniature, tmp_path, name, recipe, figures, videos, published
):
    folder = miniature(name)
    where = (f"data.root={folder / 'videos'}", f"data.annotations={folder / 'lists'}")
    pooled = "pool5" in recipe
    status = 1 if name == "sports1m" else 0  # two of whose videos are no longer to be had
    checked = attcell(
        *(
            "data",
            "check",
            name,
            folder / "videos",
            "--annotations",
            folder / "lists",
            "--json",
            "check.json",
        ),
        status=status,
    )
    report = json.loads((tmp_path / "check.json").read_text())
    assert report["ok"] == (status == 0)
    assert len(report["missing"]) == (2 if name == "sports1m" else 0)
    assert checked.stdout.startswith(f"{name} below {folder / 'videos'}: ")
    cache = (f"cache.folder={tmp_path / 'features'}",) if pooled else ()
    held_out = ("data.val_fraction=0.0",) if name == "sports1m" else ()  # an eighth of four is none
    table, rows = recipe.split()
    attcell(
        "protocol",
        table,
        "--rows",
        rows,
        *where,
        *SMALL,
        *(() if pooled else TRAINED),
        *cache,
        *held_out,
        "--out",
        "runs",
    )
    row, beside, *rivals = rows_of(tmp_path / "runs" / "table.csv")
    assert [one["run"] for one in rivals] == (
        ["Deep Video (Single Frame)", "Deep Video (Slow Fusion)", "Conv Pooling", "P3D ResNet"]
        if name == "sports1m"
        else []
    )
    assert (row["run"], row["dataset"], row["videos"], row["unread"]) == (
        name_of(recipe),
        name,
        str(videos),
        "0",
    )
    assert row["splits"] == ("1")
    for figure in figures:
        assert 0 <= float(row[f"{figure}_mean"]) <= 100
    assert beside["kind"] == "published"
    assert beside["source"].startswith("STAN paper")
    assert published in (tmp_path / "runs" / "table.md").read_text()
    scores = json.loads(
        (tmp_path / "runs" / name_of(recipe) / "split1-seed0" / "test-test" / "scores.json").read_text()
    )
    assert scores["run"] == {"name": name_of(recipe), "dataset": name, "split": 1, "seed": 0}
    if name == "thumos14":
        assert scores["protocol"]["segments"] == "one every 30 frames"


def test_videos_of_ccv_that_no_longer_exist_are_left_out_and_counted(attcell: Run, miniature, tmp_path):
    folder = miniature("ccv")
    lost = [folder / "videos" / f"{part}-_1AbC.mp4" for part in ("train", "test")]
    for path in lost:
        path.rename(tmp_path / path.name)
    try:
        done = attcell(
            *("protocol", "stan-table-1", "--rows", "ccv-frame-pool5-512-ave", *SMALL, "--out", "runs"),
            *(f"data.root={folder / 'videos'}", f"data.annotations={folder / 'lists'}"),
            "cache.folder=null",
        )
    finally:
        for path in lost:
            (tmp_path / path.name).rename(path)
    for part in ("train", "test"):
        assert f"ccv: 1 of 6 {part} videos are not below {folder / 'videos'}, and left out" in done.stderr
    (row, _) = rows_of(tmp_path / "runs" / "table.csv")
    assert (row["videos"], row["unread"], row["protocol_missing_left_out"]) == ("5", "0", "1")
    assert "missing left out 1" in (tmp_path / "runs" / "table.md").read_text()


def test_a_protocol_goes_on_where_it_was(attcell: Run, miniature, tmp_path):
    folder = miniature("hmdb51")
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("extends: stan-vgg16\nname: mine\n")
    words = (
        *(
            "protocol",
            recipe,
            *SMALL,
            *TRAINED,
            "data.train=null",
            "data.dataset=hmdb51",
            "data.val_fraction=0.0",
        ),
        *(f"data.root={folder / 'videos'}", f"data.annotations={folder / 'lists'}", "--out", "runs"),
    )
    first = attcell(*words, "--splits", "1,2")
    assert "run 2 of 2" in first.stderr
    kept = tmp_path / "runs" / "mine" / "split1-seed0" / "test-test" / "scores.json"
    before = kept.stat().st_mtime_ns
    again = attcell(*words, "--seeds", "2")
    assert "2 of 6 runs are done already" in again.stderr
    assert "run 4 of 4" in again.stderr
    assert kept.stat().st_mtime_ns == before
    (row,) = rows_of(tmp_path / "runs" / "table.csv")
    assert (row["splits"], row["seeds"]) == ("1 2 3", "0 1")
    changed = attcell(*words, "train.batch_size=4", status=2)
    assert "was started by another recipe; it differs in train.batch_size" in changed.stderr


def test_runs_side_by_side_give_what_one_after_another_gives(
    attcell: Run, attcell_process: Run, miniature, tmp_path
):
    folder = miniature("ccv")
    words = (
        *("protocol", "stan-table-1", "--rows", "ccv-frame-san", *SMALL, *TRAINED),
        *(f"data.root={folder / 'videos'}", f"data.annotations={folder / 'lists'}", "--seeds", "2"),
    )
    attcell(*words, "--out", "one")
    attcell_process(*words, "--out", "two", "--jobs", "2")
    one, two = (rows_of(tmp_path / place / "table.csv")[0] for place in ("one", "two"))
    assert float(one["mAP_mean"]) == pytest.approx(float(two["mAP_mean"]), abs=0.02)
    assert (tmp_path / "two" / "stan-table-1-ccv-frame-san" / "split1-seed1.log").is_file()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("data.root=x",), 2, "no recipe was named; give one or more"),
        (("none.yaml",), 2, "no recipe at none.yaml"),
        (
            ("tan", "data.train=x", "flow.store=none"),
            2,
            "recipe tan names no test videos; give data.test=SOURCE",
        ),
        (
            ("tan", "tan", "data.train=x", "data.test=y", "flow.store=none"),
            2,
            "two recipes are called tan; give one of them another name: key",
        ),
        (
            ("tan", "data.train=x", "data.test=y", "flow.store=none", "--splits", "1,2"),
            2,
            "recipe tan has the splits 1 to 1, not 2",
        ),
        (("tan", "data.train=x", "flow.store=none", "--splits", "a"), 2, "--splits a are not whole numbers"),
    ],
)
def test_what_cannot_be_run_is_named(attcell: Run, words, status, message):
    assert message in attcell("protocol", *words, status=status).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ccv",), "ccv is a data set: give the folder of its videos, data check ccv ROOT"),
        (("ccv", "none"), "none: no such folder; give the one below which the videos of ccv lie"),
        ((".", "x"), "is no data set that is known by name (ucf101, hmdb51,"),
    ],
)
def test_a_check_that_cannot_be_is_named(attcell: Run, words, message):
    assert message in attcell("data", "check", *words, status=2).stderr


def test_names_alone_are_checked_without_decoding(attcell: Run, miniature, tmp_path):
    folder = miniature("ucf101")
    path = folder / "videos" / "ApplyEyeMakeup" / "v_ApplyEyeMakeup_g01_c01.avi"
    other = path.with_name("v_applyeyemakeup_g01_c01.avi")
    path.rename(other)
    try:
        done = attcell(
            "data", "check", "ucf101", folder / "videos", "--annotations", folder / "lists", "--names-only"
        )
    finally:
        other.rename(path)
    assert "spelt in other capitals on disk, and found: 1" in done.stdout
    assert done.stdout.endswith("all videos are there (none was decoded)\n")
    assert "  split 2 train           12 videos,      12 there" in done.stdout


def test_a_model_of_another_split_is_refused_for_it_has_seen_test_videos(attcell: Run, miniature, tmp_path):
    folder = miniature("ucf101")
    words = (
        *("stan-table-1", *SMALL, *TRAINED, "name=mine"),
        *(f"data.root={folder / 'videos'}", f"data.annotations={folder / 'lists'}"),
    )
    row = ("--row", "ucf101-frame-san")
    attcell("train", *words, *row, "--out", "first")
    begun = "model.streams.frame.weights=first/model"
    done = attcell(
        *("protocol", *words, "--rows", row[1], begun, "--splits", "1,2", "--out", "runs"), status=2
    )
    assert "first/model was trained on split 1 of ucf101, and this is split 2, some of whose" in done.stderr
    assert not (tmp_path / "runs").exists()
    assert "and this is split 3" in attcell("train", *words, *row, begun, "data.split=3", status=2).stderr


def test_figures_of_other_videos_are_kept_apart_in_a_table(attcell: Run, miniature, tmp_path):
    folder = miniature("ccv")
    attcell(
        *("train", "stan-table-1", "--row", "ccv-frame-san", *SMALL, *TRAINED, "--out", "run"),
        *(f"data.root={folder / 'videos'}", f"data.annotations={folder / 'lists'}"),
        *("train.loss=sigmoid", "model.classifier=linear"),
    )
    tested = attcell("test", "run/model").stdout
    assert "mAP                  " in tested
    assert "mAP not interpolated, equal scores together, over the 3 of 3 classes that have a video" in tested
    assert "published mAP: a number that we do not have" in tested
    training = attcell("test", "run/model", "--split", "train").stdout
    assert training.startswith("mAP ")
    assert "mean class accuracy" not in training
    assert "published" not in training
    assert "published" not in attcell("test", "run/model", "--segments", "2", "--out", "other").stdout
    table = attcell("table", "run").stdout
    assert "| ccv, train videos |" in table
    assert "| ccv |" in table


def test_an_override_of_a_stream_that_a_recipe_lacks_is_refused(attcell: Run):
    done = attcell(
        *("protocol", "stan-table-1", "--rows", "ccv-frame-san", "data.root=x", "data.annotations=y"),
        "model.streams.clip.weights=c3d.safetensors",
        status=2,
    )
    assert (
        "stan-table-1, row ccv-frame-san, has no clip stream, and model.streams.clip.weights=" in done.stderr
    )
