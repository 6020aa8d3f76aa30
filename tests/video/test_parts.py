"""Videos in parts: planned views, and a sample every few frames, are what reading them at once gives."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import attcell.video.parts
from attcell.errors import VideoError
from attcell.video.decode import count_frames
from attcell.video.flow_source import FlowInput
from attcell.video.input_spec import InputSpec
from attcell.video.inputs import read_sampled_frames, resize_frames
from attcell.video.optical_flow import FlowSpec
from attcell.video.parts import DenseSampling, ViewParts
from attcell.video.readers import Origin
from attcell.video.sampling import ViewPlan
from attcell.video.transforms import FrameSpec
from tests.damage import damage
from tests.moving import noisy_frames, write_pictures
from tests.video.conftest import write_video


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return {num: write_video(folder / f"{num}.mp4", num) for num in (1, 2, 7, 24, 41)}


def _spec(*streams, fields=4, clip=6):
    frame = FrameSpec(size=24, short_side=24)
    return InputSpec(streams, frame, FlowInput(fields=fields), clip_frames=clip)


@settings(max_examples=60, deadline=None)
@example(num_frames=2, every=2, at_once=1, streams=("flow",), fields=1, clip=1)
@given(
    num_frames=st.sampled_from([1, 2, 7, 24, 41]),
    every=st.integers(1, 9),
    at_once=st.integers(1, 6),
    streams=st.sampled_from([("frame",), ("flow",), ("frame", "flow", "clip"), ("clip", "frame")]),
    fields=st.integers(1, 11),
    clip=st.integers(1, 16),
)
def test_parts_are_what_reading_at_once_gives(videos, num_frames, every, at_once, streams, fields, clip):
    spec = _spec(*streams, fields=fields, clip=clip)
    whole, info = read_sampled_frames(videos[num_frames], spec, lambda num: np.arange(0, num, every))
    sampled_frames = DenseSampling(videos[num_frames], spec, every, at_once)
    parts = list(sampled_frames)
    frame_indices = np.concatenate([part.frame_indices for part in parts])
    np.testing.assert_array_equal(frame_indices, whole.frame_indices)
    assert max(len(part.frame_indices) for part in parts) <= at_once
    seen = {index for part in parts for index in part.images}
    assert seen == set(whole.images)
    for part in parts:
        for index, image in part.images.items():
            np.testing.assert_array_equal(image, whole.images[index])
    np.testing.assert_array_equal(sampled_frames.info.frame_seconds, info.frame_seconds)


@pytest.mark.parametrize(("every", "stride"), [(1, 2), (4, 3), (6, 4), (5, 20)])
@pytest.mark.parametrize("num_frames", [1, 7, 24, 41])
def test_clips_whose_frames_are_apart_come_in_one_pass(videos, num_frames, every, stride):
    spec = InputSpec(("clip",), FrameSpec(), clip_frames=4, clip_stride=stride)
    held = list(DenseSampling(videos[num_frames], spec, every, 2))
    for part in held:
        again, _ = read_sampled_frames(videos[num_frames], spec, lambda num, of=part: of.frame_indices)
        assert sorted(part.images) == sorted(again.images)
        for index, image in part.images.items():
            np.testing.assert_array_equal(image, again.images[index])
    taken = np.concatenate([part.frame_indices for part in held])
    np.testing.assert_array_equal(taken, np.arange(0, num_frames, every))


@pytest.mark.parametrize("streams", [("frame",), ("flow", "clip")])
def test_each_part_holds_the_frames_around_its_samples(videos, streams):
    spec = _spec(*streams)
    for part in DenseSampling(videos[41], spec, 5, 2):
        again, _ = read_sampled_frames(videos[41], spec, lambda num, of=part: of.frame_indices)
        assert sorted(part.images) == sorted(again.images)


def test_a_long_video_holds_a_bounded_number_of_frames(videos):
    parts = list(DenseSampling(videos[41], _spec("clip", clip=4), 5, 2))
    assert max(len(part.images) for part in parts) <= 2 * 4


def test_damage_is_noted_and_what_decodes_is_taken(tmp_path):
    options = {"g": "5", "bf": "0", "sc_threshold": "0"}
    path = damage(write_video(tmp_path / "a.mp4", 20, options=options))
    sampled_frames = DenseSampling(path, _spec("frame"), 3, 4)
    taken = np.concatenate([part.frame_indices for part in sampled_frames])
    assert sampled_frames.info.is_damaged
    assert taken.tolist() == list(range(0, count_frames(path).num_frames, 3))


def test_a_file_that_is_no_video_is_told(tmp_path):
    with pytest.raises(VideoError, match="there is no such file"):
        list(DenseSampling(tmp_path / "none.mp4", _spec("frame"), 5, 2))


def _at_once(path, spec, plan, frames=None):
    """All views of a video, by reading all of its frames first, and what the video holds."""
    sampled_frames, info = read_sampled_frames(path, spec, plan.frame_indices, frames)
    size = plan.resized_size(sampled_frames.size, spec.frame)
    resized_frames = resize_frames(sampled_frames, spec, size, spec.readers(Origin(path, frames)))
    views = [resized_frames.view(crop) for crop in plan.crops(size, spec.frame)]
    return {
        name: torch.cat([view[name].unflatten(0, (plan.num_positions, -1)) for view in views])
        for name in spec.streams
    }, info


def _joined(parts):
    """The views of the parts that count, one after another."""
    kept = []
    for part in parts:
        kept = [part] if part.start == 0 else [*kept, part]
        assert part.start == sum(next(iter(of.views.values())).shape[1] for of in kept[:-1])
    return {name: torch.cat([part.views[name] for part in kept], dim=1) for name in kept[0].views}


PLANS = [
    ViewPlan(7),
    ViewPlan(30, num_crops=10),
    ViewPlan(1, every=3, num_crops=10),
    ViewPlan(5, num_positions=3, mirrored=True),
]


@pytest.mark.parametrize("plan", PLANS, ids=str)
@pytest.mark.parametrize(("num_frames", "frames_at_once"), [(1, 1), (7, 20), (41, 1), (41, 40)])
def test_planned_views_in_parts_are_those_of_reading_at_once(videos, plan, frames_at_once, num_frames):
    spec = _spec("frame", "flow", "clip")
    spec = replace(spec, flow=FlowInput(FlowSpec("dis"), fields=4))
    expected, info = _at_once(videos[num_frames], spec, plan)
    parts = ViewParts(videos[num_frames], spec, plan, frames_at_once=frames_at_once)
    found = _joined(parts)
    assert list(found) == list(expected)
    for name, views in expected.items():
        assert torch.equal(found[name], views)
        assert found[name].dtype == torch.uint8
    np.testing.assert_array_equal(parts.info.frame_seconds, info.frame_seconds)


def test_a_part_needs_a_bounded_number_of_frames(videos):
    parts = list(ViewParts(videos[41], _spec("clip", clip=4), ViewPlan(40, num_crops=10), frames_at_once=12))
    assert len(parts) == 14
    assert max(len(part.sampled_frames.images) for part in parts) <= 12
    assert max(part.views["clip"].shape[1] for part in parts) <= 3
    whole = list(ViewParts(videos[41], _spec("clip", clip=4), ViewPlan(10)))
    assert [part.start for part in whole] == [0], "what fits comes at once"


def test_the_views_of_a_part_are_bounded_too(videos, monkeypatch):
    monkeypatch.setattr(attcell.video.parts, "BYTES_AT_ONCE", 10 * 5 * 3 * 24 * 24)
    parts = list(ViewParts(videos[41], _spec("frame"), ViewPlan(20, num_crops=10)))
    assert [part.views["frame"].shape[:2] for part in parts] == [(10, 5)] * 4


def test_a_video_that_holds_less_than_it_promised_begins_again(tmp_path):
    options = {"g": "5", "bf": "0", "sc_threshold": "0"}
    path = damage(write_video(tmp_path / "a.mp4", 20, options=options))
    spec, plan = _spec("frame"), ViewPlan(20)
    expected, info = _at_once(path, spec, plan)
    parts = ViewParts(path, spec, plan, frames_at_once=4)
    found = list(parts)
    starts = [part.start for part in found]
    assert starts.count(0) == 2
    assert starts[0] == 0
    assert starts[-5:] == [0, 4, 8, 12, 16]
    assert torch.equal(_joined(found)["frame"], expected["frame"])
    assert parts.info.notes == info.notes
    assert parts.info.is_damaged
    one = ViewParts(path, spec, plan)
    assert [part.start for part in one] == [0], "what fits into one part never begins again"


@pytest.mark.parametrize("options", [{"g": "20"}, {"g": "10", "bf": "0"}], ids=str)
def test_a_video_whose_middle_is_damaged_is_what_decodes_of_it(tmp_path, options):
    """A frame that does not decode may lie in a part whose last frame does."""
    whole, rng = write_video(tmp_path / "a.mp4", 60, options=options), np.random.default_rng(0)
    with av.open(str(whole)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    spec, plan = _spec("frame", "clip", clip=3), ViewPlan(12)
    for number in range(12):
        path, data = tmp_path / f"{number}.mp4", bytearray(whole.read_bytes())
        for place, size in packets[10 + 3 * number :][: 1 + number % 2]:
            kept = (0, 4, size // 2)[number % 3]  # nothing, what says how long it is, half of it
            data[place + kept : place + size] = rng.bytes(size - kept) if number % 2 else bytes(size - kept)
        path.write_bytes(data)
        expected, info = _at_once(path, spec, plan)
        parts = ViewParts(path, spec, plan, frames_at_once=6)
        found = _joined(parts)
        assert {name: torch.equal(found[name], of) for name, of in expected.items()} == {
            "frame": True,
            "clip": True,
        }
        assert parts.info.notes == info.notes


def test_a_folder_of_frames_with_a_damaged_one_begins_again(tmp_path):
    folder = write_pictures(tmp_path / "clip", noisy_frames(30))
    sorted(folder.iterdir())[13].write_bytes(b"no picture")
    spec, plan = _spec("frame", "clip", clip=3), ViewPlan(30)
    expected, info = _at_once(folder, spec, plan)
    parts = ViewParts(folder, spec, plan, frames_at_once=6)
    assert torch.equal(_joined(parts)["clip"], expected["clip"])
    assert parts.info.num_frames == info.num_frames == 29


def test_a_part_of_a_folder_of_frames_is_read_in_parts(tmp_path):
    folder = write_pictures(tmp_path / "clip", noisy_frames(30))
    spec, plan, window = _spec("frame", "clip", clip=3), ViewPlan(6, num_crops=10), range(4, 24)
    expected, _ = _at_once(folder, spec, plan, window)
    parts = list(ViewParts(folder, spec, plan, window, frames_at_once=6))
    assert len(parts) == 3
    assert {name: bool((_joined(parts)[name] == of).all()) for name, of in expected.items()} == {
        "frame": True,
        "clip": True,
    }


def test_a_video_too_short_for_its_plan_is_told(videos):
    with pytest.raises(VideoError, match="the video has 7 frames, fewer than the 8 segments asked for"):
        list(ViewParts(videos[7], _spec("frame"), ViewPlan(8, short="refuse"), frames_at_once=1))
