"""Runs as rows: means over splits, then over seeds; what is unequal is left out and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attcell.errors import DataError
from attcell.results.run_table import Figure, Row, table_of
from attcell.results.runs import FinishedRun, Published

TAN = Published("TAN", "top1", 92.1, "TAN paper")


def run(path: str = "x/scores.json", **changes: Any) -> FinishedRun:
    values: dict[str, Any] = {
        "path": Path(path),
        "name": "stan",
        "dataset": "ucf101",
        "split": 1,
        "seed": 0,
        "figures": {"top1": 90.0},
        "protocol": {"streams": "frame", "segments": "25", "videos": "2", "unread": "0"},
        "videos": frozenset("ab"),
        "num_unread": 0,
        "published": (),
    }
    return FinishedRun(**{**values, **changes})


def only_row(*runs: FinishedRun) -> Row:
    (row,) = table_of(runs).rows
    return row


def test_one_run() -> None:
    table = table_of([run()])
    (row,) = table.rows
    assert (row.name, row.dataset, row.streams, row.label) == ("stan", "ucf101", "frame", "stan on ucf101")
    assert (row.splits, row.seeds, row.num_videos, row.num_unread) == (("1",), ("0",), 2, 0)
    assert row.figures == {"top1": Figure(90.0)}
    assert (row.notes, row.source) == ((), "")
    assert (table.figures, table.shared, table.differing) == (("top1",), {"segments": "25"}, ())


def test_the_mean_over_splits_comes_before_that_over_seeds() -> None:
    figures = {(1, 0): 80.0, (2, 0): 90.0, (1, 1): 84.0, (2, 1): 92.0, (1, 5): 90.0, (2, 5): 91.0}
    row = only_row(
        *(run(f"{k}{s}", split=k, seed=s, figures={"top1": value}) for (k, s), value in figures.items())
    )
    seeds = [85.0, 88.0, 90.5]
    found = row.figures["top1"]
    assert found.mean == pytest.approx(np.mean(seeds))
    assert found.deviation == pytest.approx(np.std(seeds, ddof=1))
    assert (row.splits, row.seeds, row.num_videos) == (("1", "2"), ("0", "1", "5"), 4)
    assert row.notes == ()


@given(st.dictionaries(st.integers(0, 9), st.lists(st.floats(0, 100), min_size=2, max_size=2), min_size=1))
def test_any_seeds(by_seed: dict[int, list[float]]) -> None:
    runs = [
        run(f"{split}{seed}", split=split, seed=seed, figures={"top1": values[split]})
        for seed, values in by_seed.items()
        for split in (1, 0)
    ]
    row = only_row(*runs)
    means = [np.mean(values) for values in by_seed.values()]
    assert row.figures["top1"].mean == pytest.approx(np.mean(means))
    if len(means) > 1:
        assert row.figures["top1"].deviation == pytest.approx(np.std(means, ddof=1), abs=1e-6)
    else:
        assert row.figures["top1"].deviation is None
    assert row.seeds == tuple(str(seed) for seed in sorted(by_seed))


def test_seeds_without_every_split_do_not_count_and_are_named() -> None:
    row = only_row(
        run("a", split=1, seed=0, figures={"top1": 10.0}),
        run("b", split=2, seed=0, figures={"top1": 20.0}),
        run("c", split=1, seed=1, figures={"top1": 99.0}, num_unread=1),
    )
    assert row.figures == {"top1": Figure(15.0)}
    assert (row.splits, row.seeds, row.num_videos, row.num_unread) == (("1", "2"), ("0",), 4, 0)
    assert row.notes == ("seed 1 lacks split 2 and does not count",)


def test_where_no_seed_has_every_split_there_is_no_figure() -> None:
    row = only_row(run("a", split=1, seed=0), run("b", split=2, seed=1), run("c", split="val", seed=1))
    assert row.figures == {"top1": Figure(None)}
    assert row.notes[:3] == (
        "seed 0 lacks split 2, split val",
        "seed 1 lacks split 1",
        "no seed has every split, so there are no figures",
    )


def test_a_figure_that_a_run_lacks_is_none() -> None:
    row = only_row(run("a", figures={"top1": 90.0, "top5": 99.0}), run("b", seed=1))
    assert row.figures == {"top1": Figure(90.0, 0.0), "top5": Figure(None)}
    assert row.notes == ("no top5, because b has none",)


def test_rows_are_by_name_and_data_set_in_the_order_of_the_first() -> None:
    runs = [run("a"), run("b", name="san"), run("c", dataset="hmdb51"), run("d", seed=1)]
    found = [(row.name, row.dataset, row.seeds) for row in table_of(runs).rows]
    assert found == [("stan", "ucf101", ("0", "1")), ("san", "ucf101", ("0",)), ("stan", "hmdb51", ("0",))]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "a and b are both stan on ucf101, split 1, seed 0; leave one of them out, or tell them apart"),
        ({"split": None, "seed": None}, "a and b are both stan on ucf101, no split, no seed; leave one"),
        ({"dataset": None}, "a and b are both stan, split 1, seed 0; leave one"),
    ],
)
def test_the_same_run_twice_is_an_error(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError) as caught:
        table_of([run("a", **changes), run("b", **changes)])
    assert str(caught.value).startswith(said)


def test_a_run_without_a_name_is_called_as_its_folder() -> None:
    nameless = {"name": None, "dataset": None, "seed": None, "split": None}
    row = only_row(run("runs/mine/scores.json", **nameless))
    assert (row.name, row.dataset, row.splits, row.seeds, row.label) == ("mine", "", (), (), "mine")
    runs = [run(f"{name}/test/scores.json", **nameless) for name in ("a", "b")]
    assert [row.name for row in table_of([run(), *runs]).rows] == ["stan", "a/test", "b/test"]


def test_what_differs_in_the_protocol_is_told_from_what_is_shared() -> None:
    one = run("a", protocol={"streams": "frame", "segments": "25", "crops": "10"})
    other = run("b", name="tan", protocol={"segments": "5", "crops": "10", "cell": "GRU"})
    table = table_of([one, other])
    assert (table.shared, table.differing) == ({"crops": "10"}, ("segments", "cell"))
    assert [row.protocol for row in table.rows] == [
        {"segments": "25", "crops": "10"},
        {"segments": "5", "crops": "10", "cell": "GRU"},
    ]
    assert all(row.notes == () for row in table.rows)


def test_what_differs_within_a_row_is_noted() -> None:
    row = only_row(run("a"), run("b", seed=1, protocol={"streams": "frame, flow", "segments": "10"}))
    assert (row.protocol, row.streams) == ({"segments": "25 / 10"}, "frame / frame, flow")
    assert row.notes == (
        "its runs differ in segments: 25 in split 1, seed 0; 10 in split 1, seed 1",
        "its runs differ in streams: frame in split 1, seed 0; frame, flow in split 1, seed 1",
    )
    same = [run("a"), run("b", seed=1, protocol={"segments": "10"})]
    again = [run(f"{one.path}2", name="san", seed=one.seed, protocol=one.protocol) for one in same]
    assert table_of([*same, *again]).shared == {}


def test_other_videos_and_unread_ones_are_noted() -> None:
    row = only_row(run("a"), run("b", seed=1, videos=frozenset("abc"), num_unread=2))
    assert (row.num_videos, row.num_unread) == (3, 2)
    assert row.notes == (
        "unread videos differ: 0 (seed 0), 2 (seed 1); the most are shown",
        "b is not of the same videos as a",
    )


class TestPublished:
    def test_it_stands_under_the_first_row_that_names_it_once(self) -> None:
        lost = Published("TAN", "top5", None, "TAN paper")
        table = table_of(
            [
                run("a", published=(TAN, lost)),
                run("b", name="san", published=(TAN,)),
                run("c", seed=1, published=(TAN, Published("TSN", "mAP", 94.2, "TSN paper"))),
            ]
        )
        assert [(row.name, row.source) for row in table.rows] == [
            ("stan", ""), ("TAN", "TAN paper"), ("TSN", "TSN paper"), ("san", ""),
        ]  # fmt: skip
        published = table.rows[1]
        assert published.figures == {"top1": Figure(92.1), "top5": Figure(None, is_lost=True)}
        assert (published.dataset, published.splits, published.num_videos) == ("ucf101", (), None)
        assert published.protocol is None
        assert table.figures == ("top1", "top5", "mAP")
        assert table.shared == {"segments": "25"}

    def test_it_is_of_a_data_set_and_a_source(self) -> None:
        elsewhere = Published("TAN", "top1", 90.0, "another paper")
        rows = table_of(
            [run("a", published=(TAN, elsewhere)), run("b", dataset="hmdb51", published=(TAN,))]
        ).rows
        assert [(row.name, row.dataset, row.source) for row in rows] == [
            ("stan", "ucf101", ""), ("TAN", "ucf101", "TAN paper"), ("TAN", "ucf101", "another paper"),
            ("stan", "hmdb51", ""), ("TAN", "hmdb51", "TAN paper"),
        ]  # fmt: skip

    def test_rivals_come_last_and_notes_stay_with_their_row(self) -> None:
        noted = Published("TAN", "top1", 92.1, "TAN paper", "derived: 90 + 2.1")
        tsn = Published("TSN", "top1", 94.2, "TAN paper")
        elsewhere = Published("TSN", "top1", 69.4, "TAN paper")
        runs = [
            run("a", published=(noted,), rivals=(tsn,)),
            run("b", name="san", rivals=(tsn,)),
            run("c", dataset="hmdb51", rivals=(elsewhere,)),
        ]
        rows = table_of(runs).rows
        assert [(row.name, row.dataset) for row in rows] == [
            ("stan", "ucf101"), ("TAN", "ucf101"), ("san", "ucf101"), ("stan", "hmdb51"),
            ("TSN", "ucf101"), ("TSN", "hmdb51"),
        ]  # fmt: skip
        assert [row.notes for row in rows if row.notes] == [("derived: 90 + 2.1",)]
        assert rows[1].label == "TAN (published) on ucf101"
        with pytest.raises(DataError, match="a and b disagree on top1 of TSN"):
            table_of([runs[0], run("b", name="san", rivals=(elsewhere,))])

    def test_two_values_of_one_figure_are_an_error(self) -> None:
        other = Published("TAN", "top1", 91.2, "TAN paper")
        with pytest.raises(DataError) as caught:
            table_of([run("a", published=(TAN,)), run("b", name="san", published=(other,))])
        assert str(caught.value) == (
            "a and b disagree on top1 of TAN (TAN paper): 92.1 and 91.2; correct one of them"
        )
