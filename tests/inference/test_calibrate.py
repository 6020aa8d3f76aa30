"""What detection learns from labels of whole videos, and how it is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from attcell.cli.app import app
from attcell.data.sources import read_source
from attcell.errors import CallError, DataError, ModelError
from attcell.inference.calibrate import (
    StreamedVideo,
    best_threshold,
    calibrate,
    calibrate_model,
    fit_classifier,
)
from attcell.inference.calibration import CALIBRATION_FILE, Calibration
from attcell.inference.detect import detect_video
from attcell.inference.detection_rules import RULES, ActivationRule, GroupRule, RuleChoice, rule_of, words
from attcell.inference.model import Model
from attcell.types import VideoRecord
from tests.small_models import LABELS, random_model, recipe_of


def watched(labels: tuple[int, ...], segments: np.ndarray, num_classes: int = 3) -> StreamedVideo:
    num = len(segments)
    return StreamedVideo(labels, segments, np.ones((num, 1)), np.full((num, num_classes), 1 / num_classes))


def test_the_classifier_tells_what_can_be_told():
    rng = np.random.default_rng(0)
    videos = [watched((label,), rng.normal(size=(30, 4)) + 4 * np.eye(4)[label]) for label in (0, 2) * 5]
    weight, bias = fit_classifier(videos, 3)
    assert weight.shape == (3, 4)
    for video in videos:
        scores = (torch.from_numpy(video.segments).float() @ weight.T + bias).softmax(-1)
        assert scores[:, 1].max() < 1e-6, "no video shows this class"
        assert (scores.argmax(-1) == video.labels[0]).float().mean() > 0.95


def test_three_classes_and_a_video_of_two():
    rng = np.random.default_rng(0)
    videos = [watched((label,), rng.normal(size=(20, 4)) + 4 * np.eye(4)[label]) for label in (0, 1, 2)]
    videos.append(watched((0, 1), rng.normal(size=(20, 4)) + 4 * np.eye(4)[3]))
    weight, bias = fit_classifier(videos, 3)
    shared = torch.from_numpy(videos[-1].segments).float()
    scores = (shared @ weight.T + bias).softmax(-1).mean(0).tolist()
    assert scores[0] == pytest.approx(scores[1], abs=0.15)
    assert scores[2] < min(scores[:2])


def test_the_threshold_is_where_own_classes_stand_out():
    scores = np.array([[0.7, 0.3], [0.65, 0.35], [0.2, 0.8]])
    attention = np.array([[1.0], [1.0], [0.0]])
    video = StreamedVideo((0,), np.zeros((3, 1)), attention, scores)
    assert 0.35 <= best_threshold([video], attended=True) < 0.65
    assert best_threshold([video], attended=False) < 0.2, "without attention all own samples must be above"
    own = np.stack([attention[:, 0], np.zeros(3)], axis=1)  # each class has its own: the other's hides it
    assert best_threshold([replace(video, attention=own)], attended=True) < 0.35


@pytest.fixture
def kept(folder, recipe, tmp_path):
    model = random_model(recipe)
    Model(model.network, LABELS, recipe).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_it_is_kept_beside_the_model_and_used(kept, folder, record):
    model = Model.from_folder(kept)
    assert model.calibration is None
    found = calibrate_model(model, kept, None, None, 3)
    assert found.num_videos == 6
    loaded = Model.from_folder(kept)
    again = loaded.calibration
    assert again is not None
    torch.testing.assert_close(again.weight, found.weight)
    assert (again.threshold, again.threshold_alone, again.every) == (
        found.threshold,
        found.threshold_alone,
        3,
    )
    seen = detect_video(
        loaded, record.path, RuleChoice("paper", attention_threshold=-1e6, class_threshold=0.0)
    )
    assert seen.track is not None
    assert seen.track.separate_scores is not None
    assert seen.track.separate_scores.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert len(seen.track.seconds) == 4, "12 frames, one in 3"
    assert {of.label for of in seen.detections or ()} == set(LABELS)


def test_a_new_model_in_the_folder_takes_it_away_and_a_foreign_one_is_refused(kept, recipe, folder):
    model = Model.from_folder(kept)
    calibrate_model(model, kept, None, None, 3)
    content = (kept / CALIBRATION_FILE).read_bytes()
    other = random_model(recipe, seed=1)
    Model(other.network, LABELS, recipe).save_pretrained(kept)
    assert Model.from_folder(kept).calibration is None
    (kept / CALIBRATION_FILE).write_bytes(content)
    path = next(folder.rglob("*.mp4"))
    with pytest.raises(ModelError, match=r"belongs to another model; run attcell calibrate .* again"):
        detect_video(Model.from_folder(kept), path, RuleChoice())
    (kept / CALIBRATION_FILE).write_bytes(content[: len(content) // 2])
    damaged = Model.from_folder(kept)
    with pytest.raises(ModelError, match=r"is damaged \(.*\); run attcell calibrate .* again"):
        detect_video(damaged, path, RuleChoice())
    (kept / CALIBRATION_FILE).write_bytes(content.replace(b'\\"every\\": 3', b'\\"every\\":1e999'))
    with pytest.raises(ModelError, match=r"is damaged \(.*\); run attcell calibrate .* again"):
        detect_video(Model.from_folder(kept), path, RuleChoice())
    calibrate_model(damaged, kept, None, None, 3)  # as the message says
    assert Model.from_folder(kept).calibration is not None


def test_a_training_video_of_which_nothing_decodes_is_told(model, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "img_00001.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"1 videos cannot be read"):
        calibrate(model, [VideoRecord("a", folder, (0,))], 3)


def test_saving_a_model_anew_keeps_what_it_learnt(kept, tmp_path):
    calibrate_model(Model.from_folder(kept), kept, None, None, 3)
    model = Model.from_folder(kept)
    model.save_pretrained(tmp_path / "copy")
    assert Model.from_folder(tmp_path / "copy").calibration is not None


def test_what_it_cannot_learn_from_is_told(model, folder, tmp_path):
    (tmp_path / "empty.mp4").touch()
    records = [*read_source(folder).records, VideoRecord("e", tmp_path / "empty.mp4", (0,))]
    with pytest.raises(DataError, match=r"1 videos cannot be read; [^!]*empty\.mp4: the file is empty"):
        calibrate(model, records, 3)
    one_class = [record for record in read_source(folder).records if record.label == 0]
    with pytest.raises(DataError, match="the training videos are of 1 classes; at least 2 are needed"):
        calibrate(model, one_class, 3)
    svm = random_model(recipe_of(folder, model={"classifier": "svm"}))
    with pytest.raises(CallError, match="this SVMNetwork does not score the segments"):
        calibrate(svm, read_source(folder).records, 3)


class TestRules:
    KNOWN = Calibration(torch.zeros(3, 2), torch.zeros(3), 0.35, 0.45, 10, 5)

    def test_thresholds_are_the_calibrations_the_rules_or_the_users(self):
        assert rule_of(RuleChoice(), self.KNOWN, 3) == ActivationRule("relative", 0.35)
        assert rule_of(RuleChoice(), None, 3) == ActivationRule("relative", 0.2)
        assert rule_of(RuleChoice(threshold=0.6), self.KNOWN, 3) == ActivationRule("relative", 0.6)
        assert rule_of(RuleChoice("classes"), self.KNOWN, 3) == ActivationRule("none", 0.45)
        assert rule_of(RuleChoice("classes"), None, 8) == ActivationRule("none", 0.25)
        assert rule_of(RuleChoice("paper"), self.KNOWN, 3) == GroupRule("raw", 0.01, 0.4)
        chosen = RuleChoice("sigmoid", class_threshold=0.7, length_normalised=True)
        assert rule_of(chosen, self.KNOWN, 3) == GroupRule("sigmoid", 0.5, 0.7, True)

    def test_they_are_said(self):
        assert words(RuleChoice(), self.KNOWN, 3) == (
            "relative: relative attention × class score above 0.35; its sum, times the class's score for the "
            "video"
        )
        assert "(not calibrated)" in words(RuleChoice(), None, 3)
        assert words(RuleChoice("paper"), self.KNOWN, 3) == (
            "paper: k above 0.01 and the segment classifier's score above 0.4; sum of their product"
        )
        assert words(RuleChoice("stpn"), None, 3) == "stpn: σ(k) × class score above 0.05; its mean"

    def test_the_command_line_offers_each(self):
        text = CliRunner().invoke(app, ["detect", "--help"]).stdout
        assert f"--rule <{'|'.join(RULES)}>" in text

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"name": "stpn", "length_normalised": True}, "rule stpn scores by a mean anyway; leave length"),
            ({"name": "best"}, "rule is 'best'; allowed: relative, paper, sigmoid, classes, stpn"),
            ({"attention_threshold": 0.5}, "rule relative takes no attention_threshold; leave it out"),
            ({"name": "paper", "threshold": 0.5}, "rule paper takes no threshold; leave it out"),
            ({"threshold": float("nan")}, "threshold is nan; give a number"),
        ],
    )
    def test_what_a_rule_does_not_take_is_refused(self, options, said):
        with pytest.raises(CallError, match=said):
            RuleChoice(**options)
