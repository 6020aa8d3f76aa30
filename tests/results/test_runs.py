"""Files of tested runs: found below folders, read without the scores, and what is wrong in them is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from attcell.errors import CallError, DataError
from attcell.results.runs import Published, find_runs, read_run

CONTENT: dict[str, Any] = {
    "format": 1,
    "run": {"name": "stan-frame", "dataset": "ucf101", "split": 1, "seed": 0},
    "published": [
        {"figure": "top1", "value": 92, "source": "TAN paper, Table 4", "row": "TAN"},
        {"figure": "top5", "value": None, "source": "TAN paper, Table 4", "row": "TAN"},
    ],
    "figures": {"top1": 91.5, "top5": 99},
    "protocol": {"streams": "frame", "segments": 25, "fused": [{"weight": 0.5}]},
    "unread": {"c": "torn"},
    "labels": ["run"],
    "videos": {"a": {"label": "run", "scores": [1.0]}, "b": {"label": "run", "scores": [1.0]}},
}


def written(path: Path, **changes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**CONTENT, **changes}))
    return path


def test_what_a_file_says(tmp_path: Path) -> None:
    found = read_run(written(tmp_path / "scores.json"))
    assert (found.name, found.dataset, found.split, found.seed) == ("stan-frame", "ucf101", 1, 0)
    assert found.figures == {"top1": 91.5, "top5": 99.0}
    assert found.protocol == {"streams": "frame", "segments": "25", "fused": '[{"weight": 0.5}]'}
    assert (found.videos, found.num_unread) == ({"a", "b", "c"}, 1)
    assert found.published == (
        Published("TAN", "top1", 92.0, "TAN paper, Table 4"),
        Published("TAN", "top5", None, "TAN paper, Table 4"),
    )


def test_rivals_and_notes(tmp_path: Path) -> None:
    one = {"figure": "top1", "value": 94.2, "source": "TAN paper", "row": "TSN", "note": "of others"}
    found = read_run(written(tmp_path / "scores.json", rivals=[one]))
    assert found.rivals == (Published("TSN", "top1", 94.2, "TAN paper", "of others"),)
    with pytest.raises(DataError, match='"rivals" is no list of figures'):
        read_run(written(tmp_path / "scores.json", rivals={"top1": 3}))


def test_what_a_file_need_not_say(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"figures": {}}')
    found = read_run(tmp_path / "s.json")
    assert (found.name, found.dataset, found.split, found.seed) == (None,) * 4
    assert (found.figures, found.protocol, found.published) == ({}, {}, ())
    assert (found.videos, found.num_unread) == (set(), 0)
    assert read_run(written(tmp_path / "s.json", run={"name": "x", "split": "val"})).split == "val"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"figures": None}, "holds no figures; give a scores.json as attcell test writes"),
        ({"format": 2}, "has scores format 2, and this attcell reads 1"),
        ({"figures": {"top1": "91"}}, "the figure top1 is '91'; a finite number is allowed"),
        ({"figures": {"top1": True}}, "the figure top1 is True; a finite number is allowed"),
        ({"figures": {"top1": float("nan")}}, "the figure top1 is nan; a finite number is allowed"),
        ({"figures": {"top1": 10**400}}, "the figure top1 is 1000000"),
        ({"run": "stan"}, "\"run\" is 'stan'; names with values are allowed, as attcell test writes"),
        ({"run": {"name": ""}}, "\"name\" is ''; text is allowed"),
        ({"run": {"name": "x", "dataset": 3}}, '"dataset" is 3; text is allowed'),
        ({"run": {"name": "x", "split": 1.5}}, '"split" of the run is 1.5; a whole number is allowed'),
        ({"run": {"name": "x", "seed": "0"}}, "\"seed\" of the run is '0'; a whole number is allowed"),
        ({"run": {"name": "x", "seed": True}}, '"seed" of the run is True; a whole number is allowed'),
        ({"unread": ["c"]}, "\"unread\" is ['c']; names with values are allowed"),
        ({"protocol": 1}, '"protocol" is 1; names with values are allowed'),
        ({"published": {"top1": 3}}, '"published" is no list of figures, each with figure, value, source'),
        ({"published": [3]}, '"published" is no list of figures'),
        (
            {"published": [{"figure": "top1", "row": "TAN", "value": 3}]},
            "a published figure needs row, figure, value and source, and has figure, row, value; a value",
        ),
        (
            {"published": [{"figure": "top1", "row": "TAN", "source": "TAN paper"}]},
            "a published figure needs row, figure, value and source, and has figure, row, source; a value",
        ),
        (
            {"published": [{"figure": "top1", "row": "TAN", "source": "TAN paper", "value": "92"}]},
            "the figure top1 of TAN is '92'; a finite number is allowed",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = written(tmp_path / "scores.json", **changes)
    with pytest.raises(DataError) as caught:
        read_run(path)
    assert str(caught.value).removeprefix(str(path)).removeprefix(":").strip().startswith(message)


@pytest.mark.parametrize("text", ["{", "[" * 10**5, "\xff"])
def test_no_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"scores\.json is not JSON .*; copy it anew"):
        read_run(tmp_path / "scores.json")


@pytest.mark.parametrize("text", ["[]", "3", "null"])
def test_other_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(DataError, match=r"scores\.json holds no figures; give a scores\.json"):
        read_run(tmp_path / "scores.json")


def test_files_and_what_lies_below_folders(tmp_path: Path) -> None:
    a = written(tmp_path / "b" / "test-test" / "scores.json")
    b = written(tmp_path / "a" / "scores.json")
    c = written(tmp_path / "other.json")
    assert find_runs([c, tmp_path]) == [c, b, a]
    assert find_runs([a, tmp_path / "b", tmp_path]) == [a, b], "what is named twice comes once"


def test_no_place_and_nothing_in_it(tmp_path: Path) -> None:
    with pytest.raises(
        CallError, match=r"^no file or folder .*none; give a scores\.json, or a folder of runs"
    ):
        find_runs([tmp_path / "none"])
    with pytest.raises(
        DataError, match=r"^no scores\.json below .*; attcell test writes one, or name another"
    ):
        find_runs([tmp_path])
