"""``attcell table`` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Run

PUBLISHED = [{"figure": "top1", "value": 92.1, "source": "TAN paper, Table 4", "row": "TAN"}]


def written(path: Path, top1: float, **more: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "format": 1,
        "unread": {},
        "protocol": {"streams": "frame", "videos": 1, "unread": 0, "crops": 10},
        "figures": {"top1": top1},
        "labels": ["run"],
        "videos": {"a": {"label": "run", "scores": [1.0]}},
        **more,
    }
    path.write_text(json.dumps(content))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed, top1 in enumerate([90.0, 92.0]):
        run = {"name": "tan", "dataset": "ucf101", "split": 1, "seed": seed}
        written(tmp_path / "runs" / f"tan-{seed}" / "scores.json", top1, run=run, published=PUBLISHED)
    return tmp_path / "runs"


def test_a_folder_of_runs(attcell: Run, runs: Path) -> None:
    done = attcell("table", "runs")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "| run | data set | streams | top1 % | splits | seeds | videos | unread | source |",
        "| --- | --- | --- | ---: | --- | --- | ---: | ---: | --- |",
        "| tan | ucf101 | frame | 91.00 ± 1.41 | 1 | 0, 1 | 1 | 0 |  |",
        "| TAN (published) | ucf101 |  | 92.10 |  |  |  |  | TAN paper, Table 4 |",
        "",
        "Protocol of all runs: crops 10.",
        "",
        "- figures: the mean over the splits of each seed, then over seeds ± the sample deviation; "
        "videos and unread: of one seed, all splits together",
    ]


def test_what_attcell_test_writes_goes_in(attcell: Run, model: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        attcell("test", model, "--out", tmp_path / out)
    done = attcell("table", "one", "two/scores.json").stdout.splitlines()
    figures = json.loads((tmp_path / "one" / "scores.json").read_text())["figures"]
    assert done[0].startswith("| run | data set | streams | top1 % | mean class accuracy % | splits |")
    assert done[2].startswith(f"| one |  | frame | {figures['top1']:.2f} |")
    assert done[3].startswith("| two |  | frame |")
    assert done[5].startswith("Protocol of all runs: ")


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (("--format", "csv"), "run,dataset,kind,"),
        (("--out", "t.csv"), "run,dataset,kind,"),
        (("--out", "t.tex"), "% needs \\usepackage{booktabs}\n"),
        (("--out", "t.csv", "--format", "latex"), "% needs"),
        (("--out", "deep/t.md"), "| run |"),
    ],
)
def test_forms_and_files(
    attcell: Run, runs: Path, tmp_path: Path, words: tuple[str, ...], start: str
) -> None:
    done = attcell("table", "runs", *words)
    if words[0] == "--out":
        assert done.stdout == f"written: {words[1]}\n"
        assert (tmp_path / words[1]).read_text().startswith(start)
    else:
        assert done.stdout.startswith(start)


def test_the_same_run_twice(attcell: Run, runs: Path, tmp_path: Path) -> None:
    run = {"name": "tan", "dataset": "ucf101", "split": 1, "seed": 0}
    written(tmp_path / "runs" / "again" / "scores.json", 1.0, run=run)
    done = attcell("table", "runs", "--out", "t.md", status=1)
    assert done.stderr == (
        "attcell: runs/again/scores.json and runs/tan-0/scores.json are both tan on ucf101, split 1, seed 0; "
        'leave one of them out, or tell them apart by "run" in the files\n'
    )
    assert not (tmp_path / "t.md").exists()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["none"], 2, "no file or folder none; give a scores.json, or a folder of runs"),
        (["empty"], 1, "no scores.json below empty; attcell test writes one, or name another folder"),
        (["torn.json"], 1, "torn.json is not JSON ("),
        (["runs", "--out", "runs/tan-0/scores.json"], 2, "runs/tan-0/scores.json is named twice, and would"),
    ],
)
def test_what_is_wrong_is_one_message(
    attcell: Run, runs: Path, tmp_path: Path, words: list[str], status: int, message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "torn.json").write_text('{"figures": ')
    done = attcell("table", *words, status=status)
    assert done.stderr.startswith(f"attcell: {message}")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_help_has_an_example(attcell: Run) -> None:
    assert "Example: attcell table" in attcell("table", "--help").stdout
