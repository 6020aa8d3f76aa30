"""Records to tensors, on videos whose frames tell their own number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from attcell.data.datasets import (
    Batch,
    KeptViews,
    PlannedParts,
    PlannedViews,
    Sample,
    TrainingFeatures,
    TrainingVideos,
    Views,
    collate,
)
from attcell.data.feature_store import FeatureStore
from attcell.errors import VideoError
from attcell.types import VideoRecord
from attcell.video import parts
from attcell.video.flow_source import FlowInput
from attcell.video.input_spec import InputSpec
from attcell.video.readers import window
from attcell.video.sampling import ViewPlan
from attcell.video.transforms import FrameSpec
from tests.damage import damage
from tests.moving import moving_frames, write_frames, write_pictures
from tests.video.conftest import grey, write_video

PLAIN = InputSpec(("frame",), FrameSpec(size=32, short_side=32))
THREE = InputSpec(("frame", "flow", "clip"), PLAIN.frame, FlowInput(fields=2), clip_frames=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def record(folder) -> VideoRecord:
    """24 frames of 64×48."""
    return VideoRecord("wave/a.mp4", write_video(folder / "a.mp4", 24), (1,))


@pytest.fixture(scope="module")
def damaged(folder) -> VideoRecord:
    """A file of which some frames do not decode."""
    options = {"g": "5", "bf": "0", "sc_threshold": "0"}
    return VideoRecord("wave/bad.mp4", damage(write_video(folder / "bad.mp4", 24, options=options)), (0,))


@pytest.fixture
def missing(folder) -> VideoRecord:
    return VideoRecord("wave/none.mp4", folder / "none.mp4", (0,))


def frames(pictures: torch.Tensor) -> list[int]:
    """Which frames these (..., 3, S, S) pictures are."""
    levels = pictures.float().mean(dim=(-3, -2, -1)).flatten()
    return [round((float(level) - grey(0)) / 8) for level in levels]


def test_training_draws_a_frame_of_each_segment_by_seed_and_position(record):
    videos = TrainingVideos([record], PLAIN, 4, "repeat", seed=5)
    assert len(videos) == 1
    sample = videos[0, 17]
    assert isinstance(sample, Sample)
    assert (sample.labels, sample.position, sample.notes) == ((1,), 17, ())
    assert sample.inputs["frame"].shape == (4, 3, 32, 32)
    drawn = {tuple(frames(videos[0, position].inputs["frame"])) for position in range(12)}
    assert all(6 * t <= frame < 6 * t + 6 for one in drawn for t, frame in enumerate(one))
    assert len(drawn) > 6
    again = TrainingVideos([record], PLAIN, 4, "repeat", seed=5)[0, 17]
    assert torch.equal(again.inputs["frame"], sample.inputs["frame"])


def test_planned_views_are_the_segments_centres(record):
    views = PlannedViews([record], PLAIN, ViewPlan(4))[0]
    assert isinstance(views, Views)
    assert views.inputs["frame"].shape == (1, 4, 3, 32, 32)
    assert frames(views.inputs["frame"]) == [3, 9, 15, 21]


@pytest.mark.parametrize("workers", [0, 2])
def test_planned_parts_are_the_planned_views_of_several_videos(record, tmp_path, monkeypatch, workers):
    monkeypatch.setattr(parts, "BYTES_AT_ONCE", 3 * 32 * 32 * 2)  # two segments at once
    missing = VideoRecord("none.mp4", tmp_path / "none.mp4", (0,))
    records = [record, missing, record]
    expected = PlannedViews([record], PLAIN, ViewPlan(5))[0]
    found: dict[int, list[Views]] = {}
    for part in DataLoader(PlannedParts(records, PLAIN, ViewPlan(5)), batch_size=None, num_workers=workers):
        found.setdefault(part.video, []).append(part)
    assert sorted(found) == [0, 1, 2]
    for video in (0, 2):
        assert [(part.start, part.is_last) for part in found[video]] == [(0, False), (1, False), (3, True)]
        joined = torch.cat([part.inputs["frame"] for part in found[video]], dim=1)
        assert torch.equal(joined, expected.inputs["frame"])
        assert all(part.error is None for part in found[video])
    (unread,) = found[1]
    assert unread.is_last
    assert "there is no such file" in str(unread.error)


def test_ten_crops_are_ten_views(record):
    views = PlannedViews(
        [record], InputSpec(("frame",), FrameSpec(size=16, short_side=32)), ViewPlan(4, num_crops=10)
    )[0]
    assert views.inputs["frame"].shape == (10, 4, 3, 16, 16)
    assert torch.equal(views.inputs["frame"][5:], views.inputs["frame"][:5].flip(-1))


def test_positions_and_their_mirror_images(record):
    views = PlannedViews([record], PLAIN, ViewPlan(4, num_positions=2, mirrored=True))[0]
    pictures = views.inputs["frame"]
    assert pictures.shape == (4, 4, 3, 32, 32)
    assert frames(pictures[0]) == [1, 7, 13, 19]
    assert frames(pictures[1]) == [4, 10, 16, 22]
    assert torch.equal(pictures[2:], pictures[:2].flip(-1))


def test_each_stream_gets_the_same_instants_and_the_same_side(record):
    sample = TrainingVideos([record], THREE, 4, "repeat", seed=5)[0, 17]
    assert isinstance(sample, Sample)
    assert {name: tuple(inputs.shape) for name, inputs in sample.inputs.items()} == {
        "frame": (4, 3, 32, 32),
        "flow": (4, 4, 32, 32),
        "clip": (4, 3, 4, 32, 32),
    }
    around = window(np.array(frames(sample.inputs["frame"])), 24, 4)
    for place, numbers in enumerate(around.T.tolist()):
        assert frames(sample.inputs["clip"][:, :, place]) == numbers
    views = PlannedViews([record], THREE, ViewPlan(4, num_positions=2, mirrored=True))[0]
    assert {name: tuple(inputs.shape) for name, inputs in views.inputs.items()} == {
        "frame": (4, 4, 3, 32, 32),
        "flow": (4, 4, 4, 32, 32),
        "clip": (4, 4, 3, 4, 32, 32),
    }
    assert torch.equal(views.inputs["clip"][2:], views.inputs["clip"][:2].flip(-1))


def test_short_videos_follow_the_policy(record):
    assert len(set(frames(PlannedViews([record], PLAIN, ViewPlan(48))[0].inputs["frame"]))) == 24
    refused = PlannedViews([record], PLAIN, ViewPlan(25, short="refuse"))[0]
    assert isinstance(refused, VideoError)
    assert "the video has 24 frames, fewer than the 25 segments asked for" in str(refused)


def test_what_cannot_be_read_comes_out_as_its_error(record, missing):
    for drawn in (
        TrainingVideos([missing], PLAIN, 2, "repeat", 0)[0, 0],
        PlannedViews([missing], PLAIN, ViewPlan(2))[0],
    ):
        assert isinstance(drawn, VideoError)
        assert "none.mp4: there is no such file" in str(drawn)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_stands_for_its_whole_batch(record, missing, workers):
    videos = TrainingVideos([record, missing], PLAIN, 2, "repeat", 0)
    order = [(0, 0), (1, 1), (0, 2), (0, 3)]
    batches = list(
        DataLoader(videos, batch_size=2, sampler=order, collate_fn=collate, num_workers=workers)  # type: ignore[arg-type]
    )
    assert isinstance(batches[0], VideoError)
    assert "none.mp4" in str(batches[0])
    assert isinstance(batches[1], Batch)
    assert batches[1].inputs["frame"].shape == (2, 2, 3, 32, 32)
    assert batches[1].labels == ((1,), (1,))
    assert batches[1].positions.tolist() == [2, 3]


def test_damage_is_noted_with_the_videos_name(record, damaged):
    sample = TrainingVideos([damaged], PLAIN, 2, "repeat", 0)[0, 0]
    views = PlannedViews([damaged], PLAIN, ViewPlan(2))[0]
    assert isinstance(sample, Sample)
    assert isinstance(views, Views)
    assert sample.notes
    assert sample.notes == tuple(f"wave/bad.mp4: {note}" for note in views.notes)
    assert all(note.startswith("wave/bad.mp4: ") for note in sample.notes)
    whole = TrainingVideos([record], PLAIN, 2, "repeat", 0)[0, 1]
    assert collate([whole, sample]).notes == sample.notes


class TestKeptFeatures:
    @pytest.fixture
    def store(self, tmp_path, record) -> FeatureStore:
        """Maps whose value is 100 · view + segment: two positions, then their mirror images."""
        values = 100 * torch.arange(4)[:, None] + torch.arange(3)
        maps = values[:, :, None, None, None].expand(4, 3, 2, 5, 5).float()
        store = FeatureStore(tmp_path, {"test": 1})
        store.write(record, maps, ("a note",))
        return store

    def test_training_draws_a_position_a_segment_and_one_side(self, store, record):
        features = TrainingFeatures([record], {"frame": store}, num_positions=2, seed=0)
        assert len(features) == 1
        seen = set()
        for position in range(100):
            sample = features[0, position]
            assert sample.inputs["frame"].shape == (3, 2, 5, 5)
            assert sample.inputs["frame"].dtype == torch.float16
            values = sample.inputs["frame"][:, 0, 0, 0].numpy().astype(int)
            assert (values % 100).tolist() == [0, 1, 2]
            assert len(set(values // 200)) == 1, "a video is mirrored as a whole"
            seen.add(tuple(values // 100))
        assert len(seen) == 2 * 2**3
        again = TrainingFeatures([record], {"frame": store}, num_positions=2, seed=0)[0, 99]
        assert torch.equal(again.inputs["frame"], sample.inputs["frame"])
        assert (sample.labels, sample.position) == ((1,), 99)

    def test_all_streams_draw_the_same_places(self, store, record):
        features = TrainingFeatures([record], {"frame": store, "flow": store}, num_positions=2, seed=0)
        for position in range(10):
            inputs = features[0, position].inputs
            assert torch.equal(inputs["frame"], inputs["flow"])

    def test_notes_are_kept_with_the_features(self, store, record):
        assert TrainingFeatures([record], {"frame": store}, 2, 0)[0, 0].notes == ("wave/a.mp4: a note",)
        assert KeptViews([record], {"frame": store})[0].notes == ("a note",)

    def test_all_views_are_seen_at_test(self, store, record):
        kept = KeptViews([record], {"frame": store})
        assert len(kept) == 1
        maps = kept[0].inputs["frame"]
        assert maps.dtype == torch.float16
        assert np.array_equal(maps[:, 0, 0, 0, 0].numpy(), [0, 100, 200, 300])


class TestFoldersOfFrames:
    """Frames as pictures give what they give as a lossless video file."""

    def both(self, tmp_path, num_frames=24):
        frames = moving_frames(num_frames, (64, 48))
        video = write_frames(tmp_path / "a.avi", frames)
        folder = write_pictures(tmp_path / "a", frames)
        return VideoRecord("a.avi", video, (1,)), VideoRecord("a", folder, (1,))

    @pytest.mark.parametrize("seed", [0, 7])
    def test_training_draws_the_same_tensors_by_the_same_seed(self, tmp_path, seed):
        for position in (0, 5):
            samples = [
                TrainingVideos([record], THREE, 3, "repeat", seed)[0, position]
                for record in self.both(tmp_path)
            ]
            assert samples[0].inputs.keys() == {"frame", "flow", "clip"}
            for name, inputs in samples[0].inputs.items():
                assert torch.equal(inputs, samples[1].inputs[name]), name
            assert samples[1].labels == (1,)
            assert samples[1].notes == (), "no times are used, so that none are known is not said"

    def test_fixed_views_are_the_same(self, tmp_path):
        plan = ViewPlan(3, num_crops=10)
        video, folder = (PlannedViews([record], THREE, plan)[0] for record in self.both(tmp_path))
        assert all(torch.equal(inputs, folder.inputs[name]) for name, inputs in video.inputs.items())
        assert folder.notes == ()

    def test_a_part_is_as_a_file_of_these_frames(self, tmp_path):
        _, whole = self.both(tmp_path)
        video = write_frames(tmp_path / "part.avi", moving_frames(24, (64, 48))[7:19])
        records = [VideoRecord("part.avi", video, (1,)), whole.part(range(7, 19))]
        views = [PlannedViews([record], THREE, ViewPlan(3))[0] for record in records]
        samples = [TrainingVideos([record], THREE, 3, "repeat", 3)[0, 2] for record in records]
        for seen in (views, samples):
            assert all(torch.equal(inputs, seen[1].inputs[name]) for name, inputs in seen[0].inputs.items())

    def test_damage_is_noted_and_an_error_is_handed_over(self, tmp_path):
        _, record = self.both(tmp_path)
        (record.path / "img_00001.png").write_bytes(b"\x89PNG")
        sample = TrainingVideos([record], PLAIN, 3, "repeat", 0)[0, 0]
        assert sample.notes == (
            "a: 23 of 24 frames decode; the rest is damaged or missing", "a: does not decode: img_00001.png",
        )  # fmt: skip
        (record.path / "img_00003.png").unlink()
        for found in (
            TrainingVideos([record], PLAIN, 3, "repeat", 0)[0, 0],
            PlannedViews([record], PLAIN, ViewPlan(3))[0],
        ):
            assert isinstance(found, VideoError)
            assert "img_00003.png is missing" in str(found)
