"""One pass of decoding, and what each stream gets of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attcell.flow import dequantize
from attcell.types import Size
from attcell.video.flow_source import FlowInput
from attcell.video.input_spec import InputSpec
from attcell.video.inputs import read_sampled_frames, resize_frames
from attcell.video.modalities import flow_reader
from attcell.video.readers import Origin, window
from attcell.video.transforms import Crop, FrameSpec
from tests.video.conftest import numbers

SQUARE = FrameSpec(size=16, short_side=24, resize="squash")
STREAMS = ("frame", "flow", "clip")
ALL = InputSpec(STREAMS, SQUARE, FlowInput(fields=2), clip_frames=4)


@dataclass
class NumberedFlow:
    """Flow whose code is 10 times the number of the first frame (x) or of the second (y)."""

    asked: list[np.ndarray] = field(default_factory=list)

    def codes(self, pairs, rows, pictures):
        self.asked.append(pairs)
        codes = torch.from_numpy(10 * pairs).to(torch.uint8)
        return codes[:, :, None, None].expand(-1, -1, *pictures.shape[-2:]).clone()


def readers(spec, flow):
    """The streams' readers, with this source of flow."""
    return {**spec.readers(Origin()), "flow": flow_reader(spec, flow)}


@given(st.integers(1, 60), st.integers(1, 20), st.data())
def test_a_window_is_consecutive_and_inside_the_video(num_frames, length, data):
    frame_indices = np.array(data.draw(st.lists(st.integers(0, num_frames - 1), min_size=1, max_size=4)))
    around = window(frame_indices, num_frames, length)
    assert around.shape == (len(frame_indices), length)
    assert around.min() >= 0
    assert around.max() < num_frames
    steps = np.diff(around, axis=1)
    if num_frames >= length:
        assert (steps == 1).all()
        assert ((around[:, 0] <= frame_indices) & (frame_indices <= around[:, -1])).all()
    else:
        assert (around[0] == np.minimum(np.arange(length), num_frames - 1)).all()


def test_windows_stand_around_their_frame_index():
    assert window(np.array([10]), 100, 11).tolist() == [list(range(5, 16))]
    assert window(np.array([10]), 100, 16).tolist() == [list(range(2, 18))]
    assert window(np.array([0, 99]), 100, 4).tolist() == [[0, 1, 2, 3], [96, 97, 98, 99]]


def test_windows_of_frames_that_are_apart():
    assert window(np.array([0, 50, 99]), 100, 4, 3).tolist() == [
        [0, 3, 6, 9],
        [45, 48, 51, 54],
        [90, 93, 96, 99],
    ]
    assert window(np.array([2]), 6, 4, 3).tolist() == [[0, 3, 5, 5]], "too short: the last frame stands still"


def test_a_clip_holds_the_frames_that_are_apart(make_video):
    path = make_video("a.mp4", 30)
    spec = InputSpec(("clip",), SQUARE, clip_frames=4, clip_stride=3)
    sampled_frames, _ = read_sampled_frames(path, spec, lambda num: np.array([15]))
    assert sorted(sampled_frames.images) == [10, 13, 15, 16, 19]  # the frame index itself is shown
    readers = spec.readers(Origin(path))
    clip = resize_frames(sampled_frames, spec, sampled_frames.size, readers).view(Crop(0, 0))["clip"]
    plain = InputSpec(("clip",), SQUARE, clip_frames=1)
    each, _ = read_sampled_frames(path, plain, lambda num: np.array([10, 13, 16, 19]))
    single = resize_frames(each, plain, each.size, plain.readers(Origin(path))).view(Crop(0, 0))["clip"]
    assert torch.equal(clip[0].transpose(0, 1), single[:, :, 0])


def test_only_the_frames_that_are_needed_are_kept(make_video):
    path = make_video("a.mp4", 24)
    choose = lambda num: np.array([4, 20])  # noqa: E731
    by_streams = {
        ("frame",): [4, 20],
        ("flow",): [3, 4, 5, 19, 20, 21],
        ("clip",): [2, 3, 4, 5, 18, 19, 20, 21],
    }
    for streams, expected in by_streams.items():
        sampled_frames, _ = read_sampled_frames(path, ALL.only(streams), choose)
        assert sorted(sampled_frames.images) == expected
        assert numbers([sampled_frames.images[index] for index in expected]) == expected
    stored = InputSpec(("flow",), SQUARE, replace(ALL.flow, store=path.parent))
    assert sorted(read_sampled_frames(path, stored, choose)[0].images) == [4, 20], (
        "fields on disk need no frames"
    )
    everything, _ = read_sampled_frames(path, ALL, choose)
    assert sorted(everything.images) == [2, 3, 4, 5, 18, 19, 20, 21]
    assert everything.frame_indices.tolist() == [4, 20]
    assert everything.size == Size(64, 48)


