"""``attcell score`` as a user calls it, on files alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from attcell.results.scores import Scores, read_scores, write_scores
from tests.end_to_end.conftest import Run

LABELS = ("kick", "sit", "wave")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Two models' scores of 30 tested and 30 other videos, in three kinds of files."""
    rng = np.random.default_rng(0)
    for part, names in (("test", "t"), ("val", "v")):
        truth = tuple((LABELS[n % 3],) for n in range(30))
        videos = tuple(f"{names}{n:02d}.mp4" for n in range(30))
        right = np.eye(3)[[n % 3 for n in range(30)]]
        for name, noise in (("tan", 1.5), ("mifs", 2.0)):
            raw = np.exp(2 * right + noise * rng.normal(size=(30, 3)))
            scores = raw / raw.sum(axis=1, keepdims=True)
            known = truth if name == "tan" else (None,) * 30
            suffix = ".json" if name == "tan" else ".csv"
            write_scores(tmp_path / f"{name}-{part}{suffix}", Scores("", LABELS, videos, scores, known), {})
    return ["tan-test.json", "mifs-test.csv"]


def test_fusing_with_tuned_weights(attcell: Run, files: list[str], tmp_path: Path) -> None:
    done = attcell(
        "score", "fuse", *files, "--tune", "tan-val.json", "--tune", "mifs-val.csv", "--out", "fused.json"
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[-2:] == [
        "protocol: 2 files, weights tuned on 30 other videos, 30 videos, unread 0",
        "written: fused.json",
    ]
    whole, tan = read_scores(tmp_path / "fused.json"), read_scores(tmp_path / "tan-test.json")
    weights = [of["weight"] for of in json.loads((tmp_path / "fused.json").read_text())["protocol"]["fused"]]
    assert sum(weights) == pytest.approx(1)
    mifs = read_scores(tmp_path / "mifs-test.csv")
    np.testing.assert_allclose(whole.scores, weights[0] * tan.scores + weights[1] * mifs.scores)
    top1 = np.mean(whole.scores.argmax(1) == whole.true_classes())
    assert f"fused: top1 {100 * top1:.2f} %, mean class accuracy {100 * top1:.2f} %" in lines
    assert done.stderr == ""


def test_fusing_with_given_weights_and_none(attcell: Run, files: list[str], tmp_path: Path) -> None:
    done = attcell("score", "fuse", *files, "--weights", "3,1", "--out", "a.npz")
    assert "weight 0.75" in done.stdout
    assert "protocol: 2 files, weights given, 30 videos, unread 0\n" in done.stdout
    assert "weights all alike" in attcell("score", "fuse", *files, "--out", "b.csv").stdout
    assert read_scores(tmp_path / "a.npz").truth == read_scores(tmp_path / "b.csv").truth


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tan-test.json"], "one file alone is nothing to fuse; give two or more"),
        (["--weights", "1,1", "--tune", "tan-val.json"], "--weights and --tune exclude each other; keep one"),
        (["--tune", "tan-val.json"], "1 files to tune on for 2 files; give --tune once for each"),
        (["--weights", "a,b"], "--weights a,b are not numbers; give one for each file, as 0.6,0.4"),
        (["--weights", "1,1,1"], "the weights are 1, 1, 1, for 2 files; give one for each"),
        (["--out", "tan-test.json"], "tan-test.json is named twice, and would be written over; name another"),
        (["--out", "x.txt"], "x.txt: scores are written to .json, .csv, .npz; name such a file"),
    ],
)
def test_calls_that_are_wrong(attcell: Run, files: list[str], words: list[str], message: str) -> None:
    done = attcell("score", "fuse", *([] if words == files[:1] else files), *words, status=2)
    assert done.stderr.startswith(f"attcell: {message}")
    assert done.stdout == ""


def test_the_first_difference_is_named(attcell: Run, files: list[str], tmp_path: Path) -> None:
    done = attcell("score", "fuse", "tan-test.json", "mifs-val.csv", status=1)
    assert done.stderr == (
        "attcell: the video t00.mp4 is in tan-test.json and not in mifs-val.csv (and 59 more differ); "
        "give files of the same videos and classes\n"
    )
    done = attcell("score", "fuse", *files, "--tune", "tan-test.json", "--tune", "mifs-test.csv", status=1)
    assert "tan-test.json holds t00.mp4, which is tested too" in done.stderr


