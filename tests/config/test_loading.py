"""Recipe files: tables and their rows, what extends what, packaged names."""

from __future__ import annotations

from pathlib import Path

import pytest

from attcell.config import load_recipe, load_rows
from attcell.config.loading import PACKAGED, choose_rows, find_recipe, read_recipe_file
from attcell.errors import CallError
from tests.small_recipes import write_small


@pytest.fixture
def path(tmp_path):
    return write_small(tmp_path)


class TestExtends:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "base.yaml").write_text("train: {epochs: 2, seed: 3}\nname: never\n")
        (tmp_path / "data.yaml").write_text("data: {train: videos/train}\n")
        return tmp_path

    def test_the_files_own_values_go_over_those_it_extends(self, folder):
        path = folder / "mine.yaml"
        path.write_text("extends: [base.yaml, data.yaml]\ntrain: {epochs: 5}\n")
        recipe = load_recipe(path, ["train.batch_size=4"])
        assert (recipe.train.epochs, recipe.train.seed, recipe.train.batch_size) == (5, 3, 4)
        assert str(recipe.data.train) == "videos/train"

    def test_one_may_extend_one_that_extends(self, folder):
        (folder / "sub").mkdir()
        (folder / "sub" / "middle.yaml").write_text("extends: ../base.yaml\ntrain: {seed: 9}\n")
        path = folder / "mine.yaml"
        path.write_text("extends: [data.yaml, sub/middle.yaml]\nname: mine\n")
        recipe = load_recipe(path)
        assert (recipe.train.epochs, recipe.train.seed, recipe.name) == (2, 9, "mine")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("extends: mine.yaml", "extends itself; leave that out"),
            (
                "extends: none.yaml",
                "mine.yaml extends none.yaml: no recipe at none.yaml; give the path",
            ),
            (
                "extends: 3",
                "extends is 3; give the path or name of a recipe, of a table's row as .*or a list of",
            ),
        ],
    )
    def test_what_cannot_be_extended_is_named(self, folder, text, message):
        path = folder / "mine.yaml"
        path.write_text(text)
        with pytest.raises(CallError, match=message):
            load_recipe(path)


def test_a_recipe_is_called_as_its_file_unless_it_says_otherwise(path):
    assert load_recipe(path).name == "recipe"
    assert load_recipe(path, ["name=other"]).name == "other"


TABLE = """
about: A table of a few rows
extends: base.yaml
data: {train: "???"}
words: {figure: top1}
published:
  - {figure: "${words.figure}", value: "${words.value}", source: a paper, row: "${words.kind}, ${words.row}"}
rows:
  "{one,two}-{san,stan}": {words: {value: 1.5}}
  "*-san": {words: {kind: SAN}, model: {kind: san}}
  "*-stan": {words: {kind: STAN}}
  "{one-s*,other}": {train: {seed: 1}}
  "one-*": {train: {batch_size: 4}}
  one-stan: {words: {value: null}, train: {batch_size: 8}}
  other:
    extends: [more.yaml, table.yaml#two-san]
    words: {kind: other}
"""


def test_a_store_that_is_left_open_is_explained():
    with pytest.raises(CallError) as caught:
        load_recipe("tan", ["data.train=x"])
    assert str(caught.value) == (
        "tan leaves flow.store open (???); give it on the command line: flow.store=VALUE. flow.store is a "
        "folder that attcell extract flow has filled; or none, and flow is computed as it goes"
    )
    assert load_recipe("tan", ["data.train=x", "flow.store=none"]).flow.store is None


