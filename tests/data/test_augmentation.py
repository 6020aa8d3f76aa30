"""How training pictures are changed: alike for a whole view, and by (seed, position) alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from attcell.data.augmentation import AS_THEY_ARE, Augmentation
from attcell.data.datasets import TrainingFeatures, TrainingVideos
from attcell.data.feature_store import FeatureStore
from attcell.data.mirroring import Mirroring
from attcell.types import VideoRecord
from attcell.video.flow_source import FlowInput
from attcell.video.input_spec import InputSpec
from attcell.video.transforms import FrameSpec
from tests.moving import moving_frames, noisy_frames, write_frames

SPEC = InputSpec(("frame", "flow", "clip"), FrameSpec(24, short_side=32), FlowInput(fields=1), clip_frames=3)
BOTH = Augmentation(randaugment=9, colour_jitter=0.5)
EXCHANGED = Mirroring(exchanged=(1, 0))


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> VideoRecord:
    path = write_frames(tmp_path_factory.mktemp("video") / "a.avi", moving_frames(10, (48, 36)))
    return VideoRecord("a.avi", path, (0,))


def pictures() -> torch.Tensor:
    """Three pictures, the first and the last alike."""
    first, second = (torch.from_numpy(image).movedim(-1, 0) for image in noisy_frames(2, (20, 16)))
    return torch.stack([first, second, first])


@pytest.mark.parametrize(
    "augmentation", [BOTH, replace(BOTH, colour_jitter=0.0), replace(BOTH, randaugment=None)]
)
def test_all_pictures_of_a_view_are_changed_alike_and_the_draws_are_repeated(augmentation):
    state = torch.get_rng_state()
    found = [augmentation.of_colours(3, position)(pictures()) for position in range(12)]
    assert torch.equal(torch.get_rng_state(), state), "nobody else's draws are moved"
    assert all(torch.equal(one[0], one[2]) and one.dtype == torch.uint8 for one in found)
    again = [augmentation.of_colours(3, position)(pictures()[:1]) for position in range(12)]
    assert all(torch.equal(one[:1], other) for one, other in zip(found, again, strict=True))
    assert len({one.numpy().tobytes() for one in found}) > 6
    assert not torch.equal(augmentation.of_colours(4, 0)(pictures()), found[0])


def test_without_any_nothing_is_done():
    assert AS_THEY_ARE.of_colours(0, 0) is None


def test_frames_and_clips_are_changed_and_flow_is_not(record):
    plain = TrainingVideos([record], SPEC, 2, "repeat", 5)
    changed = TrainingVideos([record], SPEC, 2, "repeat", 5, BOTH)
    differing = dict.fromkeys(SPEC.streams, 0)
    for position in range(6):
        one, other = plain[0, position].inputs, changed[0, position].inputs
        for name in differing:
            differing[name] += not torch.equal(one[name], other[name])
        for frame, clip in zip(other["frame"], other["clip"], strict=True):
            assert any(torch.equal(frame, of_clip) for of_clip in clip.unbind(1)), "a clip has the frame"
    assert differing["flow"] == 0
    assert min(differing["frame"], differing["clip"]) >= 5


def test_mirror_images_are_left_out_or_have_the_other_class(record):
    spec = replace(SPEC, streams=("frame",))
    plain, never, other = (
        TrainingVideos([record], spec, 2, "repeat", 5, Augmentation(mirroring))
        for mirroring in (Mirroring(), Mirroring(wanted=False), EXCHANGED)
    )
    mirrored = []
    for position in range(12):
        one, two, three = (videos[0, position] for videos in (plain, never, other))
        assert torch.equal(one.inputs["frame"], three.inputs["frame"])
        mirrored.append(not torch.equal(one.inputs["frame"], two.inputs["frame"]))
        assert torch.equal(
            two.inputs["frame"].flip(-1) if mirrored[-1] else two.inputs["frame"], one.inputs["frame"]
        )
        assert (one.labels, two.labels, three.labels) == ((0,), (0,), (int(mirrored[-1]),))
    assert 2 < sum(mirrored) < 10


def test_kept_mirror_images_have_the_other_class(record, tmp_path):
    store = FeatureStore(tmp_path, {"test": 1})
    store.write(record, torch.arange(4.0)[:, None, None, None, None].expand(4, 3, 2, 1, 1))
    features = TrainingFeatures([record], {"frame": store}, 2, 0, EXCHANGED)
    seen = set()
    for position in range(20):
        sample = features[0, position]
        view = np.unique(sample.inputs["frame"].numpy()).max()
        seen.add(sample.labels)
        assert sample.labels == (int(view >= 2),)
    assert seen == {(0,), (1,)}
