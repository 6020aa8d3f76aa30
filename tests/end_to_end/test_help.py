"""What ``--help`` and ``attcell recipes`` say."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise

import pytest
import typer

from attcell.cli.app import app
from attcell.config import load_recipe
from attcell.config.loading import choose_rows
from tests.end_to_end.conftest import Run

HELP = """
import sys
sys.argv = ["attcell", "--help"]
from attcell.cli.app import main
try:
    main()
except SystemExit:
    heavy = {"torch", "torchvision", "av", "numpy", "matplotlib", "lightning", "sklearn", "timm", "pydantic"}
    print("heavy:", sorted(heavy & set(sys.modules)))
"""


def commands() -> list[tuple[str, ...]]:
    """The words of every command, such as ("score", "fuse")."""
    whole = typer.main.get_command(app)
    assert isinstance(whole, typer.core.TyperGroup)
    return [
        (name, *below)
        for name, command in whole.commands.items()
        for below in ([(one,) for one in command.commands] if hasattr(command, "commands") else [()])
    ]


def test_help_is_quick_for_it_imports_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("heavy: []\n")
    for command in ("demo", "synth", "train", "test", "predict"):
        assert f"  {command} " in done.stdout


def test_every_command_is_there():
    assert {" ".join(words) for words in commands()} == {
        "demo", "predict", "detect", "models", "calibrate", "recipes", "plan", "train", "learning-rate",
        "sweep", "test", "export", "push", "synth", "protocol", "ablate", "table", "reproduce", "doctor",
        "serve",
        "data check", "extract flow", "extract features",
        "labels export", "labels import",
        "score fuse", "score recognition", "score classes", "score attention", "score detection",
    }  # fmt: skip


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_help_of_a_command_has_an_example(attcell: Run, words):
    assert f"Example: attcell {' '.join(words)} " in attcell(*words, "--help").stdout


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_option_says_what_it_is(words):
    command = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    assert [
        option.name for option in command.params if option.opts[0].startswith("-") and not option.help
    ] == []


def test_what_may_be_chosen_is_named(attcell: Run):
    assert re.search(
        r"--rule <relative\|paper\|sigmoid\|classes\|stpn\|evidence>", attcell("detect", "--help").stdout
    )
    assert re.search(r"--crops <1\|3\|10>", attcell("test", "--help").stdout)
    wrong = attcell("detect", "a.mp4", "--model", "m", "--rule", "mine", status=2).stderr
    assert "'mine' is not one of 'relative', 'paper', 'sigmoid', 'classes', 'stpn', 'evidence'" in wrong


@pytest.mark.parametrize("name", ["train", "protocol", "ablate segments"])
def test_the_recipes_of_the_examples_are_there(attcell: Run, name):
    text = " ".join(
        attcell(name.split()[0], "--help").stdout.split("Options:")[0].split()
    )  # lines are broken
    examples = text.split(f"Example: attcell {name} ")[1:]
    assert examples
    for example in examples:
        table, *others = example.split(" Example:")[0].split(" Arguments:")[0].split()
        after = dict(pairwise(others))
        if table == "videos":  # a folder of one's own
            continue
        if name == "protocol":
            assert choose_rows([table], [after["--rows"].strip("'")] if "--rows" in after else [])
        else:
            assert load_recipe(table, [word for word in others if "=" in word], after.get("--row"))


class TestRecipes:
    def test_the_packaged_recipes_are_listed_with_a_line_each(self, attcell: Run):
        lines = attcell("recipes").stdout.splitlines()
        assert len(lines) == 26
        assert lines[0].startswith(
            "ccv-sound      18 rows  CCV with sound: frames, flow and clips with an audio"
        )
        assert lines[1].startswith("modern/dinov2           STAN on frames of a frozen DINOv2,")
        assert lines[6].startswith("stan-small              STAN on frames for small data sets: a fr")
        assert lines[7].startswith("stan-table-1   54 rows  STAN's Table I: pooled features with an SVM, S")

    def test_rows_are_shown_with_the_keys_in_which_they_differ(self, attcell: Run):
        shown = attcell("recipes", "stan-table-3", "--rows", "ccv-stan-*").stdout
        assert shown.splitlines() == [
            "| key | ccv-stan-early | ccv-stan-late |",
            "| --- | --- | --- |",
            "| model.fusion | early | late |",
        ]
        one = attcell("recipes", "stan-table-3", "--rows", "ccv-stan-late", status=2).stderr
        assert "--rows ccv-stan-late is one row; name two or more, to compare them" in one
        none = attcell("recipes", "--rows", "ccv-*", status=2).stderr
        assert "--rows are rows of a table; name it: attcell recipes stan-table-2 --rows" in none
        assert "no row is called x; did you" not in attcell("recipes", "tan", "--rows", "x", status=2).stderr

    def test_the_text_of_one_is_a_recipe_of_ones_own(self, attcell: Run, tmp_path):
        for name, row in (("stan-small", None), ("weizmann", "both-stan")):
            (tmp_path / "mine.yaml").write_text(attcell("recipes", name).stdout)
            given = ["data.root=x", "data.train=null"] if row else ["data.train=x"]
            mine = load_recipe(tmp_path / "mine.yaml", given, row)
            packaged = load_recipe(name, given, row)
            assert mine.model_copy(update={"name": packaged.name}) == packaged
        (tmp_path / "mine.yaml").write_text(attcell("recipes", "stan-table-7").stdout)
        assert load_recipe(
            tmp_path / "mine.yaml", ["data.root=x", "data.annotations=y", "flow.store=none"], "ucf101-pool3"
        )

    def test_the_rows_of_a_table_are_listed(self, attcell: Run):
        done = attcell("protocol", "stan-table-1", "--rows", "ucf101-frame-*", "--list")
        assert done.stdout.splitlines() == [
            f"stan-table-1 ucf101-frame-{name}"
            for name in ("fc6", "pool5-25088", "pool5-512-ave", "pool5-512-vlad", "san", "stan")
        ]
        assert (
            attcell("protocol", "tan", "stan-table-6", "--list").stdout
            == "tan\nstan-table-6 thumos14-three\n"
        )

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (
                ("train", "stan-smal"),
                "no recipe at stan-smal; give the path of a YAML file, or the name ",
            ),
            (
                ("train", "stan-table-1"),
                "stan-table-1 is a table; choose one (--row ROW): ucf101-frame-fc6, ",
            ),
            (
                ("train", "stan-table-1", "--row", "ucf101-stan"),
                "stan-table-1 has no row 'ucf101-stan'; did you mean 'ucf101-",
            ),
            (
                ("train", "stan-small", "--row", "x"),
                "stan-small is one recipe and has no rows; leave row x",
            ),
            (
                ("protocol", "weizmann", "--rows", "frame-tan"),
                "no row is called frame-tan; did you mean 'fram",
            ),
            (("ablate", "tap", "weizmann"), "weizmann is a table; choose one (--row ROW): both-fc6, "),
            (("train", "stan-table-8", "--row", "sports1m-vgg16"), "leaves data.annotations, data.root open"),
            (("recipes", "stan-table"), "did you mean 'stan-table-9' or"),
        ],
    )
    def test_what_is_not_there_is_named_with_what_is(self, attcell: Run, words, message):
        assert message in attcell(*words, status=2).stderr
