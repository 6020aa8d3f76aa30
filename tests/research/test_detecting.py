"""Detection as a part of a run: what is kept to go on, what cannot be read, and what is judged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from attcell.config.recipe import Recipe, check_recipe
from attcell.errors import CallError, DataError
from attcell.inference import calibrate
from attcell.inference.calibrate import KeptOfVideos
from attcell.inference.model import Model
from attcell.models.build import build_network
from attcell.research import asked, detecting
from attcell.research.detecting import check_detection, find_actions
from attcell.types import Answer, VideoRecord
from tests.small_models import recipe_of

LABELS = ("BaseballPitch", "Billiards")
FAULTY = "video_test_0001292"  # which has no action


@pytest.fixture(scope="module")
def place(miniature: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature, for these tests alone."""
    return Path(shutil.copytree(miniature("thumos14_detection"), tmp_path_factory.mktemp("set") / "set"))


def asking(place: Path, **detection: Any) -> Recipe:
    """A recipe for the set, and what it asks."""
    data = {"train": None, "dataset": "thumos14_detection", "root": place / "videos"}
    values = recipe_of(place, data={**data, "annotations": place / "lists"}).model_dump(mode="json")
    return check_recipe({**values, "detection": {"every": 10, **detection}}, source="test")


def check(recipe: Recipe) -> None:
    assert recipe.detection is not None
    check_detection(recipe, recipe.detection)


def find(recipe: Recipe, model: Path, out: Path) -> Answer:
    assert recipe.detection is not None
    return find_actions(recipe, recipe.detection, model, out)


