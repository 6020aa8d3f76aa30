"""Every table and figure of both papers: recipes say what the texts say, docs/papers.md what they are."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from attcell.config import differing_keys, load_rows, packaged_recipes
from attcell.config.recipe import Recipe
from attcell.models.build import evaluation_plan, training_plan
from tests.config.papers.page import PAGE, PAPERS, command_of, expanded, page, resolved, stages
from tests.config.papers.rows import OF_NO_PAPER, Row
from tests.config.papers.tan import TABLE_5_OTHERS

TABLES = [table for tables in PAPERS.values() for table in tables]
ROWS = [(table.file, row) for table in TABLES for row in table.rows if row.recipe]
TOLD = {"name", "published"}  # what a table calls the row, and what it prints beside it


def values(recipe: Recipe) -> dict[str, Any]:
    """A recipe's keys, as in ``train.seed``, and the names of its streams, with their values."""
    flat: dict[str, Any] = {}

    def add(section: dict[str, Any], before: str) -> None:
        for key, value in section.items():
            if isinstance(value, dict):
                add(value, f"{before}{key}.")
            else:
                flat[f"{before}{key}"] = tuple(value) if isinstance(value, list) else value

    add(recipe.model_dump(mode="json"), "")
    return {**flat, "model.streams": tuple(recipe.model.streams)}


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[f"{table}-{row.recipe}" for table, row in ROWS])
def test_a_row_is_as_its_papers_text_says(table: str, row: Row) -> None:
    recipe = resolved(table, row.recipe)
    assert len(row.settings) > 20
    found = values(recipe)
    assert {key: found.get(key, "no such key") for key in row.settings} == row.settings
    assert tuple((one.figure, one.value) for one in recipe.published) == row.published


def test_every_packaged_row_is_in_a_paper_or_named_as_in_none() -> None:
    typed = [(table, row.recipe) for table, row in ROWS]
    assert len(set(typed)) == len(typed)
    files = [file for file in packaged_recipes() if file.name not in OF_NO_PAPER]
    assert {(file.name, row) for file in files for row in file.row_names} == set(typed)
    assert {file.name for file in packaged_recipes()} == {*OF_NO_PAPER, *(file.name for file in files)}


def test_what_is_not_ours_says_why() -> None:
    assert all(bool(row.recipe) != bool(row.why) for table in TABLES for row in table.rows)


def test_the_page_is_of_these_rows() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.config.papers.page writes it anew"


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[f"{table}-{row.recipe}" for table, row in ROWS])
def test_a_command_of_the_page_runs_its_row(table: str, row: Row) -> None:
    command = command_of(table, row.recipe)
    assert f"`{command}`" in PAGE.read_text(encoding="utf-8")
    words = expanded(command)
    assert words[:3] == [table, "--rows", row.recipe]
    loaded = load_rows([table], words[3:], [row.recipe])
    (recipe,) = loaded.recipes
    assert recipe.name == f"{table}-{row.recipe}"
    assert "???" not in recipe.model_dump_json()
    assert (recipe.fuse is not None) == any(one.figure == "top1_fused" for one in recipe.published)
    assert set(loaded.stages) == set(stages(table, row.recipe))
    assert all(one.fuse is None or one.data.dataset == recipe.data.dataset for one in loaded.stages.values())


def test_what_a_row_begins_with_comes_before_it() -> None:
    assert stages("tan-table-2", "hmdb51-tan") == ["tan-table-1#ucf101-cnn-stage", "tan-table-2#ucf101-tan"]
    assert stages("tan-table-1", "ucf101-cnn-stage") == []


def test_values_that_the_text_does_not_print_are_marked() -> None:
    noted = {
        (table, row.recipe): one.note
        for table, row in ROWS
        for one in resolved(table, row.recipe).published
        if one.note
    }
    assert noted["stan-table-8", "sports1m-vgg16"].startswith("derived, 63.7 − 2.4")
    assert noted["stan-table-8", "sports1m-c3d"].startswith("derived, 63.7 − 2.6")
    margins = {"frame": "4.2", "flow": "6.4", "two": "5.6"}
    for name, points in margins.items():
        assert noted["stan-table-5", f"ccv-{name}"].startswith(f"{points} points above the best competitor")
    assert "what it began with is not said" in noted["tan-table-3", "hmdb51-two-stream"]
    assert all(
        "order does not say" in noted["tan-figure-3", f"ucf101-{name}"] for name in ("average", "fc", "tan")
    )


