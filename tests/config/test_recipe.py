"""Recipes: strict, with every mistake in one message."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from attcell.config import Recipe, check_recipe, load_recipe
from attcell.errors import CallError
from tests.small_recipes import SMALL, refusal, write_small


@pytest.fixture
def path(tmp_path):
    return write_small(tmp_path)


def test_the_defaults_are_the_papers(path):
    recipe = load_recipe(path, ["train.epochs=null", "train.iterations=15000"])
    assert (recipe.train.optimizer, recipe.train.momentum, recipe.train.batch_size) == ("sgd", 0.9, 128)
    assert (recipe.train.learning_rate, recipe.train.step_iterations) == (1e-3, 4000)
    stream = recipe.model.streams["frame"]
    assert (stream.backbone, stream.conv6_channels, recipe.model.lstm_hidden) == ("vgg16", 1024, 1024)
    assert (recipe.segments.train, recipe.segments.test) == (25, 25)


def test_overrides_are_put_over_the_file(path):
    recipe = load_recipe(
        path,
        ["train.epochs=5", "model.streams.frame.backbone=small", "train.learning_rate=1e-2", "data.val=v=1"],
    )
    assert recipe.train.epochs == 5
    assert recipe.train.learning_rate == 0.01
    assert recipe.model.streams["frame"].backbone == "small"
    assert str(recipe.data.val) == "v=1"
    assert str(recipe.data.train) == "videos/train"


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [("train.precision=32", "precision", "32"), ("model.streams.frame.tap=-1", "tap", "-1")],
)
def test_a_word_that_yaml_reads_as_a_number(path, override, key, value):
    recipe = load_recipe(path, [override])
    section = recipe.train if key == "precision" else recipe.model.streams["frame"]
    assert getattr(section, key) == value


@pytest.mark.parametrize("key", ["weights", "init_from"])
def test_a_streams_path_is_taken_letter_by_letter(path, key, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    recipe = load_recipe(path, [f"model.streams.frame.{key}=~/run: 1/[2]"])
    assert str(getattr(recipe.model.streams["frame"], key)) == "/home/someone/run: 1/[2]"


def test_all_mistakes_are_in_one_message():
    message = refusal(
        {
            "data": {"train": "a", "wokers": 3},
            "train": {"epoch": 3, "iterations": "many"},
            "modle": {},
            "model": {"kind": "lstm", "streams": {"frame": {"bakbone": "vgg16"}, "sound": {}}},
        }
    )
    assert message.startswith("here is not a valid recipe:\n")
    for part in (
        "data.wokers: unknown key; did you mean 'workers'? allowed: train, test, val,",
        "train.epoch: unknown key; did you mean 'epochs'? allowed: optimizer,",
        "train.iterations: Input should be a valid integer (given: 'many')",
        "modle: unknown key; did you mean 'model'? allowed: name, published, rivals, data, input, flow,",
        "model.kind: Input should be 'stan', 'san', 'average', 'pooled', 'tan', 'cnn', 'two_stream', 'fc',",
        "model.streams.frame.bakbone: unknown key; did you mean 'backbone'? allowed: backbone, tap, weights,",
        "model.streams.sound: no modality is named 'sound'; allowed: frame, flow, clip, audio, features "
        "(given: 'sound')",
    ):
        assert part in message
    assert len(message.splitlines()) == 8


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("train", {}, "recipe: train needs either iterations (the paper's 15000) or epochs"),
        (
            "train",
            {"epochs": 1, "iterations": 1},
            "train: give either iterations (the paper's 15000) or epochs, not both",
        ),
        (
            "train",
            {"epochs": 1, "batch_size": 6, "accumulate": 2, "devices": 2},
            "train: batch_size 6 cannot be split into accumulate 2 × devices 2 equal parts",
        ),
        (
            "train",
            {"epochs": 1, "batch_size": 6, "devices": 2, "num_nodes": 2},
            "train: batch_size 6 cannot be split into accumulate 1 × devices 2 × num_nodes 2 equal parts",
        ),
        (
            "train",
            {"epochs": 1, "strategy": "fsdp"},
            "train: strategy fsdp shards the network over processes, and devices 1 × num_nodes 1 is one",
        ),
        (
            "train",
            {"epochs": 1, "seed": -1},
            "train.seed: Input should be greater than or equal to 0 (given: -1)",
        ),
        ("train", {"epochs": 1, "seed": 2**63}, "train.seed: Input should be less than 9223372036854775808"),
        ("train", {"epochs": 1, "learning_rate": 0}, "train.learning_rate: Input should be greater than 0"),
        ("train", {"epochs": 1, "learning_rate": float("nan")}, "train.learning_rate: Input should be"),
        (
            "train",
            {"epochs": 1, "precision": 16},
            "train.precision: Input should be '32' or 'bf16' (given: '16')",
        ),
        ("segments", {"test": 0}, "segments.test: Input should be greater than or equal to 1 (given: 0)"),
        ("input", {"size": 300}, "input: short_side 256 is less than the crop's size 300"),
        (
            "data",
            {"train": "a", "val": "b", "val_fraction": 0.1},
            "data: val and val_fraction exclude each other",
        ),
        ("data", {}, "data: give train, a folder per class or a list file; or dataset and root"),
        ("model", {"streams": {}}, "model.streams: Dictionary should have at least 1 item"),
        (
            "cache",
            {"folder": "c"},
            "recipe: cache.folder needs model.streams.frame.train_from=none (a frozen backbone)",
        ),
        (
            "model",
            {"streams": {"frame": {"standardise": True}}},
            "recipe: standardise needs model.streams.frame.train_from=none (a frozen backbone)",
        ),
        (
            "model",
            {"streams": {"clip": {"standardise": True, "train_from": "none"}}},
            "recipe: model.streams.clip.standardise needs cache.folder, whose features it measures",
        ),
    ],
)
def test_what_does_not_fit_is_refused(section, values, message):
    assert message in refusal({**SMALL, section: values})


@pytest.mark.parametrize("values", [None, [], "text", 3])
def test_values_that_are_no_recipe(values):
    assert "recipe: Input should be a valid dictionary" in refusal(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "data: Field required"),
        ("- 1\n- 2\n", "is no recipe: it must hold keys and values, such as data: and train:"),
        ("[]", "is no recipe: it must hold keys and values"),
        ("hello", "is no recipe: it must hold keys and values"),
        ("a: [1", "is not a recipe in YAML: while parsing a flow sequence"),
        (
            "data: {train: '${nowhere}'}",
            "data.train is '${nowhere}', and the recipe does not say nowhere; name a key that it has",
        ),
        (b"\xff\xfe\x00", "is not a recipe in YAML: 'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_files_that_are_no_recipe(tmp_path, text, message):
    file = tmp_path / "recipe.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CallError) as caught:
        load_recipe(file)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


def test_a_recipe_that_is_not_there(tmp_path):
    for place in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(CallError, match=f"no recipe at {place}; give the path of a YAML file"):
            load_recipe(place)


@pytest.mark.parametrize("override", ["train", "=3", ""])
def test_an_override_without_a_key(path, override):
    with pytest.raises(
        CallError, match=f"override '{override}' is not key=value; for example train.epochs=3"
    ):
        load_recipe(path, [override])


def test_an_override_whose_value_is_broken(path):
    with pytest.raises(CallError, match=r"override 'train.epochs=\[3' has a value that is not YAML"):
        load_recipe(path, ["train.seed=1", "train.epochs=[3"])


def test_what_a_recipe_leaves_open_must_be_given(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("data:\n  train: ???\n  test: ???\ntrain: {epochs: 1}\n")
    message = r"leaves data.test, data.train open \(\?\?\?\); give it on the command line: data.test=VALUE"
    with pytest.raises(CallError, match=message):
        load_recipe(file)
    assert str(load_recipe(file, ["data.train=a", "data.test=b"]).data.test) == "b"


def test_a_recipe_cannot_be_changed(path):
    with pytest.raises(ValueError, match="frozen"):
        load_recipe(path).train.epochs = 3


counts = st.integers(1, 10**6)
fractions = st.floats(0, 1, exclude_max=True)
words = st.text(
    st.characters(categories=("L", "N"), include_characters=" -_/.#:'\"="), min_size=1, max_size=20
)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Any valid recipe with a frozen backbone."""
    parts, devices = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    size = draw(st.integers(1, 500))
    lasts = draw(st.sampled_from(["iterations", "epochs"]))
    return Recipe.model_validate(
        {
            "data": {"train": draw(words), "val": draw(st.none() | words), "root": draw(st.none() | words)},
            "input": {
                "size": size,
                "short_side": size + draw(st.integers(0, 100)),
                "mean": [draw(st.floats(-1e6, 1e6)) for _ in range(3)],
                "std": [draw(st.floats(1e-9, 1e9)) for _ in range(3)],
            },
            "segments": {"train": draw(counts), "short": draw(st.sampled_from(["repeat", "refuse"]))},
            "model": {
                "kind": draw(st.sampled_from(["stan", "san", "average"])),
                "streams": {
                    "frame": {"tap": draw(st.none() | words), "train_from": "none", "weights": draw(words)}
                },
                "dropout": draw(fractions),
            },
            "cache": {"folder": draw(st.none() | words), "mirrored": draw(st.booleans())},
            "train": {
                lasts: draw(counts),
                "learning_rate": draw(st.floats(1e-300, 1e300)),
                "batch_size": parts * devices * draw(st.integers(1, 9)),
                "accumulate": parts,
                "devices": devices,
                "seed": draw(st.integers(0, 2**63 - 1)),
            },
        }
    )


