"""A ready model on videos."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from attcell.errors import CallError, ModelError
from attcell.inference.ready_clips import rule_words
from tests.bad_decoders import bad_open
from tests.moving import write_frames
from tests.small_ready import LABELS, Brightness, frame, model


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Two seconds dark, two with the left half bright, two dark, one with the right half bright."""
    sides = ["dark"] * 50 + ["left"] * 50 + ["dark"] * 50 + ["right"] * 25
    return write_frames(tmp_path / "video.avi", [frame(side) for side in sides])


def test_scores_are_the_mean_of_the_clips(video: Path):
    found = model().predict(video, clips=7)
    alone = [model().predict(video, clips=7).temporal_scores]
    assert len(found.segments) == 7
    assert found.scores.sum() == pytest.approx(1, abs=1e-6)
    label = int(found.scores.argmax())
    assert found.scores[label] == pytest.approx(alone[0].mean(), abs=1e-6)
    assert found.temporal_attention == pytest.approx(alone[0] / alone[0].sum())
    assert found.explanation.when == f"each clip’s share in the score of {LABELS[label]}"


def test_segments_touch_and_cover_the_video(video: Path):
    found = model().predict(video)
    seconds = found.segments_seconds
    assert seconds[0, 0] == 0
    assert seconds[-1, 1] == pytest.approx(7)
    assert (seconds[1:, 0] == seconds[:-1, 1]).all()
    assert ((seconds[:, 0] <= found.frame_seconds) & (found.frame_seconds < seconds[:, 1])).all()
    assert found.frames.shape == (5, 32, 64, 3)


def test_where_is_the_half_that_is_bright(tmp_path: Path):
    for side, columns in (("left", slice(0, 2)), ("right", slice(2, 4))):
        path = write_frames(tmp_path / f"{side}.avi", [frame(side)] * 30)
        found = model().predict(path, clips=2)
        assert found.top(1)[0][0] == side
        maps = found.spatial_attention["clip"]
        assert maps.shape == (2, 4, 4)
        assert maps[:, :, columns].sum(axis=(1, 2)) == pytest.approx([1, 1])
        assert found.attended_area == (0.25, 0, 0.75, 1)


def test_without_evidence_a_map_is_even(tmp_path: Path):
    found = model().predict(write_frames(tmp_path / "dark.avi", [frame("dark")] * 30), clips=1)
    assert found.top(1)[0][0] == "dark"
    assert found.spatial_attention["clip"] == pytest.approx(np.full((1, 4, 4), 1 / 16))


def test_three_crops_see_the_ends_too(tmp_path: Path):
    picture = np.zeros((32, 96, 3), np.uint8)
    picture[:, :16] = 255  # at the left end, which the middle does not see
    path = write_frames(tmp_path / "end.avi", [picture] * 20)
    one, three = model().predict(path, clips=1), model().predict(path, clips=1, crops=3)
    assert one.top(1)[0][0] == "dark"
    assert three.scores[1] == pytest.approx((one.scores[1] * 2 + 0.98) / 3, abs=0.02)
    assert "3 crops of each" in three.explanation.protocol


def test_actions_are_found_where_the_class_is_surest(video: Path):
    found, track = model().detect(video, threshold=0.5, return_track=True)
    times = {one.label: (one.start_seconds, one.end_seconds) for one in found if one.label != "dark"}
    assert times["left"] == pytest.approx((2, 4), abs=0.35)
    assert times["right"] == pytest.approx((6, 7), abs=0.35)
    assert len([one for one in found if one.label == "dark"]) == 2
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(0.5 < one.score <= 1 for one in found)
    assert track.seconds[-1, 1] == pytest.approx(7)
    assert track.class_scores.shape == (len(track), 3)


def test_what_was_followed_can_be_drawn(video: Path):
    found = model().follow(video, 5)
    assert len(found.segments) <= 24
    assert len(found.frames) == len(found.segments)
    assert len(found.track) == len(found.track.spatial_attention["clip"]) > 24
    assert "one every 5 frames of the video" in found.explanation.protocol


def test_a_video_shorter_than_a_clip_is_told(tmp_path: Path):
    found = model().predict(write_frames(tmp_path / "short.avi", [frame("left")] * 3))
    (note,) = found.notes
    assert note == (
        "the video has 0.1 s, and kinetics/bright looks at clips of 0.3 s: the 4 frames of its one clip are "
        "spread over all of it"
    )
    assert len(found.segments) == 1


def test_arguments_are_checked(video: Path):
    for arguments, message in (
        ({"clips": 0}, "clips is 0; give a whole number, at least 1"),
        ({"clips": 101}, "clips is 101; allowed: 1 to 100. To look along all of a long video, use detect"),
        ({"crops": 2}, r"crops is 2; allowed: 1 \(the middle\), 3"),
    ):
        with pytest.raises(CallError, match=message):
            model().predict(video, **arguments)
    with pytest.raises(CallError, match="every is 0"):
        model().detect(video, every=0)
    with pytest.raises(CallError, match="threshold is 1; give a number from 0"):
        model().detect(video, threshold=1)
    with pytest.raises(CallError, match="device is 'no'"):
        model().to("no")


def test_broken_weights_are_told(video: Path):
    network = Brightness().eval()
    network.weight.data.fill_(torch.nan)
    with pytest.raises(ModelError, match="scores of kinetics/bright are not finite numbers"):
        model(network=network).predict(video)


def test_the_rule_is_named():
    assert rule_words(None).startswith("classes: the clips’ class score above 0.30")
    assert repr(model()) == "ReadyModel(kinetics/bright, 3 classes)"


@pytest.mark.parametrize("follows", [False, True])
def test_of_several_videos_one_may_crash_its_decoder(
    video: Path, monkeypatch: pytest.MonkeyPatch, follows: bool
) -> None:
    monkeypatch.setattr(av, "open", bad_open)
    bad = video.with_name("crashes-1.avi")
    shutil.copy(video, bad)
    other = shutil.copy(video, video.with_name("other.avi"))
    one, titles = model(), dict.fromkeys((video, bad, other), "")
    found = (
        one.follow_all([video, bad, other], None, None, titles)
        if follows
        else one.predict_all([video, bad, other], titles=titles)
    )
    first, crashed, last = (of for _, of in found)
    assert str(crashed).startswith(f"{bad}: decoding it crashed its process (SIGSEGV), and again alone")
    alone = [one.follow(path) if follows else one.predict(path) for path in (video, other)]
    for of, expected in zip((first, last), alone, strict=True):
        assert of.to_dict() == expected.to_dict()
        assert np.array_equal(of.frames, expected.frames)
