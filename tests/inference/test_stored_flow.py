"""Whose flow is taken from the store that a recipe names: of its own videos and their copies, and said."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from attcell.cli.app import app
from attcell.data.sources import read_source
from attcell.errors import DataError
from attcell.inference import stored_flow
from attcell.inference.calibrate import calibrate_model
from attcell.inference.detect import detect_video
from attcell.inference.detection_rules import RuleChoice
from attcell.inference.extract_flow import Layout, extract_flow
from attcell.inference.predict import predict_video
from attcell.inference.stored_flow import store_command, unfit_flow, with_stored_flow
from attcell.training.prepare import prepare
from attcell.video.flow_files import DESCRIPTION
from attcell.video.flow_source import ComputedFlow, StoredFlow
from attcell.video.optical_flow import FlowSpec
from tests.moving import moving_frames, write_frames, write_pictures
from tests.small_models import LABELS, random_model, recipe_of

SPEC = FlowSpec("fast", short_side=36)
FLOW = {"flow": {"backbone": "small", "weights": "none", "conv6_channels": 4}}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Videos of three classes, two of each, and their flow."""
    folder = tmp_path_factory.mktemp("made")
    for number, label in enumerate(LABELS):
        for other in range(2):
            frames = moving_frames(6 + number, seed=2 * number + other)
            write_frames(folder / "videos" / label / f"{other}.avi", frames)
    extract_flow(read_source(folder / "videos"), folder / "flow", SPEC, layout=Layout(frames=False))
    return folder


@pytest.fixture
def place(made, tmp_path) -> Path:
    """A copy of both, of this test alone."""
    return Path(shutil.copytree(made, tmp_path / "place"))


@pytest.fixture
def recipe(place):
    flow = {"fields": 2, "store": place / "flow", "short_side": 36}
    return recipe_of(place / "videos", model={"streams": FLOW}, flow=flow)