@given(recipes())
def test_a_recipe_survives_json_and_yaml(recipe):
    plain = recipe.model_dump(mode="json")
    assert check_recipe(json.loads(json.dumps(plain)), source="json") == recipe
    assert check_recipe(yaml.safe_load(yaml.safe_dump(plain, sort_keys=False)), source="yaml") == recipe


def test_a_recipe_by_its_path_as_text(path):
    assert load_recipe(str(path)) == load_recipe(path)
    with pytest.raises(CallError, match=r'path is 5; give one path as text or Path, such as "recipes/'):
        load_recipe(5)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [("train.epochs=3", "'train.epochs=3'"), ([5], r"\[5\] \(list\)"), (None, "None"), (5, "5")],
)
def test_overrides_that_are_no_list_of_texts(path, overrides, said):
    with pytest.raises(
        CallError, match=rf'overrides are {said}; give a list of texts, such as \["train.epochs=3"'
    ):
        load_recipe(path, overrides)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"begin_with": "runs/a/model"}, "model.begin_with is model.init_from now"),
        ({"kind": "own_gates"}, "model.kind=own_gates is self_gates now"),
        (
            {"kind": "own_gates", "streams": {"flow": {"begin_with": "x"}}},
            "model.kind=own_gates is self_gates now, "
            "model.streams.flow.begin_with is model.streams.flow.init_from now",
        ),
    ],
)
def test_a_recipe_of_an_older_attcell_is_known(model, said):
    values = {"data": {"train": "videos"}, "model": model, "train": {"iterations": 1}}
    with pytest.raises(CallError) as caught:
        check_recipe(values, source="old.yaml")
    assert str(caught.value) == (
        f"old.yaml is a recipe of an older attcell: {said}. Change that, or take a recipe that comes with "
        "attcell (attcell recipes lists them), and train again"
    )


