"""Layers of values, and references among them, of strangers too."""

from __future__ import annotations

import json
import re
import time

import pytest
import torch
import yaml

from attcell.config import load_recipe
from attcell.config.merging import literal, merged, open_keys, resolved
from attcell.errors import CallError
from attcell.training.run_folder import (
    check_run_folder,
    refuse_another_recipe,
    with_absolute_paths,
    write_recipe,
)
from tests.small_recipes import write_small


@pytest.mark.parametrize(
    ("below", "above", "values"),
    [
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": [1]}, {"a": [1]}),
        ({"a": [1, 2]}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": "???"}, {"a": {"b": 1}}),
        ({"a": "???"}, {"a": "???", "b": {"c": "???"}}, {"a": "???", "b": {"c": "???"}}),
        ({"a": "${b}"}, {"a": {"c": 1}}, {"a": {"c": 1}}),
    ],
)
def test_what_goes_over_what(below, above, values):
    before = json.dumps([below, above])
    assert merged([below, above]) == values
    assert json.dumps([below, above]) == before


def test_what_is_left_open():
    values = {"a": [{"b": "???"}, "???", 1], "c": {"d": "???", "e": "?"}, "f": "???"}
    assert list(open_keys(values)) == ["a[0].b", "a[1]", "c.d", "f"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${n}", 3),
        ("${ n }", 3),
        ("${one.two}", [1, {"x": 3}]),
        ("${one}", {"two": [1, {"x": 3}], "no": None, "a-b+c": "é"}),
        ("n is ${n}, no is ${one.no}", "n is 3, no is None"),
        ("${one.a-b+c}${one.a-b+c}", "éé"),
        ("$n $$ {n} }", "$n $$ {n} }"),
        ("\\${n}", "${n}"),
        ("\\\\${n}", "\\3"),
        ("\\\\\\${n}", "\\${n}"),
        ("x\\y ${n} \\ z\\", "x\\y 3 \\ z\\"),
        ("\\${ ${n}", "${ 3"),
    ],
)
def test_what_a_reference_stands_for(text, value):
    values = {"n": 3, "one": {"two": [1, {"x": "${n}"}], "no": None, "a-b+c": "é"}, "text": text}
    assert resolved(values)["text"] == value
    assert resolved({"text": literal(text)}) == {"text": text}


ALLOWED = (
    "allowed within ${…} is another key of the recipe alone, as in ${train.seed}: nothing is read from the "
)


@pytest.mark.parametrize(
    "text",
    [
        "${oc.env:HOME}",
        "${oc.env:NOWHERE,here}",
        "a ${oc.decode:'[1, 2]'} b",
        "${oc.create:{a: 1}}",
        "${oc.dict.keys:words}",
        "${oc.env:${words.row}}",
        "${${words.row}}",
        "${.seed}",
        "${..train.seed}",
        "${published[0].value}",
        "${}",
        "${train.seed",
        "${train seed}",
        "${train.}",
    ],
)
def test_nothing_but_keys_is_allowed_in_a_file_and_on_the_command_line(tmp_path, monkeypatch, text):
    monkeypatch.setenv("HOME", "secret")
    recipe = write_small(tmp_path)
    mine = tmp_path / "mine.yaml"
    mine.write_text(yaml.safe_dump({"extends": str(recipe), "words": {"x": text}}))
    for file, overrides, key in ((mine, [], "words.x"), (recipe, [f"name='{text}'"], "name")):
        if overrides and "'[" in text:
            continue  # no text of YAML within these quotes
        with pytest.raises(CallError) as caught:
            load_recipe(file, overrides)
        message = str(caught.value)
        assert message.startswith(f"{file} cannot be read: {key} is ")
        assert ALLOWED in message
        assert "secret" not in message


def test_the_environment_stays_out_where_a_section_goes_over_a_reference(tmp_path, monkeypatch):
    """A library's merging would look at what stands below."""
    monkeypatch.setenv("SECRET", "x")
    (tmp_path / "a.yaml").write_text(f"extends: {write_small(tmp_path)}\ncache: ${{oc.env:SECRET}}\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\ncache: {positions: 3}\n")
    assert load_recipe(tmp_path / "b.yaml").cache.positions == 3


