"""Folders of frames through the engine: flow on disk and beside the frames, kept features, prediction."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from attcell.data.datasets import PlannedViews, TrainingVideos
from attcell.data.listing import Listing
from attcell.data.sources import read_source
from attcell.errors import CallError, DataError, VideoError
from attcell.inference.evaluate import evaluate_model
from attcell.inference.extract import extract_features, feature_store
from attcell.inference.extract_flow import Layout, extract_flow
from attcell.inference.predict import predict_video
from attcell.inference.stored_flow import unfit_flow
from attcell.models.build import build_network, input_spec
from attcell.models.listings import read_listings
from attcell.training.prepare import gather_training_data
from attcell.types import VideoRecord
from attcell.video.flow_files import DESCRIPTION, open_flow
from attcell.video.flow_source import FlowInput, check_store, flow_files_of, source_of
from attcell.video.frame_folder import NO_TIMES
from attcell.video.input_spec import InputSpec
from attcell.video.optical_flow import FlowSpec
from attcell.video.sampling import ViewPlan
from attcell.video.transforms import FrameSpec
from tests.moving import moving_frames, write_frames, write_pictures
from tests.small_models import FROZEN, LABELS, random_model, recipe_of

CPU = torch.device("cpu")
FAST = FlowSpec("fast", short_side=36)
ALONE = Layout(frames=False)
FLOW = {"flow": {"backbone": "small", "weights": "none", "conv6_channels": 4}}
NUM_FRAMES = 9


@pytest.fixture
def root(tmp_path) -> Path:
    """Three classes, ``CLASS/clip`` with 9 frames each, and the list of them."""
    for number, label in enumerate(LABELS):
        write_pictures(tmp_path / "root" / label / "v1.2", moving_frames(NUM_FRAMES, seed=number))
    lines = [f"{label}/v1.2 {NUM_FRAMES} {number}" for number, label in enumerate(LABELS)]
    (tmp_path / "root" / "list.txt").write_text("\n".join(lines))
    (tmp_path / "root" / "labels.txt").write_text("\n".join(LABELS))
    return tmp_path / "root"


@pytest.fixture
def listing(root) -> Listing:
    return read_source(root / "list.txt")


def spec(store: Path | None) -> InputSpec:
    frame = FrameSpec(size=32, short_side=36)
    return InputSpec(("frame", "flow"), frame, FlowInput(fields=2, store=store))


def flow_seen(record: VideoRecord, store: Path | None) -> torch.Tensor:
    views = PlannedViews([record], spec(store), ViewPlan(3, num_crops=10))[0]
    assert not isinstance(views, VideoError), views
    return views.inputs["flow"]


class TestFlowOnDisk:
    def test_it_is_made_from_folders_and_found_for_them(self, tmp_path, listing):
        outcome = extract_flow(listing, tmp_path / "flow", FAST, layout=ALONE)
        assert (outcome.num_written, outcome.failed) == (3, {})
        assert outcome.notes == [f"{label}/v1.2: {NO_TIMES}" for label in LABELS]
        assert open_flow(tmp_path / "flow" / "run" / "v1.2").num_fields == NUM_FRAMES - 1
        assert extract_flow(listing, tmp_path / "flow", FAST, layout=ALONE).num_kept == 3
        for record in listing.records:
            computed, stored = (flow_seen(record, store).int() for store in (None, tmp_path / "flow"))
            assert (computed - stored).abs().float().mean() < 1.5, "JPEG's loss alone"

    def test_of_parts_the_whole_folder_s_is_made_once(self, tmp_path, root, listing):
        whole = listing.records[0]
        parts = tuple(whole.part(part) for part in (range(4), range(3, 8)))
        outcome = extract_flow(Listing(parts, LABELS), tmp_path / "flow", FAST, layout=ALONE)
        assert outcome.num_written == 1
        assert open_flow(tmp_path / "flow" / "run" / "v1.2").num_fields == NUM_FRAMES - 1
        files = flow_files_of(tmp_path / "flow", whole.path)
        codes = source_of(FlowInput(store=tmp_path / "flow"), whole.path, range(3, 8)).codes(
            np.array([[0, 1], [3, 4]]), np.array([[0, 1], [0, 1]]), torch.empty(2, 3, 36, 48)
        )
        assert torch.equal(codes, files.read([3, 6]))
        computed, stored = (flow_seen(parts[1], store).int() for store in (None, tmp_path / "flow"))
        assert (computed - stored).abs().float().mean() < 1.5

    def test_a_store_is_a_source_of_frames_with_their_flow_beside(self, tmp_path, listing):
        """What ``attcell extract flow`` writes from video files."""
        videos, store = tmp_path / "videos", tmp_path / "store"
        for number, label in enumerate(LABELS):
            write_frames(videos / label / "0.avi", moving_frames(NUM_FRAMES, seed=number))
        extract_flow(read_source(videos), store, FlowSpec("fast", short_side=36))
        found = read_source(store)
        assert [record.id for record in found.records] == [f"{label}/0" for label in LABELS]
        recipe = recipe_of(store, model={"streams": FLOW}, flow={"fields": 2, "store": store})
        assert unfit_flow(recipe, found.records) == {}
        for record, other in zip(found.records, read_source(videos).records, strict=True):
            assert torch.equal(flow_seen(record, store), flow_seen(other, store))

    def test_another_tool_s_flow_beside_its_frames(self, tmp_path, root, listing, capfd):
        extract_flow(listing, tmp_path / "flow", FAST, layout=ALONE)
        expected = [flow_seen(record, tmp_path / "flow") for record in listing.records]
        for record in listing.records:
            for path in (tmp_path / "flow" / record.id).glob("flow_*.jpg"):
                shutil.copy(path, record.path)
        recipe = recipe_of(root / "list.txt", model={"streams": FLOW}, flow={"fields": 2, "store": root})
        assert unfit_flow(recipe, listing.records) == {}
        assert "3 videos in" in capfd.readouterr().err
        for record, flow in zip(listing.records, expected, strict=True):
            assert torch.equal(flow_seen(record, root), flow)

    def test_frames_alone_do_not_pass_for_flow(self, root, listing):
        path = listing.records[0].path
        with pytest.raises(
            DataError, match=rf"{root} holds no flow of {path}: neither a folder v1.2 nor v1.2.zip"
        ):
            flow_files_of(root, path)
        extract_flow(listing, root, FAST, layout=Layout("zip", frames=False))
        assert flow_files_of(root, path).path == root / "run" / "v1.2.zip"

    def test_frames_that_changed_since_and_fields_that_are_missing(self, tmp_path, listing):
        extract_flow(listing, tmp_path / "flow", FAST, layout=ALONE)
        record = listing.records[0]
        store = FlowInput(store=tmp_path / "flow")
        with pytest.raises(
            DataError, match=r"v1.2 is the flow of another file than .*v1.2; compute it again"
        ):
            check_store(store, record.path, lambda: "other")
        shutil.copy(record.path / "img_00001.png", record.path / "img_00010.png")
        with pytest.raises(
            VideoError, match=r"has 8 flow fields, and .*v1.2 has 10 frames, which need 9; compute"
        ):
            source_of(store, record.path)

    def test_damaged_frames_have_no_flow_on_disk(self, tmp_path, listing):
        """They are counted without those that are lost, which the numbers of another tool's flow are not."""
        extract_flow(listing, tmp_path / "flow", FAST, layout=ALONE)
        record = listing.records[0]
        (tmp_path / "flow" / "run" / "v1.2" / DESCRIPTION).unlink()
        (record.path / "img_00002.png").write_bytes(b"\x89PNG")
        message = (
            r"v1.2: 8 of 9 frames decode.*, so that frames have other numbers than their flow on disk; get"
        )
        found = PlannedViews([record], spec(tmp_path / "flow"), ViewPlan(NUM_FRAMES))[0]
        with pytest.raises(VideoError, match=message):
            raise found  # type: ignore[misc]
        assert not isinstance(PlannedViews([record], spec(None), ViewPlan(NUM_FRAMES))[0], VideoError)

    def test_a_folder_that_cannot_be_read_is_named(self, tmp_path, root, listing):
        (listing.records[1].path / "img_00003.png").unlink()
        outcome = extract_flow(listing, tmp_path / "flow", FAST, layout=ALONE)
        assert outcome.num_written == 2
        assert "img_00003.png is missing" in outcome.failed["sit/v1.2"]
        recipe = recipe_of(
            root / "list.txt", model={"streams": FLOW}, flow={"fields": 2, "store": tmp_path / "flow"}
        )
        (message,) = unfit_flow(recipe, listing.records).values()
        assert "img_00003.png is missing" in message

    @pytest.mark.parametrize("rebuild", [False, True])
    def test_flow_never_replaces_frames(self, root, listing, rebuild):
        message = r"the flow of run/v1.2 would replace .*run/v1.2, which holds videos; name another folder"
        with pytest.raises(CallError, match=message):
            extract_flow(listing, root, FAST, layout=ALONE, rebuild=rebuild)
        above = Listing((VideoRecord("run", root / "run" / "v1.2", (0,)),), LABELS)
        with pytest.raises(CallError, match="the flow of run would replace"):
            extract_flow(above, root, FAST, layout=ALONE, rebuild=rebuild)
        assert len(list(root.glob("*/*/img_*.png"))) == 3 * NUM_FRAMES


