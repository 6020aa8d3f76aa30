"""Feature maps of frozen backbones, computed once."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attcell.data.dataset import PlannedViews, ViewPlan
from attcell.data.feature_store import FeatureStore
from attcell.engine import extract
from attcell.engine.extract import channel_figures, extract_features, feature_maps, feature_store
from attcell.engine.weights import load_backbone_weights
from attcell.nn import Backbone, build_backbone
from attcell.records import VideoRecord
from attcell.video.decode import read_frames
from attcell.video.segments import centre_frames
from attcell.video.views import FrameSpec, centre_view

SPEC, PLAN, CPU = (
    FrameSpec(size=32, short_side=36),
    ViewPlan(2, num_positions=2, mirrored=True),
    torch.device("cpu"),
)


@pytest.fixture
def backbone() -> Backbone:
    torch.manual_seed(0)
    return build_backbone("small").eval()


def test_a_bounded_number_of_pictures_at_a_time_changes_nothing(backbone, monkeypatch):
    views = torch.rand(4, 3, 3, 32, 32)
    monkeypatch.setattr(extract, "BACKBONE_BATCH", 5)
    maps = feature_maps(backbone, views, CPU)
    assert maps.shape == (4, 3, 128, 2, 2)
    with torch.inference_mode():
        torch.testing.assert_close(maps, backbone(views.flatten(0, 1)).unflatten(0, (4, 3)))


def test_the_store_depends_on_everything_that_the_maps_depend_on(tmp_path, backbone):
    stores = [
        feature_store(tmp_path, backbone, SPEC, PLAN),
        feature_store(tmp_path, backbone, FrameSpec(size=31, short_side=36), PLAN),
        feature_store(tmp_path, backbone, SPEC, ViewPlan(3, num_positions=2, mirrored=True)),
    ]
    backbone.named_as_published.get_parameter("block1.1.bias").data[0] += 1
    stores.append(feature_store(tmp_path, backbone, SPEC, PLAN))
    assert len({store.fingerprint for store in stores}) == 4


def test_only_what_is_missing_is_computed(tmp_path, backbone, record, folder, monkeypatch):
    records = [record, VideoRecord("run/0.mp4", folder / "run" / "0.mp4", 0)]
    store = feature_store(tmp_path, backbone, SPEC, PLAN)
    assert extract_features(store, backbone, records[:1], SPEC, PLAN, workers=0, device=CPU) == {}
    assert [store.holds(one) for one in records] == [True, False]
    written: list[str] = []
    write = FeatureStore.write
    monkeypatch.setattr(FeatureStore, "write", lambda *a: (written.append(a[1].id), write(*a)))
    assert extract_features(store, backbone, records, SPEC, PLAN, workers=0, device=CPU) == {}
    assert written == ["run/0.mp4"]
    expected = feature_maps(backbone, PlannedViews(records, SPEC, PLAN)[0].inputs["frame"], CPU)
    found, notes = store.read(record)
    assert torch.equal(found, expected.half())
    assert notes == ()


def test_what_cannot_be_read_is_named_and_the_rest_is_kept(tmp_path, backbone, record):
    (tmp_path / "empty.mp4").touch()
    records = [
        VideoRecord("none.mp4", tmp_path / "none.mp4", 0),
        VideoRecord("empty.mp4", tmp_path / "empty.mp4", 0),
        record,
    ]
    store = feature_store(tmp_path / "cache", backbone, SPEC, PLAN)
    failed = extract_features(store, backbone, records, SPEC, PLAN, workers=0, device=CPU)
    assert list(failed) == ["none.mp4", "empty.mp4"]
    assert "there is no such file" in failed["none.mp4"]
    assert "the file is empty" in failed["empty.mp4"]
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
    backbone = build_backbone("squeezenet").eval()
    load_backbone_weights(backbone, str(real_data / "squeezenet1_0_imagenet.safetensors"))
    found = []
    for name in ("bend", "jack", "walk"):
        path = sorted((real_data / "weizmann" / name).glob("*.avi"))[0]
        images = read_frames(path, lambda num: centre_frames(num, 2)).images
        found.append(feature_maps(backbone, centre_view(images, FrameSpec())[None], CPU)[0])
    assert all(one.shape == (2, 512, 7, 7) for one in found)
    assert all(bool(one.isfinite().all()) for one in found)
    figures = torch.stack([one.mean(dim=(0, 2, 3)) for one in found])
    assert float(figures.std(dim=0).mean()) > 0.01 * float(figures.mean())
    assert 0 < float(figures.mean()) < 100
