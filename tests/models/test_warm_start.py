"""A stream that begins as another model's, with its input made otherwise."""

from __future__ import annotations

import pytest

from attcell.errors import CallError, ModelError
from attcell.models.warm_start import other_inputs, refuse_other_split
from attcell.training.run import train
from tests.small_models import random_model, recipe_of

SMALL = {"weights": "none", "conv6_channels": 4}
STREAMS = {
    "frame": {"backbone": "small", **SMALL},
    "flow": {"backbone": "small", **SMALL},
    "clip": {"backbone": "small3d", **SMALL},
}


@pytest.fixture
def begun(tmp_path):
    model = random_model(recipe_of(tmp_path, model={"streams": STREAMS}, clip={"frames": 8}))
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def recipe(begun, key, **sections):
    streams = {name: {**stream, key: str(begun)} for name, stream in STREAMS.items()}
    return recipe_of(begun.parent, model={"streams": streams}, **{"clip": {"frames": 8}, **sections})


@pytest.mark.parametrize("key", ["init_from", "weights"])
def test_input_made_alike_is_not_spoken_of(begun, key):
    assert list(other_inputs(recipe(begun, key))) == []


@pytest.mark.parametrize("key", ["init_from", "weights"])
def test_each_stream_names_what_differs(begun, key):
    changed = recipe(begun, key, flow={"bound": 10.0, "deviation": 5.0}, clip={"frames": 16})
    flow, clip = other_inputs(changed)
    assert flow == (
        f"the flow stream begins as that of {begun}, which was trained with flow.bound 20.0 instead "
        "of 10.0, flow.deviation 10.0 instead of 5.0; it will see other numbers. Set them alike unless this "
        "is meant"
    )
    assert "clip.frames 8 instead of 16" in clip


def test_what_is_said_only_where_it_is_unusual_differs_too(begun):
    flow, clip = other_inputs(
        recipe(begun, "init_from", flow={"camera": "median"}, clip={"frames": 8, "stride": 2})
    )
    assert "trained with flow.camera keep instead of median;" in flow
    assert "trained with clip.stride 1 instead of 2;" in clip


@pytest.mark.parametrize("form", ["stack", "picture"])
def test_a_flow_picture_is_scaled_by_the_colours(tmp_path, form):
    flow, streams = {"fields": 1, "form": form, "deviation": 10.0}, {"flow": STREAMS["flow"]}
    model = random_model(recipe_of(tmp_path, model={"streams": streams}, flow=flow))
    model.save_pretrained(tmp_path / "model")
    changed = recipe_of(
        tmp_path,
        model={"streams": {"flow": {**STREAMS["flow"], "init_from": str(tmp_path / "model")}}},
        flow={**flow, "deviation": 5.0},
        input={"size": 30, "short_side": 36, "mean": [0.5, 0.5, 0.5]},
    )
    (said,) = other_inputs(changed)
    assert "trained with input.size 32 instead of 30, " in said
    assert ("input.mean" in said) is (form == "picture")
    assert ("flow.deviation" in said) is (form == "stack")


def test_of_a_frame_stream_only_the_colours_are_compared(tmp_path):
    model = random_model(recipe_of(tmp_path, model={"streams": {"frame": STREAMS["frame"]}}))
    model.save_pretrained(tmp_path / "model")
    streams = {name: {**stream, "weights": str(tmp_path / "model")} for name, stream in STREAMS.items()}
    other = {"size": 32, "short_side": 36, "mean": [0.5, 0.5, 0.5]}
    sections = {"model": {"streams": streams}, "clip": {"frames": 8}, "flow": {"bound": 10.0}}
    assert list(other_inputs(recipe_of(tmp_path, **sections))) == []
    frame, clip = other_inputs(recipe_of(tmp_path, **sections, input=other))
    assert "the frame stream" in frame
    assert "the clip stream" in clip
    assert "clip.frames" not in clip