def test_class_by_class(attcell: Run, files: list[str], tmp_path: Path) -> None:
    words = ("--against", "mifs-test.csv", "--csv", "gain.csv", "--picture", "gain.png")
    done = attcell("score", "classes", "tan-test.json", *words)
    with (tmp_path / "gain.csv").open() as file:
        rows = list(csv.DictReader(file))
    tan, mifs = read_scores(tmp_path / "tan-test.json"), read_scores(tmp_path / "mifs-test.csv")
    truth = tan.true_classes()
    for row in rows:
        own = truth == LABELS.index(row["class"])
        assert float(row["accuracy"]) == pytest.approx(100 * np.mean(tan.scores[own].argmax(1) == truth[own]))
        assert float(row["rival"]) == pytest.approx(100 * np.mean(mifs.scores[own].argmax(1) == truth[own]))
    gains = [float(row["gain"]) for row in rows]
    assert gains == sorted(gains, reverse=True)
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{rows[0]['class']:4} {float(rows[0]['accuracy']):6.2f} % of 10 videos, ")
    assert lines[-2:] == [
        "protocol: 30 videos, unread 0, 0; these count as wrong",
        "written: gain.csv, gain.png",
    ]
    assert (tmp_path / "gain.png").read_bytes().startswith(b"\x89PNG")
    assert attcell("score", "classes", "tan-test.json").stdout.startswith(("kick", "sit", "wave"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--picture", "gain.jpg"], "gain.jpg: the picture is a PNG; name a .png file"),
        (["--picture", "./tan-test.json"], "tan-test.json is named twice, and would be written over"),
        (["--picture", "a.png", "--csv", "a.png"], "a.png is named twice, and would be written over"),
    ],
)
def test_outputs_that_are_wrong(attcell: Run, files: list[str], words: list[str], message: str) -> None:
    done = attcell("score", "classes", files[0], *words, status=2)
    assert done.stderr.startswith(f"attcell: {message}")
    assert done.stdout == ""


def test_unread_videos_are_named(attcell: Run, files: list[str], tmp_path: Path) -> None:
    tan = read_scores(tmp_path / "tan-test.json")
    tan.scores[3] = np.nan
    write_scores(tmp_path / "tan-test.json", tan, {})
    said = "attcell: t03.mp4 is unread in tan-test.json, and counts as wrong\n"
    done = attcell("score", "fuse", *files, "--out", "fused.csv", status=1)
    assert done.stderr == said
    assert "30 videos, unread 1" in done.stdout
    whole = read_scores(tmp_path / "fused.csv")
    assert [video for video, read in zip(whole.videos, whole.is_read(), strict=True) if not read] == [
        "t03.mp4"
    ]
    done = attcell("score", "classes", "tan-test.json", "--csv", "classes.csv", status=1)
    assert done.stderr == said
    assert (tmp_path / "classes.csv").is_file()
    assert "30 videos, unread 1; these count as wrong" in done.stdout
    done = attcell("score", "classes", "mifs-test.csv", "--against", "tan-test.json", status=1)
    assert "30 videos, unread 0, 1; these count as wrong" in done.stdout


def test_an_unread_video_of_a_file_without_weight_is_read_in_the_fusion(
    attcell: Run, files: list[str], tmp_path: Path
) -> None:
    tan = read_scores(tmp_path / "tan-test.json")
    tan.scores[3] = np.nan
    write_scores(tmp_path / "tan-test.json", tan, {})
    done = attcell("score", "fuse", *files, "--weights", "0,1", status=1)
    assert "t03.mp4 is unread in tan-test.json" in done.stderr
    assert "30 videos, unread 0\n" in done.stdout


def test_videos_left_out_of_tuning_are_counted(attcell: Run, files: list[str], tmp_path: Path) -> None:
    tan = read_scores(tmp_path / "tan-val.json")
    tan.scores[3] = np.nan
    write_scores(tmp_path / "tan-val.json", tan, {})
    done = attcell("score", "fuse", *files, "--tune", "tan-val.json", "--tune", "mifs-val.csv")
    assert "weights tuned on 29 other videos, 1 unread left out, 30 videos, unread 0" in done.stdout