def test_each_stream_sees_the_same_frame_indices(make_video):
    sampled_frames, _ = read_sampled_frames(make_video("a.mp4", 24), ALL, lambda num: np.array([4, 20, 23]))
    flow = NumberedFlow()
    resized_frames = resize_frames(sampled_frames, ALL, Size(24, 24), readers(ALL, flow))
    view = resized_frames.view(Crop(3, 5))
    assert list(view) == list(STREAMS)
    assert all(pictures.dtype == torch.uint8 for pictures in view.values())
    assert view["frame"].shape == (3, 3, 16, 16)
    assert numbers(view["frame"].numpy()) == [4, 20, 23]
    assert view["clip"].shape == (3, 3, 4, 16, 16)
    clips = view["clip"].float().mean((1, 3, 4))
    assert ((clips - 20) / 8).round().int().tolist() == [[2, 3, 4, 5], [18, 19, 20, 21], [20, 21, 22, 23]]
    assert view["flow"].shape == (3, 4, 16, 16)
    assert view["flow"][:, :, 0, 0].tolist() == [[30, 40, 40, 50], [190, 200, 200, 210], [210, 220, 220, 230]]
    (pairs,) = flow.asked
    assert len(pairs) == len(np.unique(pairs, axis=0)), "no pair is computed twice"


def test_a_mirror_turns_pictures_and_negates_the_flow_along_x(make_video):
    sampled_frames, _ = read_sampled_frames(make_video("a.mp4", 24), ALL, lambda num: np.array([4, 20]))
    resized_frames = resize_frames(sampled_frames, ALL, Size(24, 24), readers(ALL, NumberedFlow()))
    pictures, codes = resized_frames.around.pictures, resized_frames.sheets["flow"].pictures
    pictures.copy_(torch.randint(0, 256, pictures.shape))
    codes.copy_(torch.randint(1, 256, codes.shape))
    plain, mirrored = (
        resized_frames.view(Crop(3, 5)),
        resized_frames.view(Crop(3, 5, mirrored=True)),
    )
    assert torch.equal(mirrored["frame"], plain["frame"].flip(-1))
    assert torch.equal(mirrored["clip"], plain["clip"].flip(-1))
    x, y = plain["flow"][:, 0::2].flip(-1), plain["flow"][:, 1::2].flip(-1)
    assert torch.equal(mirrored["flow"][:, 0::2].int(), 256 - x.int())
    assert torch.equal(mirrored["flow"][:, 1::2], y)


def test_one_field_as_a_picture_has_its_quadratic_mean(make_video):
    spec = replace(ALL, streams=("flow",), flow=replace(ALL.flow, fields=1, form="picture"))
    sampled_frames, _ = read_sampled_frames(make_video("a.mp4", 24), spec, lambda num: np.array([4, 20]))
    resized_frames = resize_frames(sampled_frames, spec, Size(24, 24), readers(spec, NumberedFlow()))
    for mirrored in (False, True):
        crop = replace(Crop(3, 5), mirrored=mirrored)
        found = resized_frames.view(crop)["flow"]
        stack = replace(spec, flow=replace(spec.flow, form="stack"))
        stacked = replace(resized_frames, spec=stack).view(crop)["flow"]
        assert found.shape == (2, 3, 16, 16)
        assert torch.equal(found[:, :2], stacked)
        distances = stacked.double() - 128
        expected = 128 + ((distances**2).sum(1) / 2).sqrt()
        assert (found[:, 2] - expected.clamp(max=255)).abs().max() <= 0.5


def test_the_mean_flow_is_that_of_the_fields_around_a_frame_index(make_video):
    sampled_frames, _ = read_sampled_frames(make_video("a.mp4", 24), ALL, lambda num: np.array([4]))
    found = resize_frames(sampled_frames, ALL, Size(24, 24), readers(ALL, NumberedFlow())).mean_flow()
    codes = torch.tensor([[30, 40], [40, 50]], dtype=torch.uint8)
    assert found.shape == (1, 2, 24, 24)
    torch.testing.assert_close(found[0, :, 7, 7], dequantize(codes, 20.0).mean(0))


@pytest.mark.parametrize("num_frames", [1, 2])
def test_a_video_shorter_than_a_window_stands_still_at_its_end(make_video, num_frames):
    spec = InputSpec(STREAMS, SQUARE, FlowInput(fields=3), clip_frames=4)
    sampled_frames, _ = read_sampled_frames(make_video("a.mp4", num_frames), spec, lambda num: np.array([0]))
    view = resize_frames(sampled_frames, spec, Size(24, 24), spec.readers(Origin())).view(Crop(0, 0))
    assert view["flow"].shape == (1, 6, 16, 16)
    assert (view["flow"][:, -2:] == 128).all()
    assert view["clip"].shape == (1, 3, 4, 16, 16)
    assert torch.equal(view["clip"][:, :, -1], view["clip"][:, :, -2])
