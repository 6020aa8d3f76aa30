"""Probabilities averaged over views."""

from __future__ import annotations

import pytest
import torch

from attcell.data.datasets import Views
from attcell.errors import ModelError, VideoError
from attcell.inference import run
from attcell.inference.run import (
    best_device,
    decide_views,
    mean_scores,
    part_maps,
    run_videos,
    run_views,
    with_maps,
)
from attcell.nn import streams


def test_views_are_averaged_as_probabilities(model):
    views = {"frame": torch.rand(3, 2, 3, 32, 32)}
    with torch.inference_mode():
        found = mean_scores(run_views(model.network, views), "softmax").all
        expected = model.network(views).logits.softmax(-1).mean(0)
    torch.testing.assert_close(found, expected)
    assert float(found.sum()) == pytest.approx(1, abs=1e-6)


def test_kept_features_give_the_same(model):
    views = {"frame": torch.rand(3, 2, 3, 32, 32)}
    with torch.inference_mode():
        maps = model.network.feature_maps(views)
        kept = mean_scores(run_views(model.network, maps, kept_features=True), "softmax").all
        seen = mean_scores(run_views(model.network, views), "softmax").all
        torch.testing.assert_close(kept, seen)
        assert [out.logits.shape for out in run_views(model.network, maps, kept_features=True)] == [
            (1, 3)
        ] * 3


@pytest.mark.parametrize("rule", ["softmax", "sigmoid", "margin"])
def test_scores_are_made_by_the_rule_before_views_are_averaged(model, rule):
    views = {"frame": torch.rand(3, 2, 3, 32, 32)}
    with torch.inference_mode():
        found = mean_scores(run_views(model.network, views), rule).all
        logits = model.network(views).logits
    made = {"softmax": logits.softmax(-1), "sigmoid": 1 / (1 + (-logits).exp()), "margin": logits}[rule]
    torch.testing.assert_close(found, made.mean(0))


def test_scores_that_are_no_numbers_are_refused(model):
    with torch.no_grad():
        model.network.classifier.bias[0] = float("inf")
    with pytest.raises(ModelError, match="the network's scores are not finite numbers"):
        mean_scores(run_views(model.network, {"frame": torch.rand(1, 2, 3, 32, 32)}), "softmax")


def test_the_device_is_one_that_is_there():
    assert best_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


class TestParts:
    """A video in parts is the same video."""

    @staticmethod
    def part(views: torch.Tensor, start: int, end: int, **told: object) -> Views:
        return Views({"frame": views[:, start:end]}, start=start, **told)

    def test_parts_of_several_videos_in_turn(self, model):
        one, other = torch.rand(2, 6, 3, 32, 32), torch.rand(2, 3, 3, 32, 32)
        parts = [
            self.part(one, 0, 4, video=7, is_last=False),
            self.part(other, 0, 3, video=2, notes=("a note",)),
            self.part(one, 4, 6, video=7),
        ]
        found = list(run_videos(model.network, parts, kept_features=False))
        assert [(video.video, video.notes) for video in found] == [(2, ("a note",)), (7, ())]
        for video, views in zip(found, (other, one), strict=True):
            outputs = decide_views(model.network, video.parts)
            expected = run_views(model.network, {"frame": views})
            for ours, whole in zip(outputs, expected, strict=True):
                torch.testing.assert_close(ours.logits, whole.logits)
                torch.testing.assert_close(ours.temporal_attention, whole.temporal_attention)
                torch.testing.assert_close(ours.spatial_attention, whole.spatial_attention)

    def test_parts_of_several_videos_go_together(self, model):
        calls = []
        model.network.stream("frame").backbone.register_forward_hook(
            lambda _, inputs, __: calls.append(len(inputs[0]))
        )
        pictures = [torch.rand(views, 3, 3, 32, 32) for views in (1, 2, 1, 1)]
        parts = [self.part(of, 0, 3, video=number) for number, of in enumerate(pictures)]
        parts.insert(3, Views({}, video=9, error=VideoError("bad")))
        parts.append(self.part(torch.rand(1, 2, 3, 40, 40), 0, 2, video=4))
        found = list(with_maps(model.network, parts, at_once=8))
        assert calls == [9, 3, 3, 2]  # 1 and 2 fill it; an error and another size part the others
        assert [part.video for part in found] == [0, 1, 2, 9, 3, 4]
        apart = [of for of in with_maps(model.network, parts) if of.error is None]
        assert calls[4:] == [3, 6, 3, 3, 2]
        together = [of for of in found if of.error is None]
        for one, other in zip(together, apart, strict=True):
            torch.testing.assert_close(one.inputs, other.inputs, atol=1e-5, rtol=1e-5)

    def test_a_video_that_begins_again_forgets_what_came(self, model):
        views = torch.rand(1, 5, 3, 32, 32)
        parts = [
            self.part(torch.rand(1, 4, 3, 32, 32), 0, 4, is_last=False),
            self.part(views, 0, 3, is_last=False),
            self.part(views, 3, 5),
        ]
        (found,) = run_videos(model.network, parts, kept_features=False)
        (out,) = decide_views(model.network, found.parts)
        (expected,) = run_views(model.network, {"frame": views})
        torch.testing.assert_close(out.logits, expected.logits)

    def test_a_video_that_cannot_be_read_after_all(self, model):
        parts = [
            self.part(torch.rand(1, 4, 3, 32, 32), 0, 4, is_last=False),
            Views({}, start=4, error=VideoError("bad")),
        ]
        (found,) = run_videos(model.network, parts, kept_features=False)
        assert (str(found.error), found.parts) == ("bad", [])

    def test_no_call_sees_more_than_a_bounded_number(self, model, monkeypatch):
        calls = []
        stream = model.network.stream("frame")
        stream.backbone.register_forward_hook(lambda _, inputs, __: calls.append(len(inputs[0])))
        views = {"frame": torch.rand(3, 67, 3, 32, 32)}
        maps = part_maps(model.network, views)
        assert sum(calls) == 201
        assert max(calls) <= streams.BACKBONE_BATCH + 1
        assert min(calls) > 1, "one alone is rounded otherwise"
        (whole, *_) = run_views(model.network, maps, kept_features=True)
        monkeypatch.setattr(run, "KEPT_SEGMENTS", 10)
        (bounded, *_) = run_views(model.network, maps, kept_features=True)
        torch.testing.assert_close(bounded.logits, whole.logits)