def test_rivals_have_the_papers_values() -> None:
    def rivals(table: str, row: str) -> dict[str, float | None]:
        return {one.row: one.value for one in resolved(table, row).rivals}

    for place, dataset in enumerate(("hmdb51", "ucf101")):
        assert rivals("tan-table-2", f"{dataset}-tan") == {
            name: both[place] for name, both in TABLE_5_OTHERS.items()
        }
        assert rivals("tan-table-4", f"{dataset}-tan") == {"Multi-branch attention": (61.7, 90.6)[place]}
    (table_8,) = (table for table in TABLES if table.file == "stan-table-8")
    typed = {row.name: row.published[0][1] for row in table_8.rows if not row.recipe}
    assert rivals("stan-table-8", "sports1m-stan-vgg16") == typed


def test_methods_below_table_9_are_of_the_annotated_videos_and_say_so() -> None:
    typed = {
        "UntrimmedNets": (44.4, 37.7, 28.2, 21.1, 13.7),
        "STPN on UntrimmedNets' features": (45.3, 38.8, 31.1, 23.5, 16.2),
        "W-TALC": (55.2, 49.6, 40.1, 31.1, 22.8),
        "PivoTAL": (74.1, 69.6, 61.7, 52.1, 42.8),
        "AdaTAD": (None, None, 89.9, 86.8, 81.2),  # as its authors' code gives them: 89.93, 86.83, 81.24
    }
    recipe = resolved("stan-table-9", "thumos14-three")
    found = {(one.row, one.figure): one.value for one in recipe.rivals}
    assert found == {
        (name, f"map_annotated@0.{tenth}"): value
        for name, values in typed.items()
        for tenth, value in enumerate(values, 1)
        if value is not None
    }
    assert all("on the annotated test videos alone" in one.note for one in recipe.rivals)
    assert {one.figure for one in recipe.published} == {f"map@0.{tenth}" for tenth in range(1, 6)}
    assert recipe.detection is not None
    assert recipe.detection.annotated


# Like with like


@pytest.mark.parametrize("table", ["stan-table-2", "stan-table-3"])
@pytest.mark.parametrize(
    "row", [f"{of}-{kind}" for of in ("ucf101", "ccv", "thumos14") for kind in ("san", "stan")]
)
def test_early_and_late_fusion_differ_in_nothing_else(table: str, row: str) -> None:
    both = [resolved(table, f"{row}-{fusion}") for fusion in ("early", "late")]
    differing = differing_keys(both)
    assert set(differing) == {*TOLD, "model.fusion"}
    assert differing["model.fusion"] == ("early", "late")
    assert both[0].data.val_fraction > 0, "late fusion's weights are found on what is held out"


POOLINGS = ("fc6", "pool5-25088", "pool5-512-ave", "pool5-512-vlad")


@pytest.mark.parametrize("stream", ["frame", "flow", "clip"])
@pytest.mark.parametrize("dataset", ["ucf101", "ccv", "thumos14"])
def test_the_rows_of_table_1_differ_in_what_it_is_about(dataset: str, stream: str) -> None:
    rows = {
        name: resolved("stan-table-1", f"{dataset}-{stream}-{name}") for name in (*POOLINGS, "san", "stan")
    }
    for one, other in combinations(rows, 2):
        expected = {*TOLD}
        if "fc6" in (one, other) and stream == "clip":
            expected |= {"input.size", "input.short_side"}  # where C3D has its fc6
        poolings = [
            name if name in POOLINGS else "pool5-512-ave" for name in (one, other)
        ]  # the key's default
        expected |= {"model.pooling"} if poolings[0] != poolings[1] else set()
        trained = [name in ("san", "stan") for name in (one, other)]
        expected |= {"model.kind"} if any(trained) else set()
        if trained[0] != trained[1]:
            expected |= {"train.iterations", f"model.streams.{stream}.train_from", "cache.folder"}
        assert set(differing_keys([rows[one], rows[other]])) == expected, (one, other)


@pytest.mark.parametrize("dataset", ["ucf101", "ccv", "thumos14"])
def test_an_svm_of_table_1_learns_from_the_view_that_is_tested(dataset: str) -> None:
    for name in (*POOLINGS, "stan"):
        recipe = resolved("stan-table-1", f"{dataset}-frame-{name}")
        every = 30 if dataset == "thumos14" else None
        assert replace(training_plan(recipe), every=every) == evaluation_plan(recipe)
        assert (training_plan(recipe).num_views, recipe.segments.crops) == (1, 1)


@pytest.mark.parametrize("streams", ["both", "flow", "frame"])
def test_the_rows_of_weizmann_have_the_same_videos_and_views(streams: str) -> None:
    rows = [resolved("weizmann", f"{streams}-{name}") for name in (*POOLINGS, "san", "stan")]
    sections = {key.split(".")[0] for key in differing_keys(rows)}
    assert sections == {"name", "model", "train"}