def chain(length: int, link: str) -> dict[str, object]:
    return {f"a{n}": link.format(f"${{a{n + 1}}}") for n in range(length)} | {f"a{length}": "end"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (chain(90, "{0}"), None),
        (chain(5_000, "{0}"), "a0 leads through more than 100 other values; write it out"),
        (chain(90, "{0}{0}"), "stand for has more than 100000 letters and values; write less"),
        ({**chain(90, "{0}"), "a90": {"x": ["${a0}"]}}, "a1 stands for itself; write its value"),
        ({f"a{n}": dict.fromkeys("xy", f"${{a{n + 1}}}") for n in range(40)} | {"a40": 1}, "write less"),
        ({"a": "x" * 1_000, "b": "${a} " * 2_000}, "b: what the recipe's references stand for"),
        ({"a": "${a}"}, "a is '${a}', and a stands for itself"),
        ({"a": "x ${b}", "b": "${a}"}, "stands for itself"),
        ({"a": {"b": 1}, "c": "x ${a}"}, "c is 'x ${a}', and a is no single value; name one"),
        ({"a": 1, "c": "${a.b}"}, "the recipe does not say a.b; name a key that it has, or write the value"),
        ({"a": "\\" * 200_000}, None),
        ({"a": "${" * 100_000}, "allowed within ${…}"),
    ],
    ids=[
        "chain",
        "long",
        "double",
        "cycle",
        "sections",
        "text",
        "self",
        "two",
        "a section",
        "below nothing",
        "backslashes",
        "braces",
    ],
)
def test_chains_and_cycles_end_soon(values, message):
    begun = time.process_time()
    if message is None:
        assert set(resolved(values)) == set(values)
    else:
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            resolved(values)
        assert len(str(caught.value)) < 400
    assert time.process_time() - begun < 5


def test_a_run_keeps_the_values_themselves_and_its_recipe_means_the_same_again(tmp_path):
    recipe = write_small(tmp_path)
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        f"extends: {recipe}\nwords: {{x: 12}}\nname: run-${{words.x}}\ntrain: {{seed: '${{words.x}}'}}\n"
    )
    loaded = with_absolute_paths(load_recipe(mine, ["data.train=${HOME}x\\${y}"]))
    assert (loaded.name, loaded.train.seed, loaded.data.train.name) == ("run-12", 12, "${HOME}x\\${y}")
    assert "words" not in loaded.model_dump_json()
    run = tmp_path / "run"
    run.mkdir()
    write_recipe(run, loaded)
    assert load_recipe(run / "recipe.yaml") == loaded
    refuse_another_recipe(run, loaded)


def test_a_run_may_be_shared_by_others_and_says_what_that_changes(tmp_path, capsys):
    recipe = write_small(tmp_path)
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    batch = "train.batch_size=8"
    write_recipe(run, with_absolute_paths(load_recipe(recipe, [batch, "train.devices=2"])))
    torch.save({}, run / "checkpoints" / "last.ckpt")
    same = [batch, "train.num_nodes=2", "train.strategy=fsdp", "data.workers=9"]
    check_run_folder(run, load_recipe(recipe, same), resume=True)
    assert capsys.readouterr().err == ""
    check_run_folder(run, load_recipe(recipe, [*same, "train.accumulate=2"]), resume=True)
    said = capsys.readouterr().err
    assert said.startswith("a batch is computed in 4 parts from here on, and was in 2 (accumulate × devices")
    with pytest.raises(CallError, match=r"it differs in train.batch_size. Resume"):
        check_run_folder(run, load_recipe(recipe, ["train.devices=4"]), resume=True)


def test_a_home_of_nobody_and_a_date(tmp_path):
    recipe = write_small(tmp_path)
    with pytest.raises(
        CallError, match=r"data.train is '~nobody-here/x', the home of nobody on this machine; "
    ):
        load_recipe(recipe, ["data.train=~nobody-here/x"])
    assert load_recipe(recipe, ["name=2020-01-01"]).name == "2020-01-01"
    (tmp_path / "mine.yaml").write_text(f"extends: {recipe}\nname: 2020-01-01\n")
    assert load_recipe(tmp_path / "mine.yaml").name == "2020-01-01"
