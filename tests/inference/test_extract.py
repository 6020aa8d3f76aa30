"""Feature maps of frozen backbones, computed once."""

from __future__ import annotations

import logging

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attcell.data.datasets import PlannedViews
from attcell.data.feature_store import FeatureStore
from attcell.errors import DataError
from attcell.inference.extract import extract_features, feature_store, filled_stores
from attcell.models.build import build_network
from attcell.models.weights import load_backbone_weights
from attcell.nn import Network, Stream, streams
from attcell.nn.streams import channel_figures, feature_maps
from attcell.types import VideoRecord
from attcell.video.decode import read_frames
from attcell.video.flow_source import FlowInput
from attcell.video.input_spec import InputSpec
from attcell.video.optical_flow import FlowSpec
from attcell.video.sampling import ViewPlan, centre_frames
from attcell.video.transforms import FrameSpec
from tests.inference.views import centre_view
from tests.small_models import FROZEN, LABELS, recipe_of

FRAMES = FrameSpec(size=32, short_side=36)
SPEC, PLAN, CPU = (
    InputSpec(("frame",), FRAMES),
    ViewPlan(2, num_positions=2, mirrored=True),
    torch.device("cpu"),
)


def network_of(folder, **streams: str) -> Network:
    """Untrained and frozen: stream → backbone."""
    torch.manual_seed(0)
    sections = {
        name: {"backbone": backbone, "weights": "none", "train_from": "none", "conv6_channels": 4}
        for name, backbone in streams.items()
    }
    model = {"streams": sections, "lstm_hidden": 4}
    recipe = recipe_of(folder, model=model, flow={"fields": 2}, clip={"frames": 4})
    return build_network(recipe, len(LABELS), load_weights=False)


@pytest.fixture
def network(folder) -> Network:
    return network_of(folder, frame="small")


@pytest.fixture
def stream(network) -> Stream:
    return network.stream("frame")


@pytest.mark.parametrize("most", [5, 1])
def test_a_bounded_number_of_pictures_at_a_time_changes_nothing(folder, stream, monkeypatch, most):
    clips = network_of(folder, clip="small3d").stream("clip")
    views = torch.randint(0, 256, (4, 3, 3, 8, 32, 32), dtype=torch.uint8)
    monkeypatch.setattr(streams, "BACKBONE_BATCH", most)
    for one, inputs, side in ((stream, views[:, :, :, 0], 2), (clips, views, 2)):
        maps = feature_maps(one, inputs, CPU)
        assert maps.shape == (4, 3, 128, side, side)
        with torch.inference_mode():
            torch.testing.assert_close(maps, one.feature_maps(inputs))


def test_the_store_depends_on_everything_that_the_maps_depend_on(tmp_path, stream):
    def fingerprint(spec=SPEC, plan=PLAN, name="frame"):
        return feature_store(tmp_path, name, stream, spec, plan).fingerprint

    found = [
        fingerprint(),
        fingerprint(spec=InputSpec(("frame",), FrameSpec(size=31, short_side=36))),
        fingerprint(plan=ViewPlan(3, num_positions=2, mirrored=True)),
        fingerprint(name="flow"),
        fingerprint(name="flow", spec=InputSpec(("flow",), FRAMES, FlowInput(fields=3))),
        fingerprint(name="flow", spec=InputSpec(("flow",), FRAMES, FlowInput(FlowSpec("paper")))),
        fingerprint(name="flow", spec=InputSpec(("flow",), FRAMES, FlowInput(FlowSpec(camera="median")))),
        fingerprint(name="clip"),
        fingerprint(name="clip", spec=InputSpec(("clip",), FRAMES, clip_frames=8)),
    ]
    stream.normalise = None
    found.append(fingerprint())
    stream.backbone.named_as_published.get_parameter("block1.1.bias").data[0] += 1
    found.append(fingerprint())
    assert len(set(found)) == len(found)


def test_frames_do_not_depend_on_what_other_streams_get(tmp_path, stream):
    others = InputSpec(("frame", "flow"), FRAMES, FlowInput(fields=3), clip_frames=8)
    stores = [feature_store(tmp_path, "frame", stream, spec, PLAN) for spec in (SPEC, others)]
    assert stores[0].fingerprint == stores[1].fingerprint


def test_only_what_is_missing_is_computed(tmp_path, network, record, folder, monkeypatch):
    records = [record, VideoRecord("run/0.mp4", folder / "run" / "0.mp4", (0,))]
    store = feature_store(tmp_path, "frame", network.stream("frame"), SPEC, PLAN)
    stores = {"frame": store}
    assert extract_features(stores, network, records[:1], SPEC, PLAN, workers=0) == {}
    assert [store.holds(one) for one in records] == [True, False]
    written: list[str] = []
    keep = FeatureStore.keep
    monkeypatch.setattr(FeatureStore, "keep", lambda *a: (written.append(a[2]), keep(*a)))
    assert extract_features(stores, network, records, SPEC, PLAN, workers=0) == {}
    assert written == ["run/0.mp4"]
    views = PlannedViews(records, SPEC, PLAN)[0].inputs["frame"]
    expected = feature_maps(network.stream("frame"), views, CPU)
    found, notes = store.read(record)
    assert torch.equal(found, expected.half())
    assert notes == ()


