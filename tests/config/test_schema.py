"""What a recipe's sections ask of each other: data sets, losses, weights."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from attcell.choices import DataSetName, DetectionProtocol, MotionKind, SuiteName, TableFormat
from attcell.config import check_recipe, load_recipe
from attcell.data.known_sets import KNOWN_SETS
from attcell.errors import CallError
from attcell.research.suites.clips import REAL_SETS
from attcell.results.detection_metrics import RULES
from attcell.results.run_table_text import FORMATS
from attcell.synth.scene import MOTIONS
from tests.small_recipes import SMALL, refusal, write_small


@pytest.fixture
def path(tmp_path):
    return write_small(tmp_path)


OF_A_SET = {"data": {"dataset": "ucf101", "root": "videos"}, "train": {"epochs": 2}}


class TestDataSet:
    def test_a_data_set_takes_the_place_of_sources(self):
        data = check_recipe(OF_A_SET, source="here").data
        assert (data.dataset, data.split, data.train) == ("ucf101", 1, None)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"root": None}, "dataset ucf101 needs root, the folder where its videos lie"),
            ({"train": "x"}, "dataset ucf101 has its own lists; leave train, val and test out"),
            ({"dataset": None}, "give train, a folder per class or a list file; or dataset and root"),
            ({"dataset": None, "train": "x", "split": 2}, "annotations, split and splits are for a dataset"),
            ({"dataset": "ucf"}, "data.dataset: Input should be 'ucf101', 'hmdb51'"),
        ],
    )
    def test_what_does_not_go_together_is_refused(self, change, message):
        assert message in refusal({**OF_A_SET, "data": {**OF_A_SET["data"], **change}})


class TestGroups:
    @pytest.mark.parametrize(
        ("groups", "read"),
        [
            (None, None),
            ("_(g[0-9]+)_", "_(g[0-9]+)_"),
            ("column", "column"),
            ("some/groups.csv", Path("some/groups.csv")),
            (Path("some/groups.csv"), Path("some/groups.csv")),
        ],
    )
    def test_a_file_an_expression_or_a_column(self, groups, read):
        recipe = check_recipe({**SMALL, "data": {"train": "x", "groups": groups}}, source="here")
        assert recipe.data.groups == read
        assert check_recipe(recipe.model_dump(mode="json"), source="here") == recipe

    @pytest.mark.parametrize(
        ("groups", "message"),
        [
            ("_(g[0-9]+", "data.groups: no regular expression: missing ), unterminated subpattern"),
            (
                "",
                "data.groups: give a regular expression whose first brackets match a video's group",
            ),
            (3, "data.groups: give a regular expression"),
            (["a"], "data.groups: give a regular expression"),
        ],
    )
    def test_what_is_neither(self, groups, message):
        assert message in refusal({**SMALL, "data": {"train": "x", "groups": groups}})

    def test_a_data_set_has_no_column(self):
        message = refusal({**OF_A_SET, "data": {**OF_A_SET["data"], "groups": "column"}})
        assert "groups column is of list files, not of dataset ucf101" in message

    @pytest.mark.parametrize("value", ["^([^/]+)/", "[^/]+/(x)", "*", "a: (b)", "null", "~/groups.csv"])
    def test_on_the_command_line_it_is_taken_letter_by_letter(self, path, value):
        if value == "*":
            with pytest.raises(CallError, match="nothing to repeat"):
                load_recipe(path, [f"data.groups={value}"])
            return
        wanted = {"null": None, "~/groups.csv": Path("~/groups.csv").expanduser()}.get(value, value)
        assert load_recipe(path, [f"data.groups={value}"]).data.groups == wanted


@pytest.mark.parametrize(
    "model",
    [{"streams": {"frame": {}, "flow": {}}, "fusion": "late"}, {"kind": "cnn", "streams": {"frame": {}}}],
)
def test_a_sigmoid_is_for_networks_of_one_score(model):
    message = refusal({**SMALL, "model": model, "train": {"epochs": 2, "loss": "sigmoid"}})
    assert "train.loss=sigmoid is for one STAN, SAN or average" in message


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"flow": {"quadratic_mean": "codes"}},
            "flow: quadratic_mean is of form picture, not of stack; leave it out",
        ),
        ({"name": "a/b"}, "name is 'a/b'; give one word that can name a folder, without / and .."),
        ({"model": {"streams": ["frame"]}}, "model.streams: Input should be a valid dictionary"),
        ({"model": {"kind": "pooled"}}, "kind pooled is classified by an SVM; set model.classifier to svm"),
        (
            {"model": {"classifier": "svm", "streams": {"frame": {}, "flow": {}}, "fusion": "late"}},
            "an SVM looks at one representation of a video, and kind stan, fusion late has none",
        ),
        ({"model": {"fusion": "late"}}, "fusion late needs at least two streams; leave it out for one"),
        (
            {"model": {"streams": {"frame": {"standardise": True, "train_from": "none"}}}},
            "model.streams.frame.standardise needs cache.folder, whose features it measures",
        ),
    ],
)
def test_parts_of_a_model_that_do_not_go_together(values, said):
    assert said in refusal({**SMALL, **values})


def test_the_models_weights_are_those_of_every_stream_that_names_none():
    streams = {"frame": {"backbone": "small"}, "flow": {"backbone": "small", "weights": "none"}}
    recipe = check_recipe({**SMALL, "model": {"weights": "w.safetensors", "streams": streams}}, source="here")
    assert {name: of.weights for name, of in recipe.model.streams.items()} == {
        "frame": "w.safetensors",
        "flow": "none",
    }
    assert (
        check_recipe({**SMALL, "model": {"weights": "none"}}, "here").model.streams["frame"].weights == "none"
    )
    message = refusal({**SMALL, "model": {"weights": 3}})
    assert "model: weights is pretrained, none, a file or a model folder, for every stream alike" in message


def test_the_models_weights_may_be_overridden(path):
    assert (
        load_recipe(path, ["model.weights=w=1.safetensors"]).model.streams["frame"].weights
        == "w=1.safetensors"
    )


@pytest.mark.parametrize(("given", "store"), [("none", None), ("null", None), ("flow/a", "flow/a")])
def test_no_store_is_said_by_a_word(path, given, store):
    found = load_recipe(path, [f"flow.store={given}"]).flow.store
    assert (None if found is None else str(found)) == store
    assert check_recipe({**SMALL, "flow": {"store": "none"}}, "here").flow.store is None


def test_tables_of_choices_have_every_choice():
    assert set(KNOWN_SETS) == set(get_args(DataSetName))
    assert set(MOTIONS) == set(get_args(MotionKind))
    assert set(FORMATS) == set(get_args(TableFormat))
    assert {"generated", "temporal", "joined", *REAL_SETS} == set(get_args(SuiteName))
    assert set(RULES) == set(get_args(DetectionProtocol))


FLOW = {"flow": {"backbone": "small"}}
POOLED = {
    "kind": "pooled", "classifier": "svm", "streams": {"frame": {"backbone": "small", "train_from": "none"}},
}  # fmt: skip
GIVEN = {"streams": {"features": {}}}
FROZEN = {"streams": {"frame": {"train_from": "none"}}}


@pytest.mark.parametrize(
    ("train", "values", "said"),
    [
        ({"randaugment": 31}, {}, "train.randaugment: Input should be less than or equal to 30 (given: 31)"),
        ({"colour_jitter": 1.5}, {}, "train.colour_jitter: Input should be less than or equal to 1"),
        ({"mixup": -1}, {}, "train.mixup: Input should be greater than or equal to 0"),
        ({"class_weights": "yes"}, {}, "train.class_weights: Input should be 'balanced'"),
        ({"early_stopping": 0}, {}, "train.early_stopping: Input should be greater than or equal to 1"),
        ({"early_stopping": 3}, {}, "train.early_stopping needs validation videos; give data.val or"),
        (
            {"class_weights": "balanced", "balanced_sampling": True},
            {},
            "train: class_weights and balanced_sampling both balance the classes; keep one",
        ),
        (
            {"mixup": 0.2, "batch_size": 6, "accumulate": 2},
            {},
            "mixup mixes a batch's videos two by two, and batch_size 6 in accumulate 2 × devices 1",
        ),
        (
            {"flip": False, "flip_pairs": {"a": "b"}},
            {},
            "flip_pairs says what mirror images show, and flip false",
        ),
        (
            {"flip_pairs": {"a": "b", "c": "b"}},
            {},
            "flip_pairs says that the mirror image of 'b' shows 'a', and that it shows 'c'; keep one",
        ),
        (
            {"flip_pairs": {"a": "b"}},
            {"model": GIVEN},
            "train.flip_pairs is of mirror images, and the features",
        ),
        (
            {"flip": True},
            {"model": FROZEN, "cache": {"folder": "kept", "mirrored": False}},
            "train.flip is true, and cache.mirrored false keeps no mirror images to teach from",
        ),
        (
            {"cutmix": 1},
            {"model": GIVEN},
            "train.cutmix exchanges parts of frames, and the features stream sees none",
        ),
        (
            {"randaugment": 9},
            {"model": FROZEN, "cache": {"folder": "kept"}},
            "train.randaugment changes pictures anew each time, and with cache.folder their features are "
            "computed once; leave it out (train.mixup and train.cutmix mix kept features)",
        ),
        (
            {"colour_jitter": 0.5},
            {"model": {"streams": FLOW}},
            "train.colour_jitter changes the pictures of frame and clip streams, and this recipe has flow",
        ),
        (
            {"epochs": None, "mixup": 0.5},
            {"model": POOLED},
            "train.mixup is for networks that learn in iterations, and kind pooled fits an SVM alone",
        ),
        (
            {"epochs": None, "strategy": "fsdp", "devices": 2, "batch_size": 4},
            {"model": POOLED},
            "train.strategy=fsdp shards what learns in iterations, and kind pooled fits an SVM alone",
        ),
    ],
)
def test_what_is_done_to_training_videos_fits_the_recipe(train, values, said):
    assert said in refusal({**SMALL, **values, "train": {**SMALL["train"], **train}})


def test_what_is_done_to_training_videos():
    train = {
        "flip_pairs": {"turn left": "turn right", "nod": "nod"}, "randaugment": 9, "colour_jitter": 0.4,
        "mixup": 0.2, "cutmix": 1, "balanced_sampling": True, "early_stopping": 5,
    }  # fmt: skip
    found = check_recipe(
        {"data": {"train": "a", "val_fraction": 0.1}, "train": {"epochs": 2, **train}}, "here"
    )
    assert found.train.model_dump(include=set(train)) == train


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"temporal": "gru"}, "model.temporal: Input should be 'lstm', 'encoder_decoder', 'attcell' or"),
        ({"kind": "san", "temporal": "attcell"}, "kind san has no use for temporal; leave it out"),
        ({"decoder_score": "dot"}, "temporal lstm has no use for decoder_score; leave it out"),
        (
            {"temporal": "attcell", "decoder_steps": "classes"},
            "temporal attcell has no use for decoder_steps; leave it out",
        ),
        (
            {"temporal": "self_attention", "lstm_bidirectional": True},
            "temporal self_attention has no use for lstm_bidirectional; leave it out",
        ),
        (
            {"temporal": "self_attention", "lstm_hidden": 6},
            "lstm_hidden is 6, and the 4 heads of temporal self_attention share it evenly; give a multiple",
        ),
    ],
)
def test_what_weights_the_segments_has_options_of_its_own(model, message):
    assert message in refusal({**SMALL, "model": model})
