"""The smooth look: what happens is the plan's, and the frames agree with the truth."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest

from attcell.errors import CallError
from attcell.synth.render import render, stance
from attcell.synth.scene import MOTIONS, plan_video
from attcell.synth.smooth import REACH, SIDE, ZOOM, render_smooth
from attcell.synth.truth import read_truth
from attcell.synth.write import write_dataset


def test_the_same_happens_as_in_the_plain_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attcell.synth.render.stance", partial(stance, reach=REACH))
    plan = plan_video("untrimmed", 2, seed=3, split="val", number=1, num_classes=6, motions="paths")
    drawn, again, plain = render_smooth(plan), render_smooth(plan), render(plan)
    np.testing.assert_array_equal(drawn.frames, again.frames)
    assert drawn.frames.shape == (plan.num_frames, SIDE, SIDE, 3)
    assert drawn.action == plain.action
    assert sum((a is None) != (b is None) for a, b in zip(drawn.boxes, plain.boxes, strict=True)) <= 2
    for box, other in zip(drawn.boxes, plain.boxes, strict=True):
        if box is not None and other is not None:
            assert 0 <= box[0] < box[2] <= SIDE
            assert 0 <= box[1] < box[3] <= SIDE
            np.testing.assert_allclose(np.array(box) / ZOOM, other, atol=4.0)


@pytest.mark.parametrize("motion", MOTIONS["paths"])
def test_paths_reach_further_and_postures_stay(motion: str) -> None:
    plan = plan_video("trimmed", 0, seed=3, split="val", number=1, num_classes=6, motions="paths")
    actor = replace(plan.actor, motion=motion)
    for seconds in (0.0, 0.3, 0.7, 1.4):
        (posture, planned), (same, further) = stance(actor, seconds), stance(actor, seconds, REACH)
        assert same == posture
        np.testing.assert_allclose(further, REACH * np.array(planned))


@pytest.mark.parametrize("number", range(4))
def test_the_box_holds_the_actor_and_no_more(number: int) -> None:
    plan = plan_video("trimmed", 1, seed=7, split="test", number=number, num_classes=6, motions="paths")
    gone = replace(plan.actor, feet=(plan.actor.feet[0], 10_000.0))
    alone = replace(plan, figures=(plan.actor,), things=())
    full, empty = render_smooth(alone), render_smooth(replace(alone, figures=(gone,)))
    assert all(box is None for box in empty.boxes)
    for frame, other, box in zip(full.frames[::9], empty.frames[::9], full.boxes[::9], strict=True):
        assert box is not None
        left, top, right, bottom = box
        changed = np.argwhere(np.abs(frame.astype(int) - other).max(axis=2) > 60)
        (first_row, first_column), (last_row, last_column) = changed.min(axis=0), changed.max(axis=0)
        assert left - 1 <= first_column <= left + 4
        assert right - 5 <= last_column <= right
        assert top - 1 <= first_row <= top + 4
        assert last_row <= bottom + 0.35 * ZOOM * plan.actor.height  # its shadow stays on the ground


def test_a_set_of_this_look(tmp_path: Path) -> None:
    out = write_dataset(tmp_path / "set", look="smooth", num_classes=4, videos={"test": 1})
    assert read_truth(out).size == (SIDE, SIDE)
    with av.open(str(next(out.rglob("*.mp4")))) as container:
        assert container.streams.video[0].width == SIDE
    with pytest.raises(CallError, match="another generated set"):
        write_dataset(out, num_classes=4, videos={"test": 1})
    with pytest.raises(CallError, match="unknown look 'soft'; choose one of plain, smooth"):
        write_dataset(tmp_path / "other", look="soft")  # type: ignore[arg-type]
