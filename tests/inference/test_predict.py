"""One video through a model: every part of the prediction, by another way."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional

from attcell.data.datasets import PlannedViews
from attcell.errors import CallError, VideoError
from attcell.inference.model import Model
from attcell.inference.predict import predict_video
from attcell.inference.run import run_views
from attcell.models.build import build_network, input_spec
from attcell.nn import LateFusion, streams
from attcell.report.page.page import write_report
from attcell.types import Size, VideoRecord
from attcell.video.decode import read_frames
from attcell.video.sampling import ViewPlan, centre_frames
from attcell.video.transforms import FrameSpec, attended_area, resized_pictures
from tests.damage import damage
from tests.inference.views import centre_view
from tests.moving import moving_frames, write_frames
from tests.small_models import random_model, recipe_of
from tests.video.conftest import grey, write_video


def test_every_part_of_a_prediction(model, record):
    found = predict_video(model, record.path, num_segments=4)
    decoded = read_frames(record.path, lambda num: centre_frames(num, 4))
    spec = FrameSpec(size=32, short_side=36)
    with torch.inference_mode():
        out = model.network({"frame": centre_view(decoded.images, spec)[None]})
    np.testing.assert_allclose(found.scores, out.logits[0].softmax(-1), atol=1e-6)
    np.testing.assert_allclose(found.temporal_scores, out.temporal_scores[0], atol=1e-6)
    np.testing.assert_allclose(found.temporal_attention, out.temporal_attention[0], atol=1e-6)
    np.testing.assert_allclose(found.spatial_attention["frame"], out.spatial_attention["frame"][0], atol=1e-6)
    assert found.labels == model.labels
    assert found.segments_seconds.tolist() == pytest.approx(
        np.array([[0, 3], [3, 6], [6, 9], [9, 12]]) / 25, abs=1e-9
    )
    assert found.frame_seconds.tolist() == pytest.approx([1 / 25, 4 / 25, 7 / 25, 10 / 25])
    assert found.duration_seconds == pytest.approx(12 / 25)
    assert found.attended_area == attended_area(Size(48, 36), spec)
    assert found.notes == ()
    assert found.frames.shape == (4, 36, 48, 3)
    assert found.frames.dtype == np.uint8
    levels = found.frames.mean(axis=(1, 2, 3))
    assert levels == pytest.approx([grey(number) for number in (1, 4, 7, 10)], abs=3)


def test_the_evidence_of_each_class_adds_up_to_its_score(model, record):
    found = predict_video(model, record.path, num_segments=4)
    assert tuple(found.evidence) == found.labels
    logits = torch.tensor([of.score for of in found.evidence.values()])
    np.testing.assert_allclose(logits.softmax(-1), found.scores, atol=1e-6)
    of_class = found.evidence[found.labels[0]]
    assert of_class.regions["frame"].shape == found.spatial_attention["frame"].shape
    np.testing.assert_allclose(of_class.regions["frame"].sum(axis=(1, 2)), of_class.temporal, atol=1e-6)
    above = of_class.above_mean
    assert above.score == pytest.approx(of_class.score - float(logits.mean()), abs=1e-6)
    np.testing.assert_allclose(above.regions["frame"].sum(axis=(1, 2)), above.temporal, atol=1e-6)
    assert predict_video(model, record.path, pictures=False).evidence == {}


def test_attention_sums_to_one(model, record):
    found = predict_video(model, record.path)
    assert found.scores.sum() == pytest.approx(1, abs=1e-6)
    assert found.temporal_attention.sum() == pytest.approx(1, abs=1e-6)
    assert found.spatial_attention["frame"].sum(axis=(1, 2)) == pytest.approx(np.ones(3), abs=1e-6)
    assert found.temporal_attention.std() > 0


def test_t_is_the_recipes_unless_it_is_given(model, record):
    assert predict_video(model, record.path).temporal_attention.shape == (3,)
    assert predict_video(model, record.path, 30).temporal_attention.shape == (30,)
    with pytest.raises(CallError, match="segments is 0; give a whole number, at least 1"):
        predict_video(model, record.path, 0)


def test_the_backbone_takes_a_bounded_number_of_pictures(model, monkeypatch):
    pictures = torch.rand(7, 3, 32, 32)
    whole = run_views(model.network, {"frame": pictures[None]})[0]
    monkeypatch.setattr(streams, "BACKBONE_BATCH", 3)
    torch.testing.assert_close(run_views(model.network, {"frame": pictures[None]})[0].logits, whole.logits)


def test_pictures_are_made_small(model, tmp_path):
    path = write_video(tmp_path / "large.mp4", 3, size=(640, 200))
    found = predict_video(model, path)
    assert found.frames.shape == (3, 100, 320, 3)


def test_a_recipe_may_refuse_short_videos(folder, record):
    model = random_model(recipe_of(folder, segments={"short": "refuse"}))
    assert predict_video(model, record.path, 12).scores.shape == (3,)
    with pytest.raises(VideoError, match="the video has 12 frames, fewer than the 13 segments asked for"):
        predict_video(model, record.path, 13)


def test_damage_is_noted(model, tmp_path):
    path = damage(write_video(tmp_path / "bad.mp4", 20, options={"g": "5", "bf": "0", "sc_threshold": "0"}))
    (note,) = predict_video(model, path).notes
    assert note.endswith("of 20 frames decode; the rest is damaged or missing")


def test_a_refusal_names_the_video(folder, record):
    model = random_model(recipe_of(folder, segments={"short": "refuse"}))
    with pytest.raises(VideoError, match=record.path.name):
        predict_video(model, record.path, 13)


STREAMS = {
    "frame": {"backbone": "small", "weights": "none", "conv6_channels": 8},
    "flow": {"backbone": "small", "weights": "none", "conv6_channels": 6},
    "clip": {"backbone": "small3d", "weights": "none", "conv6_channels": 4},
}


@pytest.mark.parametrize("fusion", ["early", "late"])
def test_every_part_of_a_prediction_with_all_streams(tmp_path, fusion):
    """By the views of the test loop, and the network's own forward."""
    path = write_frames(tmp_path / "a.avi", moving_frames(12))
    model = random_model(
        recipe_of(
            tmp_path, model={"streams": STREAMS, "fusion": fusion}, flow={"fields": 3}, clip={"frames": 5}
        )
    )
    if isinstance(model.network, LateFusion):
        model.network.set_weights(torch.tensor([0.5, 0.2, 0.3]))
    found = predict_video(model, path)
    spec = input_spec(model.recipe)
    views = PlannedViews([VideoRecord("a.avi", path, (0,))], spec, ViewPlan(3))[0]
    assert {name: tuple(view.shape) for name, view in views.inputs.items()} == {
        "frame": (1, 3, 3, 32, 32), "flow": (1, 3, 6, 32, 32), "clip": (1, 3, 3, 5, 32, 32),
    }  # fmt: skip
    with torch.inference_mode():
        out = model.network(views.inputs)
    np.testing.assert_allclose(found.scores, out.logits[0].softmax(-1), atol=1e-6)
    np.testing.assert_allclose(found.temporal_scores, out.temporal_scores[0], atol=1e-6)
    np.testing.assert_allclose(found.temporal_attention, out.temporal_attention[0], atol=1e-6)
    assert list(found.spatial_attention) == list(STREAMS)
    for name, maps in found.spatial_attention.items():
        np.testing.assert_allclose(maps, out.spatial_attention[name][0], atol=1e-6)
    assert list(found.temporal_attention_by_stream) == (list(STREAMS) if fusion == "late" else [])
    for name, weights in found.temporal_attention_by_stream.items():
        np.testing.assert_allclose(weights, out.temporal_attention_by_stream[name][0], atol=1e-6)
    assert found.stream_weights == pytest.approx(
        {"frame": 0.5, "flow": 0.2, "clip": 0.3} if fusion == "late" else {}
    )
    assert found.flow.shape == (3, 2, 36, 48)
    assert found.flow.mean(axis=(2, 3)) == pytest.approx(np.tile([1, -0.5], (3, 1)), abs=0.2)


