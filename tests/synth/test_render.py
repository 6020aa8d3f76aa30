"""Drawing a planned video: the frames agree with the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from attcell.synth.figures import STANDING, Look, acting, displacement, draw_figure
from attcell.synth.render import render
from attcell.synth.scene import FPS, KINDS, MOTIONS, SIZE, plan_video


@pytest.mark.parametrize("kind", KINDS)
def test_same_plan_same_bytes(kind: str) -> None:
    plan = plan_video(kind, 2, seed=3, split="val", number=1, num_classes=6)
    first, second = render(plan), render(plan)
    np.testing.assert_array_equal(first.frames, second.frames)
    assert first.frames.shape == (plan.num_frames, SIZE, SIZE, 3)
    assert first.boxes == second.boxes
    assert len(first.boxes) == len(first.action) == plan.num_frames


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("label", range(6))
def test_action_marks_follow_the_intervals_and_the_actor_is_there(kind: str, label: int) -> None:
    plan = plan_video(kind, label, seed=5, split="train", number=0, num_classes=6)
    drawn = render(plan)
    expected = np.zeros(plan.num_frames, dtype=bool)
    for start, end in plan.actor.intervals:
        expected[round(start * FPS) : round(end * FPS)] = True
    np.testing.assert_array_equal(drawn.action, expected)
    for box, acts in zip(drawn.boxes, drawn.action, strict=True):
        assert box is not None or not acts
        if box is not None:
            left, top, right, bottom = box
            assert 0 <= left < right <= SIZE
            assert 0 <= top < bottom <= SIZE


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_actor_nothing_changes_outside_its_box(kind: str) -> None:
    plan = plan_video(kind, 1, seed=7, split="test", number=2, num_classes=6)
    gone = replace(plan.actor, feet=(plan.actor.feet[0], 10_000.0))
    without = replace(plan, figures=tuple(gone if f.role == "actor" else f for f in plan.figures))
    full, empty = render(plan), render(without)
    assert all(box is None for box in empty.boxes)
    for frame, other, box in zip(full.frames, empty.frames, full.boxes, strict=True):
        rows, columns = np.nonzero((frame != other).any(axis=-1))
        if box is None:  # at most a sliver at the frame's edge
            assert len(set(columns)) <= 1
        elif len(rows):
            assert box[0] <= columns.min() + 1
            assert box[1] <= rows.min() + 1
            assert columns.max() <= box[2]
            assert rows.max() <= box[3]


@pytest.mark.parametrize("motion", MOTIONS["postures"])
@pytest.mark.parametrize("near_side", [-1, 1])
def test_the_box_is_tight(motion: str, near_side: int) -> None:
    look = Look((200, 0, 0), (100, 0, 0), (220, 180, 150), (40, 30, 20))
    for cycles in np.linspace(0, 1, 12):
        canvas = Image.new("RGB", (400, 400), (255, 255, 255))
        box = draw_figure(
            canvas, acting(motion, cycles), look, feet=(50, 80), height=40, near_side=near_side, scale=4
        )
        rows, columns = np.nonzero((np.asarray(canvas) != 255).any(axis=-1))
        drawn = (columns.min() / 4, rows.min() / 4, (columns.max() + 1) / 4, (rows.max() + 1) / 4)
        np.testing.assert_allclose(box, drawn, atol=0.75)


def test_a_figure_out_of_the_frame_has_no_box() -> None:
    look = Look((200, 0, 0), (100, 0, 0), (220, 180, 150), (40, 30, 20))
    canvas = Image.new("RGB", (400, 400))
    box = draw_figure(canvas, STANDING, look, feet=(150, 80), height=40, near_side=1, scale=4)
    assert box is None
    assert not np.asarray(canvas).any()


@pytest.mark.parametrize("motion", MOTIONS["postures"])
def test_every_motion_starts_and_ends_standing(motion: str) -> None:
    assert acting(motion, 0.0) == STANDING
    assert acting(motion, 1.0) == STANDING
    assert acting(motion, 0.5) != STANDING
    assert len({acting(other, 0.5) for other in MOTIONS["postures"]}) == len(MOTIONS["postures"])


@pytest.mark.parametrize("label", range(10))
def test_a_figure_goes_its_path(label: int) -> None:
    """The actor's box moves as the path says, but for the camera's walk."""
    plan = plan_video("trimmed", label, seed=5, split="train", number=0, num_classes=10, motions="paths")
    actor = replace(plan.actor, feet=(SIZE / 2, 84.0), height=44.0)
    drawn = render(replace(plan, figures=tuple(f if f.role != "actor" else actor for f in plan.figures)))
    assert actor.motion in MOTIONS["paths"]
    for index, box in enumerate(drawn.boxes):
        cycles = index / FPS / actor.manner.period
        away = displacement(actor.motion, cycles, actor.manner.amplitude)
        assert box is not None
        assert abs((box[0] + box[2]) / 2 - actor.feet[0] - actor.height * away.right) < 4.5
        assert abs(box[3] - actor.feet[1] - actor.height * away.down) < 4.5