class TestKeptFeatures:
    def test_folders_and_parts_are_kept_by_what_they_show(self, tmp_path, listing):
        recipe = recipe_of(tmp_path, model=FROZEN)
        network = build_network(recipe, len(LABELS), load_weights=False)
        plan, inputs = ViewPlan(2), input_spec(recipe)
        stores = {"frame": feature_store(tmp_path / "cache", "frame", network.stream("frame"), inputs, plan)}
        whole = listing.records[0]
        records = [whole, whole.part(range(2, 6)), listing.records[1]]
        (records[2].path / "img_00004.png").unlink()
        failed = extract_features(stores, network, records, inputs, plan, workers=0)
        assert list(failed) == ["sit/v1.2"]
        assert [stores["frame"].holds(record) for record in records] == [True, True, False]
        maps = [stores["frame"].read(record)[0] for record in records[:2]]
        assert not torch.equal(maps[0], maps[1])
        assert stores["frame"].read(whole)[1] == ()

    def test_flow_on_disk_is_part_of_the_name(self, tmp_path, listing):
        extract_flow(listing, tmp_path / "flow", FAST, layout=ALONE)
        flow = {"fields": 2, "store": tmp_path / "flow"}
        recipe = recipe_of(
            tmp_path, model={"streams": {"flow": {**FLOW["flow"], "train_from": "none"}}}, flow=flow
        )
        network = build_network(recipe, len(LABELS), load_weights=False)
        plan, inputs = ViewPlan(2), input_spec(recipe)
        store = feature_store(tmp_path / "cache", "flow", network.stream("flow"), inputs, plan)
        whole = listing.records[0]
        records = [whole, whole.part(range(2, 6))]
        assert extract_features({"flow": store}, network, records, inputs, plan, workers=0) == {}
        assert len(list(store.folder.glob("*.safetensors"))) == 2
        extract_flow(listing, tmp_path / "flow", FlowSpec("fast", short_side=20), layout=ALONE, rebuild=True)
        again = feature_store(tmp_path / "cache", "flow", network.stream("flow"), inputs, plan)
        assert not any(again.holds(record) for record in records)