def test_a_further_stream_computes_its_own_maps_alone(tmp_path, folder, record, monkeypatch):
    network = network_of(folder, frame="small", flow="small", clip="small3d")
    spec = InputSpec(("frame", "flow", "clip"), FRAMES, FlowInput(fields=2), clip_frames=4)
    stores = {name: feature_store(tmp_path, name, network.stream(name), spec, PLAN) for name in spec.streams}
    frames = {"frame": stores["frame"]}
    extract_features(frames, network, [record], spec.only(["frame"]), PLAN, workers=0)
    written: list[str] = []
    keep = FeatureStore.keep
    monkeypatch.setattr(FeatureStore, "keep", lambda *a: (written.append(a[0].made_by["stream"]), keep(*a)))
    extract_features(stores, network, [record], spec, PLAN, workers=0)
    assert written == ["flow", "clip"]
    assert {name: store.read(record)[0].shape[:3] for name, store in stores.items()} == dict.fromkeys(
        spec.streams, (4, 2, 128)
    )


def test_what_cannot_be_read_is_named_and_the_rest_is_kept(tmp_path, network, record):
    (tmp_path / "empty.mp4").touch()
    records = [
        VideoRecord("none.mp4", tmp_path / "none.mp4", (0,)),
        VideoRecord("empty.mp4", tmp_path / "empty.mp4", (0,)),
        record,
    ]
    store = feature_store(tmp_path / "cache", "frame", network.stream("frame"), SPEC, PLAN)
    failed = extract_features({"frame": store}, network, records, SPEC, PLAN, workers=0)
    assert list(failed) == ["none.mp4", "empty.mp4"]
    assert "there is no such file" in failed["none.mp4"]
    assert "the file is empty" in failed["empty.mp4"]
    assert store.holds(record)


def test_a_video_that_may_not_be_read_is_counted(tmp_path, network, record):
    closed = VideoRecord("closed.mp4", tmp_path / "closed.mp4", (0,))
    closed.path.touch()
    store = feature_store(tmp_path / "cache", "frame", network.stream("frame"), SPEC, PLAN)
    name_of = store.name_of

    def refuses(path, frames):
        if path == closed.path:
            raise DataError(f"{path} cannot be read: Permission denied; check the path")
        return name_of(path, frames)

    store.name_of = refuses
    failed = extract_features({"frame": store}, network, [closed, record], SPEC, PLAN, workers=0)
    assert list(failed) == ["closed.mp4"]
    assert "closed.mp4: the file is empty" in failed["closed.mp4"]
    assert store.holds(record)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**31))
def test_channel_figures_are_mean_and_deviation(count, channels, seed):
    generator = torch.Generator().manual_seed(seed)
    maps = [torch.randn(2, 3, channels, 4, 4, generator=generator) * 5 + 100 for _ in range(count)]
    mean, deviation = channel_figures(iter(maps))
    rows = torch.stack(maps).double().movedim(3, 0).flatten(1)
    torch.testing.assert_close(mean, rows.mean(1).float())
    torch.testing.assert_close(deviation, rows.std(1, correction=0).float(), rtol=1e-4, atol=1e-4)


@pytest.mark.real
def test_features_of_real_clips_are_finite_and_differ(real_data):
    stream = network_of(real_data, frame="squeezenet").eval().stream("frame")
    load_backbone_weights(stream.backbone, str(real_data / "squeezenet1_0_imagenet.safetensors"))
    found = []
    for name in ("bend", "jack", "walk"):
        path = sorted((real_data / "weizmann" / name).glob("*.avi"))[0]
        images = read_frames(path, lambda num: centre_frames(num, 2)).images
        found.append(feature_maps(stream, centre_view(images, FrameSpec())[None], CPU)[0])
    assert all(one.shape == (2, 512, 7, 7) for one in found)
    assert all(bool(one.isfinite().all()) for one in found)
    figures = torch.stack([one.mean(dim=(0, 2, 3)) for one in found])
    assert float(figures.std(dim=0).mean()) > 0.01 * float(figures.mean())
    assert 0 < float(figures.mean()) < 100


def test_stores_of_an_older_format_are_told_of_once_and_not_read(tmp_path, folder, record, caplog):
    (tmp_path / "0123").mkdir()
    (tmp_path / "0123" / "made_by.json").write_text('{"stream": "frame"}')
    recipe = recipe_of(folder, model=FROZEN)
    network = build_network(recipe, len(LABELS), load_weights=False)
    attcell_logger = logging.getLogger("attcell")
    attcell_logger.addHandler(caplog.handler)
    try:
        for _ in range(2):
            stores, failed = filled_stores(tmp_path, recipe, network, [record], PLAN, CPU)
    finally:
        attcell_logger.removeHandler(caplog.handler)
    assert [one.getMessage() for one in caplog.records] == [
        f"{tmp_path} holds feature maps of an older attcell (0123), which are not read; what is "
        "needed is computed again. Delete these folders"
    ]
    assert failed == {}
    assert stores["frame"].holds(record)
