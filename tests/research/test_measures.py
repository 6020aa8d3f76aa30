"""Looks are kept with what they were measured on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attcell.errors import DataError
from attcell.research.measures import Measurement, measure_in_parallel


def _one() -> dict[str, float]:
    return {"one": 1.0}


def _two() -> dict[str, float]:
    return {"one": 2.0}


def _other() -> dict[str, float]:
    return {"other": 3.0}


def _fails() -> dict[str, float]:
    raise DataError("nothing to see")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_what_is_kept_holds_for_its_model_and_settings_alone(model: Path, tmp_path: Path) -> None:
    looks = tmp_path / "looks"
    assert measure_in_parallel({"a": Measurement(_one, model, {"n": 1})}, looks, 1) == {"one": 1.0}
    assert measure_in_parallel({"a": Measurement(_two, model, {"n": 1})}, looks, 1) == {"one": 1.0}
    assert measure_in_parallel({"a": Measurement(_two, model, {"n": 2})}, looks, 1) == {"one": 2.0}
    (model / "model.safetensors").write_bytes(b"others")
    assert measure_in_parallel({"a": Measurement(_one, model, {"n": 2})}, looks, 1) == {"one": 1.0}


def test_looks_side_by_side_come_to_the_same(model: Path, tmp_path: Path) -> None:
    looks = {"a": Measurement(_one, model, {}), "b": Measurement(_other, model, {})}
    assert measure_in_parallel(looks, tmp_path / "looks", 2) == {"one": 1.0, "other": 3.0}
    with pytest.raises(DataError, match="nothing to see"):
        measure_in_parallel(
            looks | {"c": Measurement(_fails, model, {}), "d": Measurement(_fails, model, {})}, tmp_path, 2
        )


def test_a_look_that_fails_keeps_what_others_found(model: Path, tmp_path: Path) -> None:
    looks = {"a": Measurement(_one, model, {}), "b": Measurement(_fails, model, {})}
    with pytest.raises(DataError, match="nothing to see"):
        measure_in_parallel(looks, tmp_path / "looks", 1)
    assert json.loads((tmp_path / "looks" / "a.json").read_text())["figures"] == {"one": 1.0}
    assert not (tmp_path / "looks" / "b.json").exists()


def test_a_damaged_file_is_told(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DataError, match=r"a\.json is damaged .*delete it and run again"):
        measure_in_parallel({"a": Measurement(_one, model, {})}, tmp_path, 1)
