"""A model on a video sample by sample is the network on all samples at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attcell.data.listing import Listing
from attcell.errors import CallError, DataError, ModelError, VideoError
from attcell.inference import streaming
from attcell.inference.detect import detect_video, follow_video
from attcell.inference.detection_rules import RuleChoice, find
from attcell.inference.extract_flow import Layout, extract_flow
from attcell.inference.predict import predict_video
from attcell.inference.run import run_views
from attcell.inference.streaming import SAMPLES_AT_ONCE, RowsOnDisk
from attcell.models.build import input_spec
from attcell.nn.whole_video import Growing
from attcell.types import VideoRecord
from attcell.video.inputs import read_sampled_frames, resize_frames
from attcell.video.optical_flow import FlowSpec
from attcell.video.readers import Origin
from attcell.video.transforms import centre_crop, centre_size
from tests.moving import moving_frames, write_frames, write_pictures
from tests.small_models import random_model, recipe_of

STREAMS = {
    name: {"backbone": "small3d" if name == "clip" else "small", "weights": "none", "conv6_channels": 8}
    for name in ("frame", "flow", "clip")
}
MOTION = {"flow": {"method": "fast", "fields": 2}, "clip": {"frames": 8}}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_frames(tmp_path_factory.mktemp("long") / "a.avi", moving_frames(101))


def at_once(model, path, every):
    """All samples through the network in one call."""
    spec = input_spec(model.recipe).computing_flow()
    sampled_frames, _ = read_sampled_frames(path, spec, lambda num: np.arange(0, num, every))
    size = centre_size(sampled_frames.size, spec.frame)
    resized_frames = resize_frames(sampled_frames, spec, size, spec.readers(Origin()))
    view = resized_frames.view(centre_crop(size, spec.frame))
    return run_views(model.network, {name: of[None] for name, of in view.items()})[0]


@pytest.mark.parametrize(
    ("streams", "fusion"),
    [(("frame",), "early"), (("frame", "flow", "clip"), "early"), (("frame", "flow"), "late")],
)
def test_the_track_is_the_network_at_once(folder, video, streams, fusion):
    chosen = {name: STREAMS[name] for name in streams}
    recipe = recipe_of(
        folder, model={"streams": chosen, "fusion": fusion if len(streams) > 1 else "early"}, **MOTION
    )
    model = random_model(recipe)
    found, out = follow_video(model, video, every=3), at_once(model, video, 3)
    track = found.track
    assert track is not None
    assert len(track.seconds) == 34 > SAMPLES_AT_ONCE
    np.testing.assert_allclose(track.temporal_scores, out.temporal_scores[0], atol=1e-4)
    np.testing.assert_allclose(found.scores, out.logits[0].softmax(-1), atol=1e-5)
    for name in streams:
        np.testing.assert_allclose(track.spatial_attention[name], out.spatial_attention[name][0], atol=1e-3)
    assert track.class_scores.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (found.flow is not None) == ("flow" in streams)


def test_times_and_the_few_segments_that_are_shown(model, video):
    found = follow_video(model, video, every=2)
    track = found.track
    assert track is not None
    np.testing.assert_allclose(track.seconds[:, 0], np.arange(0, 101, 2) / 25)
    np.testing.assert_allclose(track.seconds[:, 1], [*np.arange(2, 101, 2) / 25, 101 / 25])
    assert 12 <= len(found.frames) <= 24
    np.testing.assert_allclose(found.segments_seconds[1:, 0], found.segments_seconds[:-1, 1])
    assert found.segments_seconds[0, 0] == 0
    assert found.segments_seconds[-1, 1] == pytest.approx(found.duration_seconds)
    assert found.temporal_attention.sum() == pytest.approx(1)
    inside = (found.frame_seconds >= found.segments_seconds[:, 0]) & (
        found.frame_seconds < found.segments_seconds[:, 1]
    )
    assert inside.all()


def test_a_video_of_one_frame_is_what_predict_says(model, tmp_path):
    video = write_frames(tmp_path / "a.avi", moving_frames(1))
    found, plain = follow_video(model, video), predict_video(model, video, 1)
    assert (found.labels, found.attended_area) == (plain.labels, plain.attended_area)
    assert found.duration_seconds == plain.duration_seconds
    for name in ("scores", "frames", "segments_seconds", "frame_seconds", "temporal_attention"):
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), atol=1e-5)
    attention = found.spatial_attention["frame"], plain.spatial_attention["frame"]
    np.testing.assert_allclose(*attention, atol=1e-3)  # kept in 16 bits


def test_a_folder_of_frames(model, tmp_path):
    folder = write_pictures(tmp_path / "frames", moving_frames(20))
    found = follow_video(model, folder, every=5)
    assert found.track is not None
    assert len(found.track.seconds) == 4


def test_progress_tells_frames(model, video):
    told: list[int] = []
    follow_video(model, video, every=5, progress=told.append)
    assert told == [76, 101]


def test_what_cannot_be_watched_is_told(model, video, folder, tmp_path):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(VideoError, match="the file is empty"):
        detect_video(model, tmp_path / "empty.mp4", RuleChoice())
    with pytest.raises(CallError, match="rule paper needs a segment classifier, and this model has none"):
        detect_video(model, video, RuleChoice("paper"))
    for parameter in model.network.classifier.parameters():
        parameter.data.fill_(torch.nan)
    with pytest.raises(ModelError, match="the network's scores are not finite numbers"):
        detect_video(model, video, RuleChoice())


TEMPORAL = {
    "backwards": {"lstm_bidirectional": True},
    "attcell": {"temporal": "attcell"},
    "self-attention": {"temporal": "self_attention"},
    "decoder": {"temporal": "encoder_decoder", "lstm_bidirectional": True},
    "of classes": {"temporal": "encoder_decoder", "decoder_steps": "classes", "decoder_score": "dot"},
}


@pytest.mark.parametrize("form", TEMPORAL)
def test_the_track_is_the_network_at_once_whatever_weights_segments(folder, video, form):
    model = random_model(recipe_of(folder, model=TEMPORAL[form]))
    found, out = follow_video(model, video, every=2), at_once(model, video, 2)
    track = found.track
    assert track is not None
    np.testing.assert_allclose(track.temporal_scores, out.temporal_scores[0], atol=1e-4)
    np.testing.assert_allclose(track.temporal_attention, out.temporal_attention[0], atol=1e-4)
    np.testing.assert_allclose(found.scores, out.logits[0].softmax(-1), atol=1e-5)
    assert (track.temporal_scores_by_class is not None) == (form == "of classes")
    for label in range(3):
        k = out.temporal_scores[0] if form != "of classes" else out.temporal_scores_by_class[0, label]
        np.testing.assert_allclose(track.scores_of(label), k, atol=1e-4)
    assert detect_video(model, video, RuleChoice(threshold=0.05), 2).detections


def test_each_class_is_found_by_its_own_attention(folder, video):
    model = random_model(recipe_of(folder, model=TEMPORAL["of classes"]))
    found = detect_video(model, video, RuleChoice(threshold=0.2), 2)
    track = found.track
    assert track is not None
    for place, label in enumerate(model.labels):
        alone = replace(track, temporal_scores=track.scores_of(place), temporal_scores_by_class=None)
        expected = find(replace(found, track=alone), RuleChoice(threshold=0.2), None)
        assert [one for one in found.detections or () if one.label == label] == [
            one for one in expected if one.label == label
        ]


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    shape=st.sampled_from([(), (3,), (2, 2)]),
    kind=st.sampled_from(["float32", "float64"]),
)
def test_rows_on_disk_are_rows_in_memory(sizes, shape, kind):
    on_disk, in_memory = RowsOnDisk(), Growing()
    for first, size in enumerate(sizes):
        rows = (np.arange(size * int(np.prod(shape))) + 100 * first).reshape(size, *shape).astype(kind)
        on_disk.add(rows)
        in_memory.add(rows)
    num = sum(sizes)
    assert len(on_disk) == len(in_memory) == num
    for start in range(num):
        found = on_disk.part(start, num)
        assert found.dtype == kind
        np.testing.assert_array_equal(found, in_memory.part(start, num))
        np.testing.assert_array_equal(on_disk.part(start, start + 1), in_memory.part(start, start + 1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's")
def test_a_full_disk_is_told(monkeypatch):
    full = Path("/dev/full")
    monkeypatch.setattr(streaming, "TemporaryFile", lambda **_: full.open("r+b", buffering=0))
    with pytest.raises(DataError, match=r"takes no more \(No space left on device\): this model weights"):
        RowsOnDisk().add(np.ones((2, 3)))


def test_the_default_does_not_depend_on_the_bias_of_attcell(model, video):
    before = detect_video(model, video, RuleChoice(threshold=0.15), 2)
    model.network.temporal.attention.score.bias.data -= 3
    after = detect_video(model, video, RuleChoice(threshold=0.15), 2)
    assert before.detections
    assert after.detections is not None
    for one, other in zip(before.detections, after.detections, strict=True):
        assert replace(one, score=0.0) == replace(other, score=0.0)
        assert one.score == pytest.approx(other.score, rel=1e-3)


def test_flow_is_taken_from_the_store_where_that_is_asked(folder, video, tmp_path):
    chosen = {name: STREAMS[name] for name in ("frame", "flow")}
    store = tmp_path / "flow"
    motion = {"flow": {"method": "dis", "fields": 2, "store": str(store)}}
    model = random_model(recipe_of(folder, model={"streams": chosen}, **motion))
    with pytest.raises(VideoError, match="holds no flow of"):
        follow_video(model, video, stored_flow=True)
    listing = Listing((VideoRecord(video.name, video, (0,)),), ("one",))
    extract_flow(listing, store, FlowSpec("dis", 20.0, 1000), layout=Layout(frames=False))
    stored, computed = follow_video(model, video, stored_flow=True), follow_video(model, video)
    assert stored.track is not None
    assert computed.track is not None
    np.testing.assert_allclose(stored.scores, computed.scores, atol=0.05)  # flow of resized frames, and JPEG
    assert not np.array_equal(stored.track.temporal_scores, computed.track.temporal_scores)
