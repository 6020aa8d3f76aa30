"""What counts as done when an experiment goes on; figures are kept with what they were measured on."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from attcell.config.recipe import Recipe, check_recipe
from attcell.errors import DataError
from attcell.research import driver
from attcell.research.driver import Measurement, PlannedRun, measure_all


def _write(run: PlannedRun, unread: dict[str, str]) -> None:
    run.scores.parent.mkdir(parents=True)
    run.scores.write_text(json.dumps({"unread": unread}), encoding="utf-8")


def test_a_test_with_unread_videos_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who has mended the video need not delete anything."""
    done, broken = (PlannedRun(cast(Any, None), tmp_path / name) for name in ("done", "broken"))
    _write(done, {})
    _write(broken, {"a.mp4": "a.mp4: no video"})
    tested: list[PlannedRun] = []

    def test_what_is_left(runs: Sequence[PlannedRun], jobs: int) -> Iterator[PlannedRun]:
        for run in runs:
            if not run.scores.is_file():
                tested.append(run)
                run.scores.write_text(json.dumps({"unread": still_unread}), encoding="utf-8")
            yield run

    monkeypatch.setattr(driver, "run_planned", test_what_is_left)
    still_unread = {"a.mp4": "a.mp4: no video"}
    with pytest.raises(DataError, match=r"1 videos cannot be read; [\s\S]*a\.mp4: no video"):
        driver.run_all([done, broken], 1)
    still_unread = {}
    driver.run_all([done, broken], 1)
    driver.run_all([done, broken], 1)
    assert tested == [broken, broken]


@pytest.mark.parametrize("text", ["{", "[1]", '{"unread": [], "beside": 1}'])
def test_a_test_whose_file_is_damaged_is_named(tmp_path: Path, text: str) -> None:
    recipe = check_recipe({"data": {"train": "videos"}, "train": {"iterations": 1}}, "a test")
    run = PlannedRun(recipe, tmp_path / "run")
    _write(run, {})
    assert run.is_done
    run.scores.write_text(text, encoding="utf-8")
    for look in (lambda: run.is_done, run.unread_videos):
        with pytest.raises(
            DataError, match=r"scores\.json is damaged \(.*\); delete it and run the same again"
        ):
            look()


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
    measured = tmp_path / "measured"
    assert measure_all({"a": Measurement(_one, model, {"n": 1})}, measured, 1) == {"a": {"one": 1.0}}
    assert measure_all({"a": Measurement(_two, model, {"n": 1})}, measured, 1) == {"a": {"one": 1.0}}
    assert measure_all({"a": Measurement(_two, model, {"n": 2})}, measured, 1) == {"a": {"one": 2.0}}
    (model / "model.safetensors").write_bytes(b"others")
    assert measure_all({"a": Measurement(_one, model, {"n": 2})}, measured, 1) == {"a": {"one": 1.0}}


def test_measurements_side_by_side_come_to_the_same(model: Path, tmp_path: Path) -> None:
    measured = {"a": Measurement(_one, model, {}), "b": Measurement(_other, model, {})}
    assert measure_all(measured, tmp_path / "measured", 2) == {
        "a": {"one": 1.0},
        "b": {"other": 3.0},
    }
    with pytest.raises(DataError, match="nothing to see"):
        measure_all(
            measured | {"c": Measurement(_fails, model, {}), "d": Measurement(_fails, model, {})}, tmp_path, 2
        )


def test_a_measurement_that_fails_keeps_what_others_found(model: Path, tmp_path: Path) -> None:
    measured = {"a": Measurement(_one, model, {}), "b": Measurement(_fails, model, {})}
    with pytest.raises(DataError, match="nothing to see"):
        measure_all(measured, tmp_path / "measured", 1)
    assert json.loads((tmp_path / "measured" / "a.json").read_text())["figures"] == {"one": 1.0}
    assert not (tmp_path / "measured" / "b.json").exists()


def test_a_damaged_file_is_told(model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DataError, match=r"a\.json is damaged .*delete it and run again"):
        measure_all({"a": Measurement(_one, model, {})}, tmp_path, 1)