@pytest.fixture
def model(place: Path, tmp_path: Path) -> Path:
    """A network that knows nothing, with the set's classes."""
    recipe = asking(place)
    network = build_network(recipe, len(LABELS), load_weights=False)
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * 0.2
    Model(network.eval(), LABELS, recipe).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The videos that the network goes through, of training as of test."""
    names: list[str] = []
    follow, stream = detecting.follow_video, calibrate.stream_samples

    def follow_video(model: Model, path: Path, *given: Any, **named: Any) -> Any:
        names.append(path.stem)
        return follow(model, path, *given, **named)

    def stream_samples(model: Model, record: Any, *given: Any, **named: Any) -> Any:
        names.append(record.path.stem)
        return stream(model, record, *given, **named)

    monkeypatch.setattr(detecting, "follow_video", follow_video)
    monkeypatch.setattr(calibrate, "stream_samples", stream_samples)
    return names


@contextmanager
def stopped_at(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, is_there: Callable[[Any], bool]
) -> Iterator[None]:
    """Work is broken off before the function of this name gets a certain video, its second argument."""
    whole = getattr(module, name)

    def stops(model: Model, video: Any, *given: Any, **named: Any) -> Any:
        if is_there(video):
            raise KeyboardInterrupt
        return whole(model, video, *given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(module, name, stops)
        with pytest.raises(KeyboardInterrupt):
            yield


def test_work_that_was_broken_off_goes_on(place, model, followed, tmp_path, monkeypatch):
    recipe = asking(place)
    with stopped_at(monkeypatch, detecting, "follow_video", lambda path: path.stem == "video_test_0000270"):
        find(recipe, model, tmp_path)
    taught = [f"video_validation_{number:07d}" for number in (1, 2, 3, 5)]
    assert followed == [*taught, "video_test_0000011", "video_test_0000012"]
    assert not (tmp_path / "detections.json").exists()
    followed.clear()
    found = find(recipe, model, tmp_path)
    assert followed == ["video_test_0000270", "video_test_0001292", "video_test_0001496"]
    assert list(found.metrics) == [f"map@0.{tenth}" for tenth in range(1, 6)]
    followed.clear()
    assert find(recipe, model, tmp_path).metrics == found.metrics
    assert followed == []


def test_a_calibration_that_was_broken_off_goes_on(place, model, followed, tmp_path, monkeypatch):
    recipe, last = asking(place), "video_validation_0000003"
    with stopped_at(monkeypatch, calibrate, "stream_samples", lambda record: record.id == last):
        find(recipe, model, tmp_path / "one")
    followed.clear()
    find(recipe, model, tmp_path / "one")
    assert followed[:2] == ["video_validation_0000003", "video_validation_0000005"]
    at_once = Model.from_folder(model).calibration
    (model / "detection.safetensors").unlink()
    find(recipe, model, tmp_path / "two")
    again = Model.from_folder(model).calibration
    assert at_once is not None
    assert again is not None
    assert torch.equal(at_once.weight, again.weight)
    assert at_once.threshold == again.threshold


def test_other_samples_are_learnt_anew_and_another_rule_is_not(place, model, followed, tmp_path):
    find(asking(place), model, tmp_path)
    followed.clear()
    paper = find(asking(place, rule="paper"), model, tmp_path)
    assert followed == []
    assert "paper: k above 0.01 and the segment classifier's score above 0.4" in paper.protocol["detection"]
    find(asking(place, every=20), model, tmp_path)
    assert len(followed) == 4 + 5
    followed.clear()
    find(asking(place, every=20, rule="stpn"), model, tmp_path)
    assert followed == []


def test_the_rule_of_fixed_thresholds_is_not_calibrated(place, model, followed, tmp_path):
    found = find(asking(place, rule="stpn"), model, tmp_path)
    assert {name[:10] for name in followed} == {"video_test"}
    assert Model.from_folder(model).calibration is None
    assert "a sample every 10 frames; stpn: " in found.protocol["detection"]


def test_videos_with_an_action_are_judged_alone_too(place, model, tmp_path):
    found = find(asking(place, rule="stpn", annotated=True), model, tmp_path / "all")
    names = [f"map{of}@0.{tenth}" for of in ("", "_annotated") for tenth in range(1, 6)]
    assert list(found.metrics) == names
    assert "5 videos, 5 true actions" in found.protocol["detection"]
    assert "4 videos, 5 true actions" in found.protocol["detection_annotated"]
    without = find(asking(place, rule="stpn", exclude=[FAULTY]), model, tmp_path / "all")
    assert [found.metrics[name] for name in names[5:]] == list(without.metrics.values())


def test_a_video_that_cannot_be_read_is_told_and_its_actions_are_missed(
    miniature, model, tmp_path, monkeypatch
):
    broken = Path(shutil.copytree(miniature("thumos14_detection"), tmp_path / "set"))
    (broken / "videos" / "video_test_0000011.mp4").write_text("no video")
    found = find(asking(broken, rule="stpn"), model, tmp_path / "out")
    assert list(found.unread) == ["video_test_0000011"]
    written = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert list(written["failed"]) == ["video_test_0000011"]
    assert [Path(of["video"]).stem for of in written["videos"]] == [
        "video_test_0000012", "video_test_0000270", "video_test_0001292", "video_test_0001496",
    ]  # fmt: skip
    assert "5 videos, 5 true actions" in found.protocol["detection"]


def test_videos_that_are_left_out_are_in_no_truth(miniature, model, tmp_path):
    less = Path(shutil.copytree(miniature("thumos14_detection"), tmp_path / "set"))
    (less / "videos" / "video_test_0000012.mp4").unlink()
    values = asking(less, rule="stpn", exclude=[FAULTY]).model_dump(mode="json")
    values["data"]["missing"] = "leave_out"
    found = find(check_recipe(values, source="test"), model, tmp_path / "out")
    assert found.unread == {}
    assert "3 videos, 3 true actions" in found.protocol["detection"]
    assert f"excluded {FAULTY}" in found.protocol["detection"]


def test_a_truth_that_says_nothing_of_these_videos_is_told_first(place, tmp_path):
    def of(video: str, label: str) -> Path:
        segment = {"segment": [0.0, 1.0], "label": label}
        part = {"subset": "validation", "duration": 9.0, "annotations": [segment]}
        (tmp_path / "truth.json").write_text(json.dumps({"database": {video: part}}))
        return tmp_path / "truth.json"

    check(asking(place, truth=of("video_test_0000011", "Billiards")))
    with pytest.raises(DataError, match=r"truth.json tells of no action in any of the test videos; give"):
        check(asking(place, truth=of("other", "Billiards")))
    with pytest.raises(DataError, match=r"has none of the recipe's classes: 1, first 'Surfing', and 2, fi"):
        check(asking(place, truth=of("video_test_0000011", "Surfing")))
    with pytest.raises(CallError, match=r"detection.exclude video_9: .* has no such video in test"):
        check(asking(place, exclude=["video_9"]))


def test_parts_of_a_folder_are_told_first(place, tmp_path):
    """Their truth would be that of the whole folder."""
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(1, 11):
        Image.new("RGB", (48, 36)).save(frames / f"img_{number:05d}.jpg")
    (tmp_path / "list.txt").write_text("frames 0 5 1\nframes 5 5 0\n")
    values = recipe_of(place).model_dump(mode="json")
    values["data"] |= {"train": str(tmp_path / "list.txt"), "test": str(tmp_path / "list.txt")}
    recipe = check_recipe({**values, "detection": {"truth": "truth.json"}}, source="test")
    with pytest.raises(
        CallError, match=r"detection goes through whole videos, and .* is a part of .*/frames "
    ):
        check(recipe)


def test_a_corrected_truth_is_asked_anew(place, tmp_path):
    def asked_of(end: float) -> dict[str, Any]:
        segment = {"segment": [0.0, end], "label": "Billiards"}
        part = {"subset": "validation", "duration": 9.0, "annotations": [segment]}
        (tmp_path / "truth.json").write_text(json.dumps({"database": {"video_test_0000011": part}}))
        return asked._asked(asking(place, truth=tmp_path / "truth.json"))

    assert asked_of(1.0) == asked_of(1.0)
    assert asked_of(1.0) != asked_of(2.0)
    lists = Path(shutil.copytree(place, tmp_path / "set"))
    before = asked._asked(asking(lists))
    assert before == asked._asked(asking(lists))
    (file,) = (lists / "lists").rglob("Billiards_test.txt")
    file.write_text(file.read_text().replace("  ", " ").rsplit("\n", 2)[0] + "\n")
    assert asked._asked(asking(lists)) != before


class TestWhatIsKept:
    """What a network said holds for the same input alone."""

    @pytest.fixture
    def records(self, tmp_path: Path) -> list[VideoRecord]:
        (tmp_path / "a.mp4").write_bytes(b"video")
        (tmp_path / "npy").mkdir()
        np.save(tmp_path / "npy" / "a.npy", np.zeros((3, 4), np.float32))
        return [VideoRecord("a", tmp_path / "a.mp4", (0,))]

    def test_stored_and_computed_flow_are_two_inputs(self, model, records, tmp_path):
        kept = KeptOfVideos(tmp_path / "kept", Model.from_folder(model), records, {"every": 5, "most": 9})
        kept.write(records[0], {"x": np.ones(2)}, stored_flow=True)
        found = kept.read(records[0], stored_flow=True)
        assert found is not None
        assert found["x"].tolist() == [1, 1]
        assert kept.read(records[0], stored_flow=False) is None
        other = KeptOfVideos(tmp_path / "kept", Model.from_folder(model), records, {"every": 5, "most": 8})
        assert other.read(records[0], stored_flow=True) is None

    def test_features_that_were_changed_are_another_input(self, model, records, tmp_path):
        values = Model.from_folder(model).recipe.model_dump(mode="json")
        values["features"]["folder"] = str(tmp_path / "npy")
        bare = Model.from_folder(model)
        given = Model(bare.network, bare.labels, check_recipe(values, source="test"))
        KeptOfVideos(tmp_path / "kept", given, records, {}).write(
            records[0], {"x": np.ones(2)}, stored_flow=False
        )
        again = KeptOfVideos(tmp_path / "kept", given, records, {})
        assert again.read(records[0], stored_flow=False) is not None
        np.save(tmp_path / "npy" / "a.npy", np.zeros((4, 4), np.float32))
        changed = KeptOfVideos(tmp_path / "kept", given, records, {})
        assert changed.read(records[0], stored_flow=False) is None


def test_a_list_without_times_wants_a_truth(folder):
    values = recipe_of(folder).model_dump(mode="json") | {"detection": {}}
    with pytest.raises(CallError, match=r"detection.truth must say when the actions are, where there is no"):
        check_recipe(values, source="test")