def test_other_colours_concern_frames_and_clips(begun):
    changed = recipe(begun, "init_from", input={"size": 32, "short_side": 36, "mean": [0.5, 0.5, 0.5]})
    frame, clip = other_inputs(changed)
    assert all(
        "input.mean (0.485, 0.456, 0.406) instead of (0.5, 0.5, 0.5)" in line for line in (frame, clip)
    )


def test_a_damaged_description_is_named(begun):
    (begun / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json is not JSON"):
        list(other_inputs(recipe(begun, "init_from")))


def test_other_weights_have_no_recipe(tmp_path):
    assert list(other_inputs(recipe_of(tmp_path, model={"streams": STREAMS}))) == []


def test_training_says_so(folder, tmp_path, capsys):
    frame = {"frame": STREAMS["frame"]}
    train(recipe_of(folder, model={"streams": frame}, train={"iterations": 1}), tmp_path / "one")
    begun = {"frame": {**frame["frame"], "init_from": str(tmp_path / "one" / "model")}}
    other = {"size": 32, "short_side": 36, "mean": [0.5, 0.5, 0.5]}
    train(recipe_of(folder, model={"streams": begun}, input=other, train={"iterations": 1}), tmp_path / "two")
    assert "warning: the frame stream begins as that of" in capsys.readouterr().err


class TestVideosThatWereSeen:
    """What a model learnt from counts as far back as there are folders."""

    @pytest.fixture
    def of_set(self, tmp_path):
        """A recipe for one split of a data set whose frame stream begins with a folder, or with none."""

        def make(dataset, split=1, begins="none"):
            data = {"train": None, "dataset": dataset, "root": tmp_path, "split": split}
            streams = {"frame": {"backbone": "small", "conv6_channels": 4, "weights": str(begins)}}
            return recipe_of(tmp_path, data=data, model={"streams": streams})

        return make

    @pytest.fixture
    def saved(self, tmp_path, of_set):
        def save(name, *given):
            random_model(of_set(*given)).save_pretrained(tmp_path / name)
            return tmp_path / name

        return save

    def test_another_split_is_refused(self, of_set, saved):
        first = saved("first", "hmdb51", 1)
        refuse_other_split(of_set("hmdb51", 1, first))
        refuse_other_split(of_set("ucf101", 2, first))
        with pytest.raises(CallError) as caught:
            refuse_other_split(of_set("hmdb51", 2, first))
        assert str(caught.value) == (
            f"{first} was trained on split 1 of hmdb51, and this is split 2, some of whose test videos it "
            "has seen; give a model of the same split, split by split (--splits 1)"
        )

    def test_also_one_that_the_model_itself_began_with(self, of_set, saved):
        first = saved("first", "hmdb51", 1)
        between = saved("between", "ccv", 1, saved("second", "ucf101", 1, first))
        refuse_other_split(of_set("hmdb51", 1, between))
        with pytest.raises(CallError) as caught:
            refuse_other_split(of_set("hmdb51", 2, between))
        assert str(caught.value).startswith(
            f"{between} goes back to {first}, which was trained on split 1 of hmdb51, and this is split 2, "
        )

    def test_so_is_a_data_set_that_holds_the_other(self, of_set, saved):
        thumos = saved("thumos", "thumos14")
        refuse_other_split(of_set("thumos14", 1, saved("ucf", "ucf101", 3)))
        for split in (1, 3):
            with pytest.raises(CallError) as caught:
                refuse_other_split(of_set("ucf101", split, thumos))
        assert str(caught.value) == (
            f"{thumos} was trained on thumos14, whose training videos are also all of ucf101, those too that "
            "are tested here; begin with a model that has not seen them"
        )

    def test_what_lies_further_back_may_be_gone_or_damaged(self, of_set, saved):
        first = saved("first", "hmdb51", 1)
        second = saved("second", "ccv", 1, first)
        (first / "config.json").write_text("{")
        refuse_other_split(of_set("hmdb51", 2, second))
        with pytest.raises(ModelError, match="is not JSON"):
            refuse_other_split(of_set("hmdb51", 2, first))