class Noted:
    """Where flow came from, call by call, in this process and in those that it begins."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.touch()

    def __iter__(self) -> Iterator[str]:
        return iter(self.file.read_text().split())


@pytest.fixture
def sources(monkeypatch, tmp_path) -> Noted:
    noted = Noted(tmp_path / "noted")
    for kind in (ComputedFlow, StoredFlow):
        real = kind.codes

        def codes(self, *arguments, real=real):
            with noted.file.open("a") as file:
                file.write(f"{type(self).__name__}\n")
            return real(self, *arguments)

        monkeypatch.setattr(kind, "codes", codes)
    return noted


def test_predict_and_detect_take_the_flow_of_the_recipes_videos(place, recipe, sources, capsys):
    model, video = random_model(recipe), place / "videos" / "sit" / "1.avi"
    predict_video(model, video)
    detect_video(model, video, RuleChoice())
    assert set(sources) == {"StoredFlow"}
    assert "computed" not in capsys.readouterr().err


def test_a_copy_is_known_by_its_content(place, recipe, sources):
    copy = place / "elsewhere" / "sit" / "1.avi"
    copy.parent.mkdir(parents=True)
    shutil.copy(place / "videos" / "sit" / "1.avi", copy)
    predict_video(random_model(recipe), copy)
    assert set(sources) == {"StoredFlow"}


def test_flow_of_other_videos_is_computed_and_that_is_said(place, recipe, sources, capsys):
    other = write_frames(place / "sit" / "1.avi", moving_frames(9, seed=77))  # of a name that is in the store
    unknown = write_frames(place / "holidays.avi", moving_frames(9, seed=78))
    model = random_model(recipe)
    for video in (other, unknown):
        predict_video(model, video)
        detect_video(model, video, RuleChoice())
    assert set(sources) == {"ComputedFlow"}
    said = capsys.readouterr().err
    assert f"flow of 1 of 1 videos is computed as it goes, not taken from {place / 'flow'}:" in said
    assert f"sit/1 is the flow of another file than {other}" in said
    assert f"holds no flow of {unknown}" in said


def test_of_many_videos_it_is_said_once(place, recipe, capsys):
    videos = sorted((place / "videos").rglob("*.avi"))
    for name in ("run/0", "run/1", "sit/0", "sit/1"):
        shutil.rmtree(place / "flow" / name)
    assert with_stored_flow(recipe, videos) == {videos[4], videos[5]}
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"flow of 4 of 6 videos is computed as it goes, not taken from {place / 'flow'}:"
    assert [f"holds no flow of {video}" in line for video, line in zip(videos, lines[1:4], strict=False)] == [
        True
    ] * 3
    assert lines[4] == "  and 1 more"


def test_flow_by_another_method_is_not_taken(place, recipe, sources, capsys):
    for file in (place / "flow").rglob(DESCRIPTION):
        file.write_text(json.dumps({**json.loads(file.read_text()), "method": "paper", "bound": 15.0}))
    predict_video(random_model(recipe), place / "videos" / "sit" / "1.avi")
    assert set(sources) == {"ComputedFlow"}
    assert (
        "made by another recipe: method 'paper', not 'fast', bound 15.0, not 20.0" in capsys.readouterr().err
    )


def test_flow_that_does_not_say_whose_it_is_is_the_recipes_videos(place, recipe, capsys):
    for file in (place / "flow").rglob(DESCRIPTION):
        file.unlink()
    own = place / "videos" / "sit" / "1.avi"
    copy = place / "elsewhere" / "sit" / "1.avi"
    copy.parent.mkdir(parents=True)
    shutil.copy(own, copy)
    assert with_stored_flow(recipe, [own, copy]) == {own}
    assert (
        f"sit/1 does not say what it was made from, and {copy} is not the recipe's" in capsys.readouterr().err
    )


def test_without_a_store_or_a_flow_stream_nothing_is_looked_for(place, recipe, capsys):
    video = place / "videos" / "sit" / "1.avi"
    for other in (
        recipe_of(place / "videos", model={"streams": FLOW}),
        recipe_of(place / "videos", flow={"store": place / "flow"}),
    ):
        assert with_stored_flow(other, [video]) == frozenset()
        assert unfit_flow(other, read_source(place / "videos").records) == {}
    assert capsys.readouterr().err == ""


def test_calibrate_takes_the_flow_of_the_recipes_videos(place, recipe, sources):
    model, folder = random_model(recipe), place / "model"
    model.save_pretrained(folder)
    found = calibrate_model(model, folder, None, None, 2)
    assert found.num_videos == 6
    assert set(sources) == {"StoredFlow"}


def test_calibrate_names_what_the_store_lacks_before_it_begins(place, recipe, sources):
    shutil.rmtree(place / "flow" / "sit" / "0")
    with pytest.raises(DataError) as caught:
        calibrate_model(random_model(recipe), place / "model", None, None, 2)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{place / 'flow'} does not fit 1 videos:"
    assert "holds no flow of" in lines[1]
    assert lines[2] == f"  1 of them are not in it; to complete it: {store_command(recipe)}"
    assert list(sources) == []


def test_calibrate_on_other_videos_computes_what_the_store_lacks(place, recipe, sources):
    model, folder = random_model(recipe), place / "model"
    model.save_pretrained(folder)
    others = place / "others"
    for number, label in enumerate(LABELS):
        write_frames(others / label / "5.avi", moving_frames(6, seed=50 + number))
    shutil.copy(place / "videos" / "sit" / "0.avi", others / "sit" / "0.avi")
    assert calibrate_model(model, folder, others, None, 2).num_videos == 4
    assert set(sources) == {"StoredFlow", "ComputedFlow"}


def test_the_command_that_completes_a_store_is_the_recipes(place, recipe, made):
    assert store_command(recipe) == (
        f"attcell extract flow {place / 'videos'} {place / 'flow'} --method fast --bound 20 --short-side 36"
    )
    listed = recipe_of(
        place / "my list.txt", data={"root": place / "videos"}, model={"streams": FLOW}, flow={"bound": 12.5}
    )
    assert store_command(listed) == (
        f"attcell extract flow '{place / 'my list.txt'}' flow --method fast --bound 12.5 --short-side 36 "
        f"--root {place / 'videos'}"
    )
    without = recipe.model_copy(update={"flow": recipe.flow.model_copy(update={"camera": "median"})})
    assert store_command(without) == f"{store_command(recipe)} --camera median"


def test_parts_that_lie_apart_have_a_command_each(place):
    """Run as they are, they make a store that fits, also where two videos have one name."""
    apart, flow = place / "apart", {"fields": 2, "store": place / "new", "short_side": 36}
    for seed, part in enumerate(("train", "test")):
        for label in LABELS:
            write_frames(apart / part / label / "0.avi", moving_frames(6, seed=60 + seed))
    data = {"test": apart / "test"}
    recipe = recipe_of(apart / "train", data=data, model={"streams": FLOW}, flow=flow)
    options = "--method fast --bound 20 --short-side 36"
    commands = [
        f"attcell extract flow {apart / part} {place / 'new' / part} {options}" for part in ("train", "test")
    ]
    assert store_command(recipe) == " && ".join(commands)
    for command, lacking in zip(commands, (commands[1], store_command(recipe)), strict=True):
        assert CliRunner().invoke(app, shlex.split(command)[1:]).exit_code == 0
        assert store_command(recipe) == lacking
    records = [*read_source(apart / "train").records, *read_source(apart / "test").records]
    assert len(records) == 2 * len(LABELS)
    assert unfit_flow(recipe, records) == {}


def test_a_store_that_was_begun_with_the_training_folders_themselves_goes_on_so(place, recipe):
    tests = write_frames(place / "tests" / "run" / "9.avi", moving_frames(6, seed=61)).parents[1]
    both = recipe.model_copy(update={"data": recipe.data.model_copy(update={"test": tests})})
    options = "--method fast --bound 20 --short-side 36"
    shutil.rmtree(place / "flow" / "sit" / "0")
    assert store_command(both) == (
        f"attcell extract flow {place / 'videos'} {place / 'flow'} {options} && "
        f"attcell extract flow {tests} {place / 'flow' / 'tests'} {options}"
    )
    lists = [place / f"{part}.txt" for part in ("train", "val", "test")]
    for number, path in enumerate(lists):
        path.write_text(f"videos/run/{number}.avi {number % 2}\n")
    listed = recipe_of(
        lists[0],
        data={"val": lists[1], "test": lists[2]},
        model={"streams": FLOW},
        flow=both.flow.model_dump(),
    )
    assert store_command(listed) == f"attcell extract flow {lists[2]} {place / 'flow'} {options}"


@pytest.fixture
def looked(monkeypatch, nothing_remembered) -> list[Path]:
    """The videos whose flow was looked through."""
    videos: list[Path] = []
    real = stored_flow.check_store

    def counted(flow, video, digest):
        videos.append(video)
        return real(flow, video, digest)

    monkeypatch.setattr(stored_flow, "check_store", counted)
    return videos


def test_flow_that_fits_is_looked_through_once(place, recipe, looked):
    records = read_source(place / "videos").records
    time.sleep(0.05)
    assert unfit_flow(recipe, records) == {}
    assert len(looked) == 6
    looked.clear()
    assert unfit_flow(recipe, records) == {}
    assert looked == []


@pytest.mark.parametrize("change", ["field gone", "description", "flow gone", "video"])
def test_a_change_is_seen_though_the_flow_fitted(place, recipe, looked, change):
    records = read_source(place / "videos").records
    time.sleep(0.05)
    assert unfit_flow(recipe, records) == {}
    looked.clear()
    flow = place / "flow" / "sit" / "0"
    if change == "field gone":
        (flow / "flow_x_00002.jpg").unlink()
    elif change == "description":
        text = (flow / DESCRIPTION).read_text()
        (flow / DESCRIPTION).write_text(text.replace('"bound": 20.0', '"bound": 30.0'))
    elif change == "flow gone":
        shutil.rmtree(flow)
    else:
        write_frames(place / "videos" / "sit" / "0.avi", moving_frames(9, seed=99))
    assert list(unfit_flow(recipe, records)) == [place / "videos" / "sit" / "0.avi"]
    assert looked in ([place / "videos" / "sit" / "0.avi"], [])


def test_pictures_that_were_written_over_are_seen_though_the_flow_fitted(tmp_path, looked):
    videos, frames = tmp_path / "pictures", moving_frames(6, seed=1)
    for label in LABELS:
        write_pictures(videos / label / "a", frames)
    extract_flow(read_source(videos), tmp_path / "flow", SPEC, layout=Layout(frames=False))
    flow = {"fields": 2, "store": tmp_path / "flow", "short_side": 36}
    recipe, records = recipe_of(videos, model={"streams": FLOW}, flow=flow), read_source(videos).records
    time.sleep(0.05)
    assert unfit_flow(recipe, records) == unfit_flow(recipe, records) == {}
    assert len(looked) == len(LABELS)
    folder = records[0].path
    picture = next(path for path in sorted(folder.iterdir()) if path.suffix == ".png")
    before = folder.stat().st_mtime_ns
    picture.write_bytes(sorted(folder.iterdir())[-1].read_bytes())
    assert folder.stat().st_mtime_ns == before, "the folder itself does not tell"
    (message,) = unfit_flow(recipe, records).values()
    assert f"is the flow of another file than {folder}" in message


def test_test_videos_that_the_store_lacks_are_named_before_the_training(place, capsys):
    tests = place / "tests"
    for number, label in enumerate(LABELS):
        write_frames(tests / label / "9.avi", moving_frames(6, seed=50 + number))
    flow = {"fields": 2, "store": place / "flow", "short_side": 36}
    recipe = recipe_of(place / "videos", data={"test": tests}, model={"streams": FLOW}, flow=flow)
    prepare(recipe, place / "run")
    said = capsys.readouterr().err
    assert f"warning: {place / 'flow'} does not fit 3 test videos:" in said
    assert f"to complete it: attcell extract flow {tests} {place / 'flow' / 'tests'} --method" in said
    assert "3 of them are not in it" in said


def test_both_ways_say_about_the_same(place, recipe):
    model, video = random_model(recipe), place / "videos" / "sit" / "1.avi"
    stored, computed = (predict_video(model, video, stored_flow=where) for where in (True, False))
    np.testing.assert_allclose(stored.scores, computed.scores, atol=0.1)
    assert not np.array_equal(stored.scores, computed.scores), "JPEG changes codes by little"