def test_videos_of_unknown_classes_are_fused_without_figures(
    attcell: Run, files: list[str], tmp_path: Path
) -> None:
    done = attcell(
        "score", "fuse", "mifs-test.csv", "mifs-test.csv", "--weights", "2,1", "--out", "fused.csv"
    )
    assert done.stdout.splitlines()[0] == "no figures: the files do not say the class of 30 videos"
    np.testing.assert_allclose(
        read_scores(tmp_path / "fused.csv").scores, read_scores(tmp_path / "mifs-test.csv").scores
    )
    done = attcell("score", "fuse", "mifs-test.csv", "mifs-test.csv", status=1)
    assert done.stderr == (
        "attcell: mifs-test.csv does not say the class of t00.mp4; add it, or give another file of these "
        "videos that does\n"
    )


# The example of mmaction2's tests (tests/data/test_eval_localization and test_eval_detection, Apache-2.0).
SURFED = [(11.553655226209049, 57.06805460218409), (68.62170982839314, 126.03987519500778),
          (135.4928658346334, 201.31368954758187)]  # fmt: skip
FOUND_SURFED = [
    (0.6533445119857788, 0.0, 206.3465619982159),
    (0.5620265007019043, 33.64346119536128, 206.3465619982159),
    (0.4421495497226715, 148.03122925958965, 204.1036645851918),
    (0.31284379959106445, 0.0, 123.35935771632472),
    (0.2897574603557587, 67.28692239072257, 206.3465619982159),
    (0.284942090511322, 33.64346119536128, 125.60225512934882),
    (0.12905514240264893, 0.0, 53.829537912578054),
    (0.12616874277591705, 67.28692239072257, 123.35935771632472),
    (0.12591737508773804, 100.93038358608386, 204.1036645851918),
    (0.10444077104330064, 38.12925602140946, 53.829537912578054),
]  # fmt: skip
CLEANED = [(21.392480499219968, 76.161)]
FOUND_CLEANED = [
    (0.5667440891265869, 21.222965776805253, 75.03834328227572),
    (0.414698988199234, 21.222965776805253, 43.96185768052516), (0.21768000721931455, 0.0, 75.03834328227572),
    (0.10800375044345856, 29.560559474835888, 70.49056490153174),
]  # fmt: skip


def test_the_average_over_activitynets_ten_thresholds(attcell: Run, tmp_path: Path) -> None:
    videos = {
        "bYUmtLBL7W4": ("Wakeboarding", SURFED, FOUND_SURFED),
        "hDPLy21Yyuk": ("Cleaning shoes", CLEANED, FOUND_CLEANED),
    }
    database = {
        name: {
            "subset": "validation",
            "duration": 224.49,
            "annotations": [{"segment": of, "label": label} for of in true],
        }
        for name, (label, true, _) in videos.items()
    }
    results = {
        name: [{"score": score, "segment": [start, end], "label": label} for score, start, end in found]
        for name, (label, _, found) in videos.items()
    }
    (tmp_path / "truth.json").write_text(json.dumps({"database": database}))
    (tmp_path / "found.json").write_text(
        json.dumps({"results": results, "version": "1", "external_data": {}})
    )
    bars = ",".join(f"{number / 100:g}" for number in range(50, 100, 5))
    words = ["score", "detection", "found.json", "--truth", "truth.json", "--protocol", "activitynet"]
    done = attcell(*words, "--thresholds", bars, "--json", "out.json")
    assert "mean mAP: 61.8 at 0.5-0.95" in done.stdout
    (figures,) = json.loads((tmp_path / "out.json").read_text())["files"][0]["protocols"]
    assert figures["means"] == {"0.5-0.95": pytest.approx(0.617758, abs=5e-7)}
    assert "mean mAP" not in attcell(*words, "--thresholds", bars[:-5]).stdout, "one threshold is missing"


def test_notes_are_of_the_part_that_is_scored(attcell: Run, tmp_path: Path) -> None:
    odd = {"annotations": [{"segment": [1, 1], "label": "Run"}, {"segment": [2, 3], "label": "Run"}]}
    database = {"v": {"subset": "validation", **odd}, "t": {"subset": "training", **odd}}
    (tmp_path / "truth.json").write_text(json.dumps({"database": database}))
    found = {"results": {"v": [{"score": 0.5, "segment": [2, 3], "label": "Run"}]}}
    (tmp_path / "found.json").write_text(json.dumps(found))
    for subset, video in (("validation", "v"), ("training", "t")):
        words = ["score", "detection", "found.json", "--truth", "truth.json", "--subset", subset]
        said = attcell(*words, status=int(subset == "training")).stderr
        assert [line for line in said.splitlines() if "no length" in line] == [
            f"attcell: {video} has an interval of no length at 1 s (Run)"
        ]
