"""From frames to flow."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from attcell._parallel import one_thread
from attcell.errors import CallError, ModelError, VideoError
from attcell.flow import grey, tvl1
from attcell.video import optical_flow
from attcell.video.decode import read_frames
from attcell.video.optical_flow import (
    METHODS,
    FlowSpec,
    Method,
    flow_codes,
    flow_fields,
    flow_method,
    pieces,
    video_flow,
)
from tests.flow.conftest import known_pair
from tests.moving import noisy_frames
from tests.video.conftest import write_video


def coloured(picture: torch.Tensor) -> np.ndarray:
    return np.repeat(picture.round().clamp(0, 255).byte().numpy()[..., None], 3, axis=-1)


@pytest.mark.parametrize("pairs_at_once", [1, 2, 3, 16])
@pytest.mark.parametrize("num_frames", [0, 1, 2, 5, 6])
def test_a_field_for_each_two_frames_whatever_the_batches(num_frames, pairs_at_once):
    def difference(previous, following):
        return (following.float() - previous.float())[:, None].expand(-1, 2, -1, -1)

    frames = [np.full((4, 5, 3), 10 * number**2, np.uint8) for number in range(num_frames)]
    fields = list(flow_fields(iter(frames), Method(grey, difference), pairs_at_once))
    assert [field[0, 0, 0].item() for field in fields] == [
        10 * (2 * number + 1) for number in range(max(0, num_frames - 1))
    ]


def test_frames_are_taken_only_when_they_are_needed():
    taken = []

    def frames():
        for number in range(100):
            taken.append(number)
            yield np.zeros((4, 4, 3), np.uint8)

    still = Method(grey, lambda previous, following: torch.zeros(len(previous), 2, 4, 4))
    fields = flow_fields(frames(), still, 8)
    next(fields)
    assert len(taken) == 9


@pytest.mark.parametrize("name", [name for name in METHODS if name != "raft"])
def test_each_method_finds_known_motion(name):
    if name == "dis":
        pytest.importorskip("cv2")
    pair = known_pair(96, 128, shift=(2.0, -1.0))
    frames = [coloured(pair.previous), coloured(pair.following)]
    (field,) = flow_fields(frames, flow_method(name))
    assert field.dtype == torch.float32
    assert pair.error(field) < 0.3


def test_tvl1_methods_are_the_presets():
    pair = known_pair(32, 40, shift=(1.0, 0.0))
    previous, following = (
        torch.from_numpy(coloured(picture)).permute(2, 0, 1)[None]
        for picture in (pair.previous, pair.following)
    )
    method = flow_method("fast")
    torch.testing.assert_close(
        method.between(method.prepare(previous), method.prepare(following)),
        tvl1(grey(previous), grey(following), "fast"),
    )


def test_codes_between_any_pairs():
    pictures = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 3, 4, 6)

    def difference(previous, following):
        return (following.float() - previous.float())[:, None].expand(-1, 2, -1, -1)

    pairs = np.array([[0, 1], [3, 1], [2, 2], [0, 4]])
    codes = flow_codes(pictures, pairs, Method(grey, difference), bound=127.5, pairs_at_once=3)
    assert (codes.shape, codes.dtype) == ((4, 2, 4, 6), torch.uint8)
    assert codes[:, 0, 0, 0].tolist() == [129, 126, 128, 132]
    assert flow_codes(pictures, pairs[:0], Method(grey, difference), 20).shape == (0, 2, 4, 6)


def test_grey_weighs_colours_as_opencv():
    image = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    cv2 = pytest.importorskip("cv2")
    expected = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    found = grey(torch.from_numpy(image).permute(2, 0, 1))
    assert np.abs(found.numpy().astype(int) - expected).max() <= 1


def test_raft_takes_pictures_of_any_size(monkeypatch):
    from torchvision.models import optical_flow

    untrained = optical_flow.raft_small(weights=None)
    monkeypatch.setattr(optical_flow, "raft_small", lambda weights: untrained)
    flow_method.cache_clear()
    method = flow_method("raft")
    pictures = torch.randint(0, 256, (3, 3, 30, 141), dtype=torch.uint8)
    found = method.between(method.prepare(pictures[:2]), method.prepare(pictures[1:]))
    assert (found.shape, found.dtype) == ((2, 2, 30, 141), torch.float32)
    flow_method.cache_clear()


def test_raft_without_a_network_says_what_else_there_is(monkeypatch):
    from torchvision.models import optical_flow

    def refuse(weights):
        raise OSError("no route")

    monkeypatch.setattr(optical_flow, "raft_small", refuse)
    flow_method.cache_clear()
    with pytest.raises(
        ModelError, match=r"RAFT could not be downloaded \(no route\); choose paper, fast, fine or dis"
    ):
        flow_method("raft")


def test_an_unknown_method_is_refused():
    with pytest.raises(CallError, match="flow method is 'farneback'; allowed: paper, fast, fine, dis, raft"):
        flow_method("farneback")


def test_dis_without_opencv_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    flow_method.cache_clear()
    with pytest.raises(CallError, match=r"pip install 'attcell\[opencv\]'"):
        flow_method("dis")


@pytest.mark.parametrize(
    "size", [(1, 1), (64, 1), (3, 40), (13, 5), (12, 96), (12, 320), (12, 900), (15, 40)]
)
def test_dis_takes_the_smallest_pictures(size):
    pictures = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    method = flow_method("dis")
    prepared = method.prepare(pictures)
    found = method.between(prepared[:1], prepared[1:])
    assert found.shape == (1, 2, *size)
    assert found.isfinite().all()


def test_dis_has_as_many_threads_as_pytorch():
    cv2 = pytest.importorskip("cv2")
    pictures, method = torch.zeros(1, 20, 20, dtype=torch.uint8), flow_method("dis")
    with one_thread():
        method.between(pictures, pictures)
        assert cv2.getNumThreads() == 1
    method.between(pictures, pictures)
    assert cv2.getNumThreads() == torch.get_num_threads()


def test_dis_depends_on_nothing_that_came_before():
    large = torch.from_numpy(np.stack(noisy_frames(4, (64, 48)))).permute(0, 3, 1, 2)
    small = torch.from_numpy(np.stack(noisy_frames(3, (32, 24)))).permute(0, 3, 1, 2)

    def codes(pictures, pairs_at_once=16):
        pairs = np.stack([np.arange(len(pictures) - 1), np.arange(1, len(pictures))], axis=1)
        return flow_codes(pictures, pairs, flow_method("dis"), 20.0, pairs_at_once)

    alone = codes(large)
    codes(small)
    assert torch.equal(codes(large), alone)
    assert torch.equal(codes(large, 1), alone)
    assert torch.equal(codes(large[1:3]), alone[1:2]), "a pair's flow is its own"


class TestWholeVideo:
    @pytest.mark.parametrize("method", ["fast", "dis"])
    def test_fields_are_those_of_its_frames(self, tmp_path, method):
        if method == "dis":
            pytest.importorskip("cv2")
        path = write_video(tmp_path / "a.mp4", 40, size=(64, 48))
        frames = read_frames(path, np.arange).images
        expected = list(flow_fields(frames, flow_method(method)))
        found = list(video_flow(path, FlowSpec(method)))
        assert len(found) == 39
        assert torch.equal(torch.stack(found), torch.stack(expected))

    def test_frames_are_scaled_down_first(self, tmp_path):
        path = write_video(tmp_path / "a.mp4", 3, size=(64, 48))
        assert [field.shape for field in video_flow(path, FlowSpec(short_side=24))] == [(2, 24, 32)] * 2

    def test_large_frames_come_in_small_pieces(self, monkeypatch):
        monkeypatch.setattr(optical_flow, "_BYTES_AT_ONCE", 100)
        frames = [np.full((4, 4, 3), number, np.uint8) for number in range(8)]
        assert [[int(frame[0, 0, 0]) for frame in piece] for piece in pieces(frames, 16)] == [
            [0, 1, 2], [2, 3, 4], [4, 5, 6], [6, 7],
        ]  # fmt: skip

    def test_it_ends_when_nobody_looks_on(self, tmp_path):
        path = write_video(tmp_path / "a.mp4", 40)
        fields = video_flow(path)
        next(fields)
        fields.close()

    def test_one_frame_and_what_is_no_video_are_refused(self, tmp_path):
        with pytest.raises(VideoError, match="the video has 1 frame; flow needs at least 2"):
            list(video_flow(write_video(tmp_path / "a.mp4", 1)))
        (tmp_path / "b.mp4").write_bytes(b"no video")
        with pytest.raises(VideoError, match=r"b\.mp4"):
            list(video_flow(tmp_path / "b.mp4"))
        with pytest.raises(CallError, match="flow method is 'quick'"):
            video_flow(tmp_path / "a.mp4", FlowSpec("quick"))