def on_threads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Threads stand for the processes of the driver; what it asks for, processes and threads of each."""
    asked: list[tuple[int, int]] = []

    @contextmanager
    def pool(processes: int, threads: int) -> Iterator[ThreadPoolExecutor]:
        asked.append((processes, threads))
        with ThreadPoolExecutor(processes) as executor:
            yield executor

    monkeypatch.setattr(driver, "process_pool", pool)
    return asked


def keeping_features(recipe: Recipe, folder: Path, names: str) -> list[Recipe]:
    """The recipe with a cache of its features, once for each name."""
    values = recipe.model_dump(mode="json")
    values["cache"]["folder"] = str(folder)
    values["model"]["streams"]["frame"]["train_from"] = "none"
    return [check_recipe(values | {"name": name}, source="test") for name in names]


class TestRunsThatWait:
    @pytest.fixture
    def runs(self, tmp_path: Path, recipe: Recipe) -> list[PlannedRun]:
        """Two that stand for themselves, one that begins with the first, and one with the first and that."""
        first, other, second, last = (tmp_path / name for name in ("first", "other", "second", "last"))
        return [
            PlannedRun(recipe, first),
            PlannedRun(recipe, other),
            PlannedRun(recipe, last, frozenset({first, second})),
            PlannedRun(recipe, second, frozenset({first})),
        ]

    def test_a_run_is_ready_when_all_that_it_begins_with_is_done(self, runs: list[PlannedRun]) -> None:
        first, other, last, second = runs
        queue = driver._Queue(runs)
        assert queue.ready() == [first, other]
        assert queue.ready() == []
        queue.done(other)
        assert queue.ready() == []
        queue.done(first)
        assert queue.ready() == [second]
        queue.done(second)
        assert queue.ready() == [last]
        assert queue.ready() == []

    def test_what_is_done_already_holds_nothing_back(self, runs: list[PlannedRun]) -> None:
        _, _, last, second = runs
        assert driver._Queue([last, second]).ready() == [second]

    def test_they_go_in_that_order(
        self, runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(driver, "refuse_another_recipe", lambda folder, recipe: None)
        monkeypatch.setattr(driver, "train_and_test", lambda run: None)
        went = [run.folder.name for run in driver.run_planned(runs, jobs=1)]
        assert went == ["first", "other", "second", "last"]
        assert f"run 4 of 4: {runs[2].folder}" in capfd.readouterr().err

    def test_side_by_side_a_run_waits_for_what_it_begins_with(
        self, runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Threads stand for the processes; the run beside goes on meanwhile."""
        told: list[str] = []
        second_began = threading.Event()

        def train(run: PlannedRun) -> None:
            name = run.folder.name
            told.append(f"{name} begins")
            if name == "second":
                second_began.set()
            if name == "other":
                assert second_began.wait(60)
            told.append(f"{name} ends")

        asked = on_threads(monkeypatch)
        monkeypatch.setattr(driver, "train_and_test_with_log", train)
        went = [run.folder.name for run in driver.run_planned(runs, jobs=2)]
        assert sorted(went) == ["first", "last", "other", "second"]
        assert told.index("first ends") < told.index("second begins") < told.index("other ends")
        assert told.index("second ends") < told.index("last begins")
        assert asked == [(2, max(1, (os.cpu_count() or 1) // 2))]

    def test_features_are_a_job_that_their_runs_wait_for_and_others_do_not(
        self, runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Those of one recipe at a time, and never here, where jobs are given out."""
        keeping = keeping_features(runs[0].recipe, tmp_path / "kept", "aab")
        named = [PlannedRun(one, tmp_path / f"kept{number}") for number, one in enumerate(keeping)]
        plain = PlannedRun(runs[0].recipe, tmp_path / "plain")
        told: list[str] = []
        plain_began = threading.Event()

        def keep(together: Sequence[PlannedRun], threads: int) -> None:
            assert threading.current_thread() is not threading.main_thread()
            assert threads == torch.get_num_threads()
            assert plain_began.wait(60)
            told.append(f"features of {' '.join(run.folder.name for run in together)} begin")
            told.append("features end")

        def train(run: PlannedRun) -> None:
            if run is plain:
                plain_began.set()
            told.append(run.folder.name)

        on_threads(monkeypatch)
        monkeypatch.setattr(driver, "train_and_test_with_log", train)
        monkeypatch.setattr(driver, "_keep_features_with_log", keep)
        went = list(driver.run_planned([*named, plain], jobs=2))
        assert {run.folder for run in went} == {run.folder for run in (*named, plain)}
        features = [place for place, of in enumerate(told) if of.startswith("features of")]
        assert [told[place] for place in features] == [
            "features of kept0 kept1 begin",
            "features of kept2 begin",
        ]
        assert told.index("plain") < features[0] < min(told.index("kept0"), told.index("kept1"))
        assert told.index("features end") < features[1] < told.index("kept2")

    def test_one_after_the_other_features_come_just_before_their_runs(
        self, runs: list[PlannedRun], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        keeping = keeping_features(runs[0].recipe, tmp_path / "kept", "ab")
        told: list[str] = []
        monkeypatch.setattr(driver, "_keep_features", lambda runs: told.append(f"of {runs[0].recipe.name}"))
        monkeypatch.setattr(driver, "train_and_test", lambda run: told.append(run.recipe.name))
        list(driver.run_planned([PlannedRun(one, tmp_path / one.name) for one in keeping], jobs=1))
        assert told == ["of a", "a", "of b", "b"]
