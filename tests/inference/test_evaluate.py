"""Testing a model: scores of every video, figures that count those that cannot be read."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from attcell.config.beside import PublishedSection
from attcell.data.listing import Listing
from attcell.data.sources import read_source
from attcell.errors import CallError, DataError, ModelError
from attcell.inference.evaluate import Evaluation, evaluate_model, evaluation_of, listing_of
from attcell.inference.predict import predict_video
from attcell.metrics.recognition import top_k_accuracy
from attcell.synth.write import write_mp4
from attcell.types import VideoRecord
from attcell.video.decode import read_frames
from attcell.video.transforms import FrameSpec
from tests.damage import damage
from tests.inference.views import ten_views
from tests.small_models import FROZEN, LABELS, random_model, recipe_of
from tests.video.conftest import write_video

CPU = torch.device("cpu")
SPEC = FrameSpec(size=24, short_side=36)


@pytest.fixture
def mixed(folder, tmp_path) -> Listing:
    """Three whole videos, a damaged one, an empty one and one that is not there."""
    shutil.copytree(folder, tmp_path / "mixed")
    listed = tmp_path / "mixed" / "list.txt"
    options = {"g": "5", "bf": "0", "sc_threshold": "0"}
    damage(write_video(tmp_path / "mixed" / "bad.mp4", 20, options=options))
    (tmp_path / "mixed" / "empty.mp4").touch()
    listed.write_text("run/0.mp4 0\nsit/1.mp4 1\nempty.mp4 1\nwave/0.mp4 2\nbad.mp4 0\nnone.mp4 2\n")
    return read_source(listed, labels=LABELS)


def test_scores_are_the_predictions_and_unread_videos_are_counted(model, mixed):
    found = evaluate_model(model, mixed)
    assert found.labels == LABELS
    assert [record.id for record in found.records] == [record.id for record in mixed.records]
    assert found.scores.shape == (6, 3)
    for record, row in zip(found.records, found.scores, strict=True):
        if record.id in ("empty.mp4", "none.mp4"):
            assert np.isnan(row).all()
        else:
            np.testing.assert_allclose(row, predict_video(model, record.path).scores, atol=1e-6)
    assert list(found.unread) == ["empty.mp4", "none.mp4"]
    assert "the file is empty" in found.unread["empty.mp4"]
    assert "there is no such file" in found.unread["none.mp4"]
    (note,) = found.notes
    assert note.startswith("bad.mp4: ")
    assert found.protocol == {
        "videos": 6,
        "unread": 2,
        "network": "STAN",
        "streams": "frame",
        "segments": 3,
        "crops": 1,
        "short_videos": "repeat",
        "resize": "short 36",
        "size": 32,
        "scores": "softmax, averaged over crops",
    }
    assert "top5" not in found.figures(), "of three classes it would say nothing"
    assert found.confusion().sum() == 4


def test_videos_that_are_predicted_already_are_not_tested_again(model, folder):
    listing = read_source(folder, labels=LABELS)
    expected = evaluate_model(model, listing)
    predictions = [predict_video(model, record.path) for record in reversed(listing.records)]
    found = evaluation_of(model, listing, predictions)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    assert (found.labels, found.records, found.protocol, found.run) == (
        expected.labels, expected.records, expected.protocol, expected.run,
    )  # fmt: skip
    assert found.figures() == expected.figures()


def test_what_is_written_gives_the_figures(model, mixed, tmp_path):
    found = evaluate_model(model, mixed, num_segments=5)
    found.write_scores(tmp_path / "out" / "scores.json")
    content = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert content["figures"] == found.figures()
    assert content["protocol"]["segments"] == 5
    assert content["unread"] == found.unread
    assert content["notes"] == list(found.notes)
    assert len(content["videos"]) + len(content["unread"]) == content["protocol"]["videos"]
    scores = np.array([video["scores"] for video in content["videos"].values()])
    labels = np.array([content["labels"].index(video["label"]) for video in content["videos"].values()])
    right = top_k_accuracy(scores, labels, 1) * len(scores)
    assert content["figures"]["top1"] == pytest.approx(100 * right / content["protocol"]["videos"])


def test_ten_crops_of_a_squashed_frame_are_refused(folder):
    model = random_model(recipe_of(folder, input={"size": 32, "short_side": 32, "resize": "squash"}))
    with pytest.raises(CallError, match=r"this model sees the whole frame \(squashed, short_side 32"):
        evaluate_model(model, Listing((), LABELS), num_crops=10)


def test_ten_crops_are_averaged(folder, tmp_path):
    model = random_model(recipe_of(folder, input={"size": 24, "short_side": 36}))
    frames = np.zeros((6, 36, 48, 3), dtype=np.uint8)
    frames[:, 4:20, 2:20] = (250, 40, 90)
    write_mp4(tmp_path / "a.mp4", frames)
    listing = Listing((VideoRecord("a.mp4", tmp_path / "a.mp4", (0,)),), LABELS)
    one = evaluate_model(model, listing)
    ten = evaluate_model(model, listing, num_crops=10)
    assert ten.protocol["crops"] == 10
    views = ten_views(list(read_frames(tmp_path / "a.mp4", lambda _: np.array([1, 3, 5])).images), SPEC)
    with torch.inference_mode():
        expected = model.network({"frame": views}).logits.softmax(-1)
    np.testing.assert_allclose(ten.scores[0], expected.mean(0), atol=1e-6)
    np.testing.assert_allclose(one.scores[0], expected[4], atol=1e-6)
    assert float(expected.std(0).max()) > 1e-4
    assert ten.scores.sum() == pytest.approx(1, abs=1e-6)


def test_crops_in_a_mirror_follow_what_training_did(folder, tmp_path, caplog):
    frames = np.zeros((6, 36, 48, 3), dtype=np.uint8)
    frames[:, 4:20, 2:20] = (250, 40, 90)
    write_mp4(tmp_path / "a.mp4", frames)
    listing = Listing((VideoRecord("a.mp4", tmp_path / "a.mp4", (0,)),), LABELS)
    caplog.set_level("INFO", logger="attcell")

    def tested(**section):
        model = random_model(recipe_of(folder, input={"size": 24, "short_side": 36}, train=section))
        views = ten_views(list(read_frames(tmp_path / "a.mp4", lambda _: np.array([1, 3, 5])).images), SPEC)
        with torch.inference_mode():
            each = model.network({"frame": views}).logits.softmax(-1)
        return evaluate_model(model, listing, num_crops=10), each

    none, each = tested(flip=False)
    np.testing.assert_allclose(none.scores[0], each[:5].mean(0), atol=1e-6)
    assert none.protocol["crops"] == 5
    assert "5 crops, not 10: this model learnt from no mirror images" in caplog.text
    exchanged, each = tested(flip_pairs={"run": "wave"})
    expected = (each[:5].sum(0) + each[5:, [2, 1, 0]].sum(0)) / 10
    np.testing.assert_allclose(exchanged.scores[0], expected, atol=1e-6)
    assert (exchanged.protocol["crops"], exchanged.protocol["mirrored_crops"]) == (
        10,
        "run and wave exchanged",
    )


def test_kept_features_give_the_same_scores_and_count_the_same_videos(folder, mixed, tmp_path):
    model = random_model(recipe_of(folder, model=FROZEN))
    plain = evaluate_model(model, mixed)
    for _ in range(2):
        kept = evaluate_model(model, mixed, cache_folder=tmp_path / "cache")
        np.testing.assert_allclose(kept.scores, plain.scores, atol=2e-3)
        assert kept.unread == plain.unread
        assert kept.notes == plain.notes
        assert kept.protocol == plain.protocol


def test_a_trained_backbones_features_are_not_kept(model, mixed, tmp_path):
    with pytest.raises(
        CallError, match=r"this model's backbone was trained \(frame\): its features serve no other"
    ):
        evaluate_model(model, mixed, cache_folder=tmp_path / "cache")


def test_no_segments_are_refused(model, mixed):
    with pytest.raises(CallError, match="segments is 0; give a whole number, at least 1"):
        evaluate_model(model, mixed, num_segments=0)


@pytest.mark.parametrize(("crops", "said"), [(3, "3"), (True, "True"), ("10", "'10'")])
def test_other_crops_than_one_or_ten_are_refused(model, mixed, crops, said):
    with pytest.raises(CallError, match=f"num_crops is {said}; allowed: 1 or 10"):
        evaluate_model(model, mixed, num_crops=crops)


def test_scores_that_are_no_numbers_are_an_error_and_no_unread_video(model, mixed):
    with torch.no_grad():
        model.network.classifier.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="scores are not finite numbers"):
        evaluate_model(model, mixed)


def test_top5_is_given_for_six_classes():
    scores = np.eye(6)[[0, 1]] + np.arange(6) / 10
    records = tuple(VideoRecord(str(label), Path("x"), (label,)) for label in (0, 0))
    found = Evaluation(tuple("abcdef"), records, scores, {}, (), {})
    assert found.figures() == pytest.approx({"top1": 50.0, "top5": 50.0, "mean_class_accuracy": 50.0})


def test_figures_of_known_scores():
    records = tuple(VideoRecord(str(number), Path("x"), (label,)) for number, label in enumerate([0, 0, 1]))
    scores = np.array([[0.8, 0.2], [0.3, 0.7], [np.nan, np.nan]])
    found = Evaluation(("a", "b"), records, scores, {"2": "bad"}, (), {"videos": 3})
    assert found.figures() == pytest.approx({"top1": 100 / 3, "mean_class_accuracy": 25.0})
    assert found.confusion().tolist() == [[1, 1], [0, 0]]


def test_figures_of_videos_of_several_classes_or_none():
    """AP of a: 1 (its video is first); of b: (1/1 + 2/3) / 2; c has none and does not count."""
    labels = [(0, 1), (1,), (), ()]
    records = tuple(VideoRecord(str(number), Path("x"), own) for number, own in enumerate(labels))
    scores = np.array([[0.9, 0.8, 0.1], [0.2, 0.3, 0.2], [0.1, 0.5, 0.9], [np.nan] * 3])
    found = Evaluation(("a", "b", "c"), records, scores, {"3": "bad"}, (), {}, multi_label=True)
    assert found.figures() == pytest.approx({"mAP": 100 * (1 + 5 / 6) / 2})
    assert found.confusion() is None
    each_has_one = Evaluation(("a", "b", "c"), records[:2], scores[:2], {}, (), {}, multi_label=True)
    assert each_has_one.figures() == pytest.approx({"mAP": 100.0, "top1": 100.0})


def test_scores_of_several_classes_are_written_with_the_run(tmp_path):
    records = tuple(VideoRecord(str(number), Path("x"), own) for number, own in enumerate([(0, 1), ()]))
    run = {"name": "mine", "dataset": "ccv", "split": 1, "seed": 3}
    published = (PublishedSection(figure="mAP", value=None, source="a paper", row="a row"),)
    found = Evaluation(
        ("a", "b"), records, np.eye(2), {}, (), {}, {}, run, multi_label=True, published=published
    )
    found.write_scores(tmp_path / "scores.json")
    content = json.loads((tmp_path / "scores.json").read_text())
    assert content["run"] == run
    assert content["published"] == [{"figure": "mAP", "value": None, "source": "a paper", "row": "a row"}]
    assert [of["labels"] for of in content["videos"].values()] == [["a", "b"], []]


def test_a_class_of_which_a_paper_has_a_number_gets_one_too():
    records = tuple(VideoRecord(str(number), Path("x"), (number // 2,)) for number in range(4))
    scores = np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [np.nan] * 2])
    published = tuple(
        PublishedSection(figure=f"top1_of_{name}", value=59.4, source="a paper", row="a row")
        for name in ("Lunges", "Nunchucks", "Rowing")
    )
    found = Evaluation(("Lunges", "Nunchucks"), records, scores, {}, (), {}, published=published)
    of_classes = {name: value for name, value in found.figures().items() if "_of_" in name}
    assert of_classes == {"top1_of_Lunges": 50.0, "top1_of_Nunchucks": 50.0}
    assert not any("_of_" in name for name in replace(found, multi_label=True).figures())


class TestListings:
    def test_the_splits_of_the_models_recipe(self, folder, tmp_path):
        model = random_model(recipe_of(folder, data={"val": folder, "test": tmp_path / "none"}))
        assert len(listing_of(model, "train").records) == len(listing_of(model, "val").records) == 6
        with pytest.raises(CallError, match=r"none: no such file or folder"):
            listing_of(model, "test")

    @pytest.mark.parametrize("split", ["val", "test"])
    def test_a_split_that_the_recipe_does_not_name(self, model, split):
        message = f"the model's recipe names no {split} videos; name a source with --data"
        with pytest.raises(CallError, match=message):
            listing_of(model, split)

    @pytest.mark.parametrize(("split", "said"), [("dev", "'dev'"), (None, "None")])
    def test_an_unknown_split(self, model, split, said):
        with pytest.raises(CallError, match=f"split is {said}; allowed: train, val, test"):
            listing_of(model, split)

    def test_held_out_videos_are_the_validation_videos_and_no_training_videos(self, folder):
        model = random_model(recipe_of(folder, data={"val_fraction": 0.5}))
        train, val = listing_of(model, "train"), listing_of(model, "val")
        assert len(train.records) == len(val.records) == 3
        assert not {record.id for record in train.records} & {record.id for record in val.records}
        assert train.labels == val.labels == LABELS

    def test_the_classes_are_the_models_even_if_the_folder_has_changed(self, folder, tmp_path):
        shutil.copytree(folder, tmp_path / "data")
        model = random_model(recipe_of(tmp_path / "data", data={"val_fraction": 0.5}))
        shutil.copytree(tmp_path / "data" / "run", tmp_path / "data" / "jump")
        with pytest.raises(DataError, match=r"unknown class folders: 'jump'. Known classes: run, sit, wave"):
            listing_of(model, "val")
        shutil.rmtree(tmp_path / "data" / "jump")
        shutil.rmtree(tmp_path / "data" / "run")
        found = listing_of(model, "val")
        assert {record.label for record in found.records} == {1, 2}
        assert found.labels == LABELS

    def test_another_source(self, model, folder, tmp_path):
        listed = tmp_path / "list.txt"
        listed.write_text("wave/0.mp4 2\n")
        (record,) = listing_of(model, "test", listed, folder).records
        assert (record.path, record.label) == (folder / "wave" / "0.mp4", 2)
        listed.write_text("wave/0.mp4 2\nwave/1.mp4 3\n")
        with pytest.raises(DataError, match=r"list.txt:2: label 3 is too high, 3 classes count from 0 to 2"):
            listing_of(model, "test", listed, folder)


def test_the_protocol_says_how_motion_is_made(tmp_path):
    streams = {
        "flow": {"backbone": "small", "weights": "none", "conv6_channels": 4},
        "clip": {"backbone": "small3d", "weights": "none", "conv6_channels": 4},
    }
    recipe = recipe_of(tmp_path, model={"streams": streams}, flow={"bound": 15.0}, clip={"frames": 8})
    nothing = Listing((VideoRecord(path=tmp_path / "no.mp4", labels=(0,), id="no.mp4"),), LABELS)
    found = evaluate_model(random_model(recipe), nothing).protocol
    assert found["flow"] == "fast computed from the resized frames, 10 fields, bound 15"
    assert found["clip_frames"] == "8"
    stored = recipe.model_copy(update={"flow": recipe.flow.model_copy(update={"store": tmp_path})})
    found = evaluate_model(random_model(stored), nothing).protocol
    assert found["flow"] == "fast from a store, 10 fields, bound 15"


class TestGroups:
    @pytest.fixture
    def tested(self, folder, tmp_path):
        """A folder with one video of a training group, and one that is not."""
        for label, name in (("run", "0.mp4"), ("wave", "5.mp4")):
            (tmp_path / "test" / label).mkdir(parents=True)
            shutil.copy(folder / label / "0.mp4", tmp_path / "test" / label / name)
        return tmp_path / "test"

    def test_those_that_are_in_training_too_are_noted(self, folder, tested):
        data = {"test": tested, "groups": r"([0-9])\.mp4"}
        found = random_model(recipe_of(folder, data=data)).evaluate()
        assert found.notes == (
            "1 of 2 test videos are of groups that are in training too (0), so that they say little of new "
            "groups; part whole groups",
        )
        assert random_model(recipe_of(folder, data=data)).evaluate(tested).notes == ()
        data["groups"] = r"([a-z]+/[0-9])\.mp4"
        assert "(run/0)" in random_model(recipe_of(folder, data=data)).evaluate().notes[0]

    def test_a_test_where_the_training_videos_are_not(self, tested, tmp_path):
        data = {"train": tmp_path / "gone", "test": tested, "groups": r"([0-9])\.mp4"}
        (note,) = random_model(recipe_of(tmp_path, data=data)).evaluate().notes
        assert note.startswith("whether groups of the test videos are in training too is not known: ")


def test_tested_videos_that_are_in_training_too_are_noted(folder):
    data = {"test": folder, "val": folder}
    model = random_model(recipe_of(folder, data=data))
    for split in ("test", "val"):
        (note,) = model.evaluate(split=split).notes
        assert note.startswith(f"6 videos are in both data.train and data.{split}, first {folder}")
        assert note.endswith("; the metrics repeat what was learnt")
    assert model.evaluate(split="train").notes == ()
