"""Rows that begin with other rows, and overrides for some of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from attcell.config import load_recipe, load_rows
from attcell.config.overrides import PATH_KEYS
from attcell.config.stages import load_row, refuse_stages, stages_of
from attcell.errors import CallError

TABLE = """
train: {epochs: 1}
rows:
  "ucf-*": {data: {train: null, dataset: ucf101, root: "???"}}
  "hmdb-*": {data: {train: null, dataset: hmdb51, root: "???"}}
  ucf-cnn: {model: {kind: cnn}}
  ucf-tan: {model: {streams: {frame: {weights: "table.yaml#ucf-cnn"}}}}
  hmdb-tan: {model: {streams: {frame: {init_from: "table.yaml#ucf-tan"}}}}
  hmdb-both: {model: {init_from: "one.yaml#"}}
"""
ONE = "data: {train: x}\ntrain: {epochs: 1}\nmodel: {streams: {flow: {}}}\n"


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "table.yaml").write_text(TABLE)
    (tmp_path / "one.yaml").write_text(ONE)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "table.yaml"


def roots(given: list[str], *rows: str) -> dict[str, str]:
    """Recipe → data.root, of the rows and all that they begin with."""
    loaded = load_rows(["table.yaml"], given, rows)
    found = {of.name.removeprefix("table-"): str(of.data.root) for of in loaded.recipes}
    return found | {of.name.removeprefix("table-"): str(of.data.root) for of in loaded.stages.values()}


class TestStages:
    def test_a_row_comes_with_what_it_begins_with_and_what_that_begins_with(self):
        given = ["data.root=H", "ucf-*:data.root=U"]
        loaded = load_rows(["table.yaml"], given, ["hmdb-tan"])
        assert [of.name for of in loaded.recipes] == ["table-hmdb-tan"]
        assert {name: of.name for name, of in loaded.stages.items()} == {
            "table.yaml#ucf-tan": "table-ucf-tan",
            "table.yaml#ucf-cnn": "table-ucf-cnn",
        }
        assert stages_of(loaded.recipes[0]) == {"model.streams.frame.init_from": "table.yaml#ucf-tan"}

    def test_a_row_that_is_asked_for_and_begun_with_is_one_recipe(self):
        loaded = load_rows(["table.yaml"], ["data.root=U", "train.seed=3"], ["ucf-*"])
        assert loaded.stages["table.yaml#ucf-cnn"] is loaded.recipes[0]
        assert loaded.recipes[1].train.seed == 3

    def test_a_file_that_is_one_recipe_may_be_a_stage(self):
        loaded = load_rows(["table.yaml"], ["data.root=H"], ["hmdb-both"])
        assert loaded.stages["one.yaml#"].name == "one"

    def test_one_row_with_its_stages(self):
        loaded = load_row("table.yaml", ["data.root=U"], "ucf-tan")
        assert (loaded.recipes[0].name, list(loaded.stages)) == ("table-ucf-tan", ["table.yaml#ucf-cnn"])
        with pytest.raises(CallError, match=r"table.yaml has no row 'ucf-\*'"):
            load_row("table.yaml", [], "ucf-*")

    def test_alone_a_row_says_what_must_be_trained_first(self):
        with pytest.raises(CallError) as caught:
            refuse_stages(load_recipe("table.yaml", ["data.root=U"], "ucf-tan"))
        assert str(caught.value) == (
            "recipe table-ucf-tan begins with what another row gives: model.streams.frame.weights is "
            "table.yaml#ucf-cnn. Train that first (attcell train table.yaml --row ucf-cnn) and give its "
            "model folder, model.streams.frame.weights=FOLDER; or say attcell protocol in place of train, "
            "which does one after the other"
        )
        refuse_stages(load_recipe("table.yaml", ["data.root=U"], "ucf-cnn"))

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (
                "table.yaml#ucf-cmn",
                "table.yaml, row ucf-tan, begins with table.yaml#ucf-cmn (model.streams.frame.weights): "
                "table.yaml has no row 'ucf-cmn'; did you mean 'ucf-cnn' or 'ucf-tan'? choose one",
            ),
            ("none.yaml#a", "begins with none.yaml#a (model.streams.frame.weights): no recipe at none.yaml"),
            ("table.yaml#", "begins with table.yaml# (model.streams.frame.weights): table.yaml is a table; "),
            (
                "table.yaml#ucf-tan",
                "row ucf-tan, begins with table.yaml#ucf-tan (model.streams.frame.weights), which "
                "begins with it in turn; begin one of them with a model folder",
            ),
        ],
    )
    def test_a_stage_that_cannot_be_is_named(self, given, said):
        with pytest.raises(CallError) as caught:
            load_rows(["table.yaml"], ["data.root=U", f"model.streams.frame.weights={given}"], ["ucf-tan"])
        assert said in str(caught.value)

    def test_a_circle_of_several_rows_is_named(self, table):
        table.write_text(TABLE.replace("kind: cnn", "init_from: 'table.yaml#hmdb-tan'"))
        with pytest.raises(CallError, match=r"row ucf-cnn, begins with table.yaml#hmdb-tan .*begins with it"):
            load_rows(["table.yaml"], ["data.root=U"], ["hmdb-tan"])


class TestWhereStagesLie:
    def test_beside_the_rows_own_file_and_then_below_the_current_folder(self, tmp_path, monkeypatch):
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "own.yaml").write_text(
            TABLE.replace("table.yaml", "own.yaml").replace(
                "data: {train: null,", "data: {train: null, split: 2,"
            )
        )
        loaded = load_rows(["mine/own.yaml"], ["data.root=U"], ["ucf-tan"])
        assert {name: of.data.split for name, of in loaded.stages.items()} == {"own.yaml#ucf-cnn": 2}
        given = ["data.root=U", "own#ucf-tan:model.streams.frame.weights=table.yaml#ucf-cnn"]
        loaded = load_rows(["mine/own.yaml"], given, ["ucf-tan"])
        assert {name: of.data.split for name, of in loaded.stages.items()} == {"table.yaml#ucf-cnn": 1}

    def test_one_name_for_two_files_is_told(self, tmp_path):
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "own.yaml").write_text(TABLE.replace("table.yaml", "own.yaml"))
        with pytest.raises(
            CallError, match=r"begins with own.yaml#ucf-cnn \(model.streams.frame.weights\) in "
        ):
            load_rows(["a/own.yaml", "b/own.yaml"], ["data.root=U"], ["ucf-tan"])

    @pytest.mark.parametrize("is_folder", [True, False])
    def test_a_path_with_the_mark_in_it_is_no_stage(self, tmp_path, is_folder):
        place = tmp_path / "runs#1"
        place.mkdir() if is_folder else place.touch()
        loaded = load_rows(["table.yaml"], ["data.root=U", "model.streams.frame.weights=runs#1"], ["ucf-tan"])
        assert loaded.stages == {}
        assert stages_of(loaded.recipes[0]) == {}


class TestOverrides:
    def test_where_videos_lie_does_not_go_to_a_stage_of_another_data_set(self):
        assert roots(["data.root=U"], "ucf-tan") == {"ucf-tan": "U", "ucf-cnn": "U"}
        assert roots(["data.root=H", "*-cnn:data.root=C", "ucf-*:data.root=U"], "hmdb-tan") == {
            "hmdb-tan": "H",
            "ucf-tan": "U",
            "ucf-cnn": "U",  # the later of two that fit
        }

    def test_a_pattern_goes_over_what_goes_to_all(self):
        given = ["hmdb-*:data.root=H", "data.root=U", "table#hmdb-tan:train.seed=7", "train.seed=1"]
        loaded = load_rows(["table.yaml"], given, ["hmdb-tan", "ucf-tan"])
        assert [of.train.seed for of in loaded.recipes] == [1, 7]
        assert [str(of.data.root) for of in loaded.recipes] == ["U", "H"]
        assert {of.train.seed for of in loaded.stages.values()} == {1}

    def test_other_values_go_to_every_stage(self):
        given = ["data.root=H", "ucf-*:data.root=U", "input.size=112", "flow.store=none"]
        loaded = load_rows(["table.yaml"], given[:-1], ["hmdb-tan"])
        assert {of.input.size for of in loaded.stages.values()} == {112}

    def test_what_is_asked_beside_the_test_goes_to_a_stage_by_its_tables_name_alone(self):
        def asked(*given: str, rows: Sequence[str] = ("ucf-tan",)) -> dict[str, str | None]:
            loaded = load_rows(["table.yaml"], ["data.root=U", *given], rows)
            found = {of.name: of for of in (*loaded.recipes, *loaded.stages.values())}
            return {
                name.removeprefix("table-"): of.fuse and of.fuse.scores.name for name, of in found.items()
            }

        assert asked("fuse.scores=m.csv") == {"ucf-tan": "m.csv", "ucf-cnn": None}
        assert asked("ucf-*:fuse.scores=m.csv") == {"ucf-tan": "m.csv", "ucf-cnn": None}
        assert asked("table#ucf-*:fuse.scores=m.csv") == {"ucf-tan": "m.csv", "ucf-cnn": "m.csv"}
        both = {"ucf-tan": "m.csv", "ucf-cnn": "m.csv"}
        assert asked("ucf-*:fuse.scores=m.csv", rows=("ucf-*",)) == both
        with pytest.raises(CallError) as caught:
            asked("ucf-cnn:fuse.scores=m.csv")
        assert str(caught.value) == (
            "override 'ucf-cnn:fuse.scores=m.csv': ucf-cnn fits only what other rows begin with, and "
            "fuse.scores is not asked of that; name a row that is asked for (--rows), or the stage with its "
            "table, 'table#ucf-cnn:fuse.scores=…'"
        )

    def test_a_path_is_taken_letter_by_letter(self, monkeypatch):
        """Also one that looks like a number or a home folder; those of the schema are all known."""
        assert set(PATH_KEYS) == {
            "data.train", "data.val", "data.test", "data.groups", "data.root", "data.annotations",
            "flow.store", "features.folder", "model.init_from", "cache.folder", "detection.truth",
            "fuse.scores", "fuse.tune",
        }  # fmt: skip
        monkeypatch.setenv("HOME", "/home/me")
        for given, said in (("~/i3d", "/home/me/i3d"), ("2024", "2024")):
            loaded = load_rows(["table.yaml"], ["data.root=U", f"features.folder={given}"], ["ucf-cnn"])
            assert str(loaded.recipes[0].features.folder) == said

    def test_given_features_do_not_go_to_a_stage_of_another_data_set(self):
        given = ["data.root=H", "ucf-*:data.root=U", "features.folder=i3d"]
        loaded = load_rows(["table.yaml"], given, ["hmdb-tan"])
        assert str(loaded.recipes[0].features.folder) == "i3d"
        assert {of.features.folder for of in loaded.stages.values()} == {None}

    def test_all_that_is_left_open_is_in_one_message(self):
        with pytest.raises(CallError) as caught:
            load_rows(["table.yaml"], ["data.root=H"], ["hmdb-tan"])
        assert str(caught.value).splitlines() == [
            "2 of 3 rows leave something open (???):",
            "  table.yaml, row ucf-tan (what table.yaml, row hmdb-tan begins with): data.root",
            "  table.yaml, row ucf-cnn (what table.yaml, row ucf-tan begins with): data.root",
            "  give it on the command line: data.root=VALUE for all rows, 'ucf-cnn:data.root=VALUE' for "
            "those of this name. Where videos lie does not go from a row to a stage of another data set",
        ]

    def test_a_pattern_that_fits_nothing_is_named(self):
        with pytest.raises(CallError, match=r"'ufc-\*:data.root=U': no row that is run is called ufc-\*"):
            load_rows(["table.yaml"], ["data.root=U", "ufc-*:data.root=U"], ["ucf-*"])

    def test_a_stream_that_a_stage_lacks_is_refused(self):
        given = ["data.root=H", "model.streams.frame.conv6_channels=8"]
        with pytest.raises(
            CallError, match=r"one.yaml has no frame stream, and model.*conv6_channels=8 would"
        ):
            load_rows(["table.yaml"], given, ["hmdb-both"])
        loaded = load_rows(["table.yaml"], ["data.root=H", "hmdb-*:" + given[1]], ["hmdb-both"])
        assert loaded.recipes[0].model.streams["frame"].conv6_channels == 8

    def test_one_recipe_alone_has_no_use_for_a_pattern(self):
        with pytest.raises(
            CallError, match=r"is for some rows of several, and this is one; leave ucf-\*: out"
        ):
            load_recipe("table.yaml", ["ucf-*:data.root=U"], "ucf-cnn")

    @pytest.mark.parametrize("text", [":data.root=U", "ucf-*:=U", "ucf-*:data.root"])
    def test_what_is_no_override_is_named(self, text):
        with pytest.raises(
            CallError, match=r"is not key=value; for example train.epochs=3, or for some rows"
        ):
            load_rows(["table.yaml"], [text])


def test_of_many_rows_a_few_are_named_and_how_to_list_them():
    with pytest.raises(CallError) as caught:
        load_recipe("stan-table-1", row="ucf101-frame-stam")
    assert str(caught.value).startswith(
        "stan-table-1 has no row 'ucf101-frame-stam'; did you mean 'ucf101-frame-stan' or 'ucf101-frame-san'"
    )
    assert str(caught.value).endswith(", … (54 rows; attcell protocol stan-table-1 --list names them all)")
    with pytest.raises(
        CallError, match=r"no row is called x; rows: .*54 rows; attcell protocol stan-table-1 -"
    ):
        load_rows(["stan-table-1"], [], ["x"])
