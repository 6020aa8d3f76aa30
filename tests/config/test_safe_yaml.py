"""YAML of strangers: plain values, and not too many."""

from __future__ import annotations

from pathlib import Path

import pytest
from yaml import YAMLError

from attcell.config import load_recipe
from attcell.config.safe_yaml import parsed_yaml
from attcell.errors import CallError
from tests.small_recipes import write_small

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{','.join([f'*{before}'] * 10)}]}}\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "stands for more than 100000 values, by its aliases too; write less"),
        (MERGES, "stands for more than 100000 values"),
        ("a: &a [1, *a]", "a value is part of itself, by an alias"),
        ("&a a: &b {c: {d: *b}}", "a value is part of itself"),
        ("[" * 60 + "]" * 60, "nested more than 50 levels deep; a recipe has a few"),
        ("[" * 600, "nested more than 50 levels deep"),
        ("{a: " * 600, "nested more than 50 levels deep"),
        ("- " * 600 + "a", "nested more than 50 levels deep"),
        ("[1, 2]", None),
    ],
    ids=["laughs", "merges", "cycle", "cycle in a mapping", "60", "lists", "mappings", "dashes", "good"],
)
def test_what_is_too_much_is_refused_before_it_is_made(text: str, message: str | None) -> None:
    if message is None:
        assert parsed_yaml(text) == [1, 2]
        return
    with pytest.raises(ValueError, match=message):
        parsed_yaml(text)


def test_aliases_and_merges_are_read_as_yaml_has_them() -> None:
    text = "a: &a {x: 1, y: [2]}\nb: *a\nc: {<<: *a, x: 3}\n"
    assert parsed_yaml(text) == {"a": {"x": 1, "y": [2]}, "b": {"x": 1, "y": [2]}, "c": {"x": 3, "y": [2]}}
    assert parsed_yaml("") is None


def test_no_object_is_made_and_no_code_run(tmp_path: Path) -> None:
    text = f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{tmp_path}/evil]]"
    with pytest.raises(YAMLError, match="could not determine a constructor"):
        parsed_yaml(text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [LAUGHS, "[" * 600, "&a [*a]", "!!python/name:os.system"])
def test_a_recipe_says_so_in_one_message(tmp_path: Path, text: str) -> None:
    path = write_small(tmp_path)
    path.write_text(path.read_text() + "more:\n" + "".join(f"  {line}\n" for line in text.splitlines()))
    with pytest.raises(CallError, match=r"recipe\.yaml is not a recipe in YAML: "):
        load_recipe(path)


def test_an_override_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="has a value that is not YAML"):
        load_recipe(write_small(tmp_path), [f"train.seed={'[' * 600}"])


def test_numbers_with_an_exponent_are_numbers_as_on_the_command_line(tmp_path: Path) -> None:
    values = parsed_yaml("{a: 1e-3, b: -2E+5, c: 1.5e3, d: 1e-3x, e: '1e-3', f: e5}")
    assert values == {"a": 0.001, "b": -2e5, "c": 1500.0, "d": "1e-3x", "e": "1e-3", "f": "e5"}
    recipe = write_small(tmp_path)

    (tmp_path / "mine.yaml").write_text(f"extends: {recipe}\ntrain: {{learning_rate: 1e-3}}\n")
    assert load_recipe(tmp_path / "mine.yaml").train.learning_rate == 0.001


@pytest.mark.parametrize("name", ["${HOME}x", "a${b.c}", "\\${x}", "\\\\${x}", "$HOME", "a\\b"])
def test_a_path_on_the_command_line_is_taken_letter_by_letter(tmp_path: Path, name: str) -> None:
    assert str(load_recipe(write_small(tmp_path), [f"data.train={name}"]).data.train) == name
