"""The weights of late fusion come from the validation videos; what a training ends with, in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from attcell.data.datasets import Views
from attcell.errors import VideoError
from attcell.inference.run import mean_scores, run_views
from attcell.metrics.recognition import fusion_weights
from attcell.nn import LateFusion
from attcell.training.finish import TrainingOutcome, training_lines, training_values, tune_fusion
from attcell.training.prepare import TrainingData
from attcell.training.schedule import ValidationResult
from attcell.training.svm_fit import InnerFigure
from attcell.types import VideoRecord
from tests.nn.networks import random_maps, small_late

CHANNELS = {"frame": 2, "flow": 3}


def training_data_of(views: Sequence[Views] | None, labels: Sequence[int] = ()) -> TrainingData:
    """Feature maps that are validated on, and nothing to train on."""
    records = tuple(
        VideoRecord(f"{n}.mp4", Path(f"{n}.mp4"), (int(label),)) for n, label in enumerate(labels)
    )
    return TrainingData([], (), 0, views, records, kept_features=True, identity={}, workers=0)  # type: ignore[arg-type]


@pytest.fixture
def network() -> LateFusion:
    network = small_late(CHANNELS)
    for name in CHANNELS:
        network.network(name).dropout.p = 0.9
    return network.train()


@pytest.fixture
def views() -> list[Views]:
    """Twelve videos in two views each."""
    maps = [random_maps(CHANNELS, videos=2, segments=3, seed=seed) for seed in range(12)]
    return [Views(of_video, video=number) for number, of_video in enumerate(maps)]


def stream_scores(network: LateFusion, views: Sequence[Views]) -> np.ndarray:
    """(M, N, A): each stream's probabilities, averaged over the views, without dropout."""
    network.eval()
    with torch.no_grad():
        outputs = [network(one.inputs).streams for one in views]
    found = [[out[name].logits.softmax(-1).mean(0).tolist() for out in outputs] for name in CHANNELS]
    return np.array(found)


def test_each_streams_probabilities_are_averaged_over_the_views(network, views):
    expected = stream_scores(network, views[:1])[:, 0]
    with torch.no_grad():
        found = mean_scores(run_views(network, views[0].inputs, kept_features=True), "softmax").by_stream
    np.testing.assert_allclose(torch.stack(list(found.values())), expected, atol=1e-12)
    assert list(found) == list(CHANNELS)


def undecided(network: LateFusion, views: Sequence[Views]) -> None:
    """Move each network's bias so that no class is its favourite for all videos."""
    logits = [network.eval()(one.inputs).streams for one in views]
    for name in CHANNELS:
        mean = torch.stack([out[name].logits.detach().mean(0) for out in logits]).mean(0)
        network.network(name).classifier.bias.data.sub_(mean)


@pytest.mark.parametrize("right", [0, 1])
def test_the_stream_that_knows_counts_most(network, views, right, capsys):
    undecided(network, views)
    scores = stream_scores(network, views)
    labels = scores[right].argmax(axis=1)
    assert len(set(labels)) > 1
    network.train()
    accuracy, loss, interval = tune_fusion(network, training_data_of(views, labels))
    expected = fusion_weights(scores, np.eye(scores.shape[-1], dtype=bool)[labels])
    fused = np.einsum("m,mna->na", expected, scores)
    assert accuracy == np.mean(fused.argmax(1) == labels)
    assert loss == pytest.approx(
        np.mean([-np.log(row[label]) for row, label in zip(fused, labels, strict=True)])
    )
    assert interval[0] < accuracy <= interval[1]
    assert network.weights.tolist() == expected.tolist()
    assert expected[right] > 0.5
    assert not network.training
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"late fusion: frame counts {expected[0]:.2f}, flow counts {expected[1]:.2f}"
    )


def test_without_validation_videos_all_count_alike_and_it_is_said(network, capsys):
    assert tune_fusion(network, training_data_of(None)) is None
    assert network.weights.tolist() == [0.5, 0.5]
    assert capsys.readouterr().err == (
        "late fusion: no validation videos to weigh the streams by, so all count alike\n"
    )


def test_a_validation_video_that_cannot_be_read_any_more_stops_it(network, views):
    with pytest.raises(VideoError, match="gone"):
        tune_fusion(
            network, training_data_of([views[0], Views({}, video=1, error=VideoError("gone"))], [0, 1])
        )
    assert network.weights.tolist() == [0.5, 0.5]


NOTHING = ValidationResult(0)


def outcome_of(best=NOTHING, inside=None, **more):
    return TrainingOutcome(Path("run/model"), best, inside=inside, **{"iterations": 0, **more})


NEXT = ["      attcell predict VIDEO --model run/model --report video.html"]


def test_a_training_ends_with_its_best_metric_and_what_to_do_next():
    best = ValidationResult(300, 0.75, 0.6, (0.6278, 0.8422))
    outcome = outcome_of(best, iterations=1500, num_val=60, epochs=(12.0, 60.0), has_test=True)
    assert training_lines(outcome, 192.4) == [
        "best validation accuracy: 75.0 % of 60 videos (95 % interval 62.8 to 84.2)",
        "kept: iteration 300 of 1500, epoch 12.0 of 60.0",
        "time: 3:12",
        "model: run/model",
        "next: attcell test run/model",
        *NEXT,
    ]
    assert training_values(outcome, 192.4) == {
        "model": "run/model",
        "accuracy": 75.0,
        "interval": [62.78, 84.22],
        "num_videos": 60,
        "iteration": 300,
        "iterations": 1500,
        "epoch": 12.0,
        "epochs": 60.0,
        "svm": None,
        "seconds": 192.4,
    }


def test_a_training_without_validation_says_so():
    lines = training_lines(outcome_of(ValidationResult(8), iterations=8, epochs=(1.0, 1.0)), 5)
    assert lines[0] == "no validation videos: the last network is kept (data.val_fraction=0.2 holds some out)"
    assert lines[4] == "next: attcell test run/model --data TEST_VIDEOS"


def test_an_svm_says_how_it_did_inside():
    inside = InnerFigure(0.8, "accuracy", "9 groups, one left out", (0.7, 0.9), 2.0)
    lines = training_lines(outcome_of(inside=inside), 61)
    assert lines[0] == (
        "SVM, accuracy inside the training videos: 80.0 % (95 % interval 70.0 to 90.0), by 9 groups, one "
        "left out"
    )
    assert lines[1] == "time: 1:01"
    assert training_values(outcome_of(inside=inside), 61)["svm"] == {
        "measure": "accuracy",
        "value": 80.0,
        "interval": [70.0, 90.0],
        "validation": "9 groups, one left out",
    }