class TestTables:
    @pytest.fixture
    def table(self, tmp_path):
        (tmp_path / "base.yaml").write_text("train: {epochs: 2, seed: 3}\n")
        (tmp_path / "more.yaml").write_text("train: {epochs: 9}\nsegments: {test: 7}\n")
        (tmp_path / "table.yaml").write_text(TABLE)
        return tmp_path / "table.yaml"

    def test_a_row_takes_every_change_that_fits_its_name_from_top_to_bottom(self, table):
        recipe = load_recipe(table, ["data.train=x"], row="one-stan")
        assert (recipe.name, recipe.model.kind) == ("table-one-stan", "stan")
        assert (recipe.train.epochs, recipe.train.seed, recipe.train.batch_size) == (2, 1, 8)
        two = load_recipe(table, ["data.train=x", "train.seed=5"], row="two-san")
        assert (two.model.kind, two.train.seed, two.train.batch_size) == ("san", 5, 128)

    def test_words_are_put_into_texts_with_their_type(self, table):
        (figure,) = load_recipe(table, ["data.train=x"], row="one-san").published
        assert (figure.figure, figure.value, figure.row) == ("top1", 1.5, "SAN, one-san")
        (figure,) = load_recipe(table, ["data.train=x"], row="one-stan").published
        assert (figure.value, figure.row) == (None, "STAN, one-stan")

    def test_a_row_may_extend_a_recipe_and_another_row(self, table):
        recipe = load_recipe(table, ["data.train=x"], row="other")
        assert (recipe.train.epochs, recipe.train.seed, recipe.segments.test) == (2, 3, 7)
        assert (recipe.model.kind, recipe.published[0].row) == ("san", "other, other")

    def test_rows_are_chosen_by_pattern_in_the_files_order(self, table):
        names = [recipe.name for recipe in load_rows([table], ["data.train=x"], ["*-stan", "other"]).recipes]
        assert names == ["table-one-stan", "table-two-stan", "table-other"]
        assert [row for _, row in choose_rows([table])] == [
            "one-san", "one-stan", "two-san", "two-stan", "other",
        ]  # fmt: skip
        assert [row for _, row in choose_rows([table, "stan-small"], ["{one,two}-san"])] == [
            "one-san", "two-san", None,
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            (
                None,
                "table.yaml is a table; choose one (--row ROW): one-san, one-stan, two-san, two-stan, oth",
            ),
            (
                "one-stn",
                "table.yaml has no row 'one-stn'; did you mean 'one-stan' or 'one-san' or 'two-stan'? choo",
            ),
            ("*", "table.yaml has no row '*'; choose one (--row ROW): one-san, "),
        ],
    )
    def test_a_row_that_is_not_there_is_named_with_those_that_are(self, table, row, message):
        with pytest.raises(CallError) as caught:
            load_recipe(table, row=row)
        assert message in str(caught.value)

    def test_a_row_that_leaves_something_open_is_named(self, table):
        message = r"table.yaml, row one-san, leaves data.train open \(\?\?\?\); give it on the command line"
        with pytest.raises(CallError, match=message):
            load_recipe(table, row="one-san")
        with pytest.raises(CallError, match=r"table\.yaml, row one-san is not a valid recipe"):
            load_recipe(table, ["data.train=x", "train.epochs=no"], row="one-san")

    def test_a_pattern_that_fits_no_row(self, table):
        with pytest.raises(CallError, match="no row is called one-stam; did you mean 'one-stan'"):
            load_rows([table], ["data.train=x"], ["one-stam"])
        with pytest.raises(CallError, match="no row is called x; rows: none, for each file is one recipe"):
            choose_rows(["stan-small"], ["x"])

    def test_a_row_of_a_recipe_that_is_no_table(self):
        with pytest.raises(CallError, match="stan-small is one recipe and has no rows; leave row x out"):
            load_recipe("stan-small", row="x")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("rows: [a, b]", r"rows is \['a', 'b'\] \(list\); give names with the values of each"),
            ("rows: {a: 3}", r"rows is {'a': 3} \(dict\); give names with the values of each"),
            ("rows: {a-one: {}, 'b-*': {}}", r"no row's name fits b-\*; rows: a-one"),
            ("rows: {a: {nowhere: 1}}", "t.yaml, row a is not a valid recipe:\n  nowhere: unknown key"),
            ("rows: {a: {extends: 't.yaml#a'}}", "t.yaml extends itself; leave that out"),
            ("rows: {a: {extends: t.yaml}}", "t.yaml extends t.yaml: .*t.yaml is a table; choose one"),
            ("rows: {a: {extends: 't.yaml#b'}}", "t.yaml extends t.yaml#b: .*t.yaml has no row 'b'"),
            ("rows: {a: {name: '${words.nowhere}'}}", "the recipe does not say words.nowhere"),
        ],
    )
    def test_a_table_that_is_not_right(self, tmp_path, text, message):
        path = tmp_path / "t.yaml"
        path.write_text(f"data: {{train: x}}\ntrain: {{epochs: 1}}\n{text}\n")
        with pytest.raises(CallError, match=message):
            load_recipe(path, row="a")


class TestPackagedNames:
    @pytest.mark.parametrize("name", ["stan-small", "stan-small.yaml", "recipes/stan-small.yaml"])
    def test_a_packaged_recipe_by_its_name(self, name):
        assert find_recipe(name) == PACKAGED / "stan-small.yaml"
        assert load_recipe(name, ["data.train=x"]).name == "stan-small"

    def test_a_file_at_the_path_goes_first(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "stan-small").mkdir()
        assert find_recipe("stan-small") == PACKAGED / "stan-small.yaml"
        (tmp_path / "stan-small.yaml").write_text("data: {train: mine}\ntrain: {epochs: 1}\n")
        assert str(load_recipe("stan-small.yaml").data.train) == "mine"

    def test_one_may_extend_a_packaged_recipe(self, tmp_path):
        path = tmp_path / "mine.yaml"
        path.write_text("extends: stan-small\ndata: {train: x}\ntrain: {epochs: 7}\n")
        recipe = load_recipe(path)
        assert (recipe.name, recipe.train.epochs, recipe.model.lstm_hidden) == ("mine", 7, 128)
        path.write_text("extends: stan-table-1#ccv-frame-san\ndata: {root: x, annotations: y}\n")
        assert load_recipe(path).model.kind == "san"

    @pytest.mark.parametrize("name", ["stan-smal", "stan-smal.yaml", "recipes/stan-smal.yaml", "a/stan-smal"])
    def test_a_name_that_is_not_there_is_named_with_those_that_are(self, name):
        with pytest.raises(CallError) as caught:
            load_recipe(name)
        assert str(caught.value).startswith(f"no recipe at {name}; give the path of a YAML file, or the name")
        assert "did you mean 'stan-small'" in str(caught.value)
        assert str(caught.value).endswith(", tan-table-3, tan-table-4, weizmann, your-videos")


def test_an_override_of_a_stream_that_a_row_lacks_is_refused_among_several():
    given = ["data.root=x", "data.annotations=y", "flow.store=none"]
    given += ["model.streams.clip.weights=c3d.safetensors"]
    with pytest.raises(CallError, match="stan-table-4, row ucf101-frame, has no clip stream, and model"):
        load_rows(["stan-table-4"], given)
    (recipe,) = load_rows(["stan-table-4"], given, ["*-three"]).recipes
    assert recipe.model.streams["clip"].weights == "c3d.safetensors"


def test_names_without_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(f"rows: {{'{'{a,b}' * 40}': {{}}}}")
    with pytest.raises(CallError, match=r"t\.yaml: .* stands for more than \d+ names; write fewer"):
        read_recipe_file(tmp_path / "t.yaml")
    (tmp_path / "t.yaml").write_text(f"rows: {{'{'{a}' * 300}': {{}}}}")
    assert read_recipe_file(tmp_path / "t.yaml").row_names == ("a" * 300,)