def test_training_material_of_folders(root, listing):
    recipe = recipe_of(root / "list.txt")
    network = build_network(recipe, len(LABELS), load_weights=False)
    training_data = gather_training_data(recipe, read_listings(recipe), network, CPU)
    assert isinstance(training_data.train, TrainingVideos)
    assert training_data.train[0, 0].inputs["frame"].shape == (2, 3, 32, 32)
    (listing.records[2].path / "img_00005.png").unlink()
    with pytest.raises(
        DataError, match=r"1 videos cannot be read;(.|\n)*wave/v1.2: img_00005.png is missing"
    ):
        gather_training_data(recipe, read_listings(recipe), network, CPU)


def test_parts_of_one_folder_may_be_trained_and_validated_on(root, capfd):
    lists = {"train": "run/v1.2 0 5 0\nsit/v1.2 0 9 1\n", "val": "run/v1.2 5 4 0\n"}
    for name, text in lists.items():
        (root / f"{name}.txt").write_text(text)
    recipe = recipe_of(root / "train.txt", data={"val": root / "val.txt"})
    listings = read_listings(recipe)
    assert [record.id for record in listings.val] == ["run/v1.2 5 4"]
    assert "are in both" not in capfd.readouterr().err
    (root / "val.txt").write_text("run/v1.2 0 5 0\n")
    read_listings(recipe)
    assert "1 videos are in both data.train and data.val" in capfd.readouterr().err


def test_a_folder_is_predicted_as_its_lossless_video(tmp_path):
    frames = moving_frames(12)
    folder, video = write_pictures(tmp_path / "a", frames), write_frames(tmp_path / "a.avi", frames)
    model = random_model(recipe_of(tmp_path, model={"streams": FLOW}, flow={"fields": 2}))
    found, expected = (predict_video(model, path).to_dict() for path in (folder, video))
    assert found.pop("notes") == [NO_TIMES]
    assert expected.pop("notes") == []
    assert found.pop("video") == str(folder)
    expected.pop("video")
    for name, value in found.items():
        if name in (
            "labels",
            "top",
            "stream_weights",
            "gates",
            "temporal_attention_by_stream",
            "spatial_attention",
            "explanation",
            "hearing",
        ):
            assert value == expected[name]
        else:
            np.testing.assert_allclose(value, expected[name], atol=1e-6)


def test_a_test_counts_folders_that_cannot_be_read(root, listing):
    model = random_model(recipe_of(root))
    (listing.records[0].path / "img_00005.png").unlink()
    found = evaluate_model(model, listing)
    assert list(found.unread) == ["run/v1.2"]
    assert np.isnan(found.scores[0]).all()
    assert np.isfinite(found.scores[1:]).all()
    assert found.notes == ()