def size_of(model: object, pictures: object = None) -> tuple[int, int]:
    given = check_recipe({**SMALL, "model": model, "input": pictures}, source="here").input
    return given.size, given.short_side


@pytest.mark.parametrize("pictures", [None, {}, {"size": None}, {"size": None, "short_side": None}])
def test_the_size_is_by_default_the_backbones_own(pictures):
    assert size_of({}, pictures) == (224, 256)
    assert size_of({"streams": {"clip": {}}}, pictures) == (112, 128)
    assert size_of({"streams": {"features": {}}}, pictures) == (224, 256), "which nobody looks at"
    dino = {"streams": {"frame": {"backbone": "timm/vit_small_patch14_dinov2"}, "flow": None}}
    assert size_of(dino, pictures) == (518, 592)


def test_a_given_size_is_taken():
    assert size_of({"streams": {"clip": {}}}, {"size": 200}) == (200, 256)
    assert size_of({"streams": {"clip": {}}}, {"short_side": 120}) == (112, 120)
    assert size_of({"streams": {"frame": {}, "clip": {}}}, {"size": 224}) == (224, 256)


def test_backbones_of_different_sizes_want_one():
    assert refusal({**SMALL, "model": {"streams": {"frame": {}, "clip": {}, "features": {}}}}) == (
        "here: input.size is left out, and the backbones of the streams were made for pictures of different "
        "sizes (frame 224, clip 112); set input.size to one for all"
    )


@pytest.mark.parametrize("model", [3, {"streams": 3}, {"streams": {"frame": 3}}, {"streams": {3: {}}}])
def test_what_is_no_recipe_is_told_by_the_schema(model):
    assert refusal({**SMALL, "model": model}).startswith("here is not a valid recipe:")
    assert refusal({**SMALL, "input": 3}).startswith("here is not a valid recipe:")


def test_of_very_many_problems_some_are_named_and_all_are_counted():
    values = {"data": {"train": "videos"}, "train": {"iterations": 1, **{f"key{n}": n for n in range(1000)}}}
    with pytest.raises(CallError) as caught:
        check_recipe(values, "mine")
    lines = str(caught.value).split("\n")
    assert (len(lines), lines[-1]) == (12, "  and 990 more")
    assert lines[1].startswith("  train.key0: unknown key; ")
