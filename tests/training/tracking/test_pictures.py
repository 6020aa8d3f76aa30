"""Pictures of attention as a training goes: which videos, when, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from lightning.pytorch.loggers.logger import DummyLogger
from PIL import Image

from attcell.config.recipe import check_recipe
from attcell.errors import VideoError
from attcell.inference.model import Model
from attcell.synth.write import write_dataset
from attcell.training.run import train
from attcell.training.tracking import tools
from attcell.training.tracking.pictures import in_turns
from attcell.training.tracking.tools import Begun
from attcell.types import Prediction, VideoRecord
from tests.end_to_end.conftest import recipe_values


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    return write_dataset(folder, seed=3, num_classes=4, videos={"train": 2, "val": 1, "test": 1})


def trained(videos: Path, run: Path, **more: object) -> Path:
    values = recipe_values(videos)
    values["train"] |= {"iterations": 3, "checkpoint_every": 1, "loggers": ["csv"], **more}
    train(check_recipe(values, source="here"), run)
    return run


def test_they_are_drawn_and_the_losses_are_the_same_to_the_bit(videos, tmp_path, monkeypatch, caplog):
    shown: list[tuple[str, str, int]] = []
    begun = Begun(DummyLogger(), lambda name, file, step: shown.append((name, file.name, step)))
    monkeypatch.setitem(tools.TOOLS, "tensorboard", lambda run: begun)
    plain, predict = trained(videos, tmp_path / "plain"), Model.predict

    def but_one(model: Model, video: Path) -> Prediction:
        if video.parent.name == "kick_red":
            raise VideoError("it is gone")
        return predict(model, video)

    monkeypatch.setattr(Model, "predict", but_one)
    pictures = {"every": 2, "videos": 3}
    told = trained(videos, tmp_path / "told", pictures=pictures, loggers=["csv", "tensorboard"])
    logged = [(run / "logs/csv/version_0/metrics.csv").read_bytes() for run in (plain, told)]
    assert logged[0] == logged[1]
    assert logged[0].count(b"\n") > 3
    drawn = sorted(path.relative_to(told).as_posix() for path in (told / "pictures").rglob("*.png"))
    names = ("kick_green-000", "wave_green-000")
    assert drawn == [f"pictures/{step}/{name}.png" for step in ("000002", "000003") for name in names]
    assert shown == [(f"pictures/{name}", f"{name}.png", step) for step in (2, 3) for name in names]
    with Image.open(told / drawn[0]) as picture:
        assert picture.width > 500
    said = [record.getMessage() for record in caplog.records]
    assert said.count("train.pictures: kick_red/000.mp4 is not drawn: it is gone") == 2
    assert any(one.startswith("pictures of 3 validation videos took ") for one in said)


def test_videos_are_taken_of_all_classes_in_turn():
    records = [VideoRecord(f"{n}", Path(f"{n}"), (label,)) for n, label in enumerate((0, 0, 0, 1, 2, 2))]
    assert [record.id for record in in_turns(records, 5)] == ["0", "3", "4", "1", "5"]
    assert in_turns(records, 1) == records[:1]