def test_without_a_flow_stream_there_is_no_flow(model, record):
    assert predict_video(model, record.path).flow is None


def test_flow_to_look_at_is_made_small(tmp_path):
    path = write_frames(tmp_path / "a.avi", moving_frames(3, size=(400, 20)))
    flow = {"flow": {"backbone": "small", "weights": "none", "conv6_channels": 4}}
    model = random_model(recipe_of(tmp_path, model={"streams": flow}, flow={"fields": 1}))
    found = predict_video(model, path)
    assert found.flow.shape == (3, 2, 16, 320), "720 × 36, brought down"
    assert np.isfinite(found.flow).all()


@pytest.mark.real
def test_real_clips_through_real_weights(real_data):
    frame = {
        "backbone": "squeezenet",
        "weights": str(real_data / "squeezenet1_0_imagenet.safetensors"),
        "train_from": "none",
        "conv6_channels": 16,
    }
    recipe = recipe_of(real_data, model={"streams": {"frame": frame}}, input={"size": 224, "short_side": 256})
    torch.manual_seed(0)
    network = build_network(recipe, 10, load_weights=True)
    model = Model(network.eval(), tuple("abcdefghij"), recipe, {})
    paths = [sorted((real_data / "weizmann" / name).glob("*.avi"))[0] for name in ("jack", "walk")]
    found = [predict_video(model, path) for path in paths]
    for one in found:
        assert one.spatial_attention["frame"] == pytest.approx(np.full((3, 7, 7), 1 / 49), abs=1e-6)
        assert one.scores.sum() == pytest.approx(1, abs=1e-5)
    assert np.abs(found[0].scores - found[1].scores).max() > 1e-4


def test_without_pictures_it_says_the_same(model, record, tmp_path):
    plain, drawn = predict_video(model, record.path, pictures=False), predict_video(model, record.path)
    assert plain.to_dict() == drawn.to_dict()
    assert (plain.frames.shape, plain.flow) == ((0, 0, 0, 3), None)
    with pytest.raises(
        CallError, match=r"the prediction holds no pictures; predict again with pictures=True"
    ):
        write_report([plain], tmp_path / "report.html")


def test_pictures_are_resized_as_torchvision_does():
    images = torch.randint(0, 256, (3, 3, 40, 60), dtype=torch.uint8)
    for pictures in (images, images[0], images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)):
        for given in (pictures, pictures.float()):
            for height, width in ((20, 31), (57, 90), (40, 60)):
                expected = functional.resize(given, [height, width], antialias=True)
                assert torch.equal(resized_pictures(given, Size(width, height)), expected)


def test_a_prediction_without_a_page_imports_nothing_that_it_does_not_use(model, record, tmp_path):
    model.save_pretrained(tmp_path / "model")
    command = ["predict", str(record.path), "--model", str(tmp_path / "model")]
    unused = (
        "jinja2",
        "lightning",
        "matplotlib",
        "scipy",
        "sklearn",
        "timm",
        "torchvision",
        "huggingface_hub",
    )
    code = f"import sys\nfrom attcell.cli.app import app\napp({command}, standalone_mode=False)\n"
    code += f"print([name for name in {unused} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
