"""Flow on disk against flow that is computed as it goes: in training, at test, and where it does not fit."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from attcell.data.datasets import PlannedViews, TrainingVideos
from attcell.data.sources import read_source
from attcell.errors import DataError
from attcell.inference import extract_flow as module
from attcell.inference.evaluate import evaluate_model
from attcell.inference.extract import feature_store
from attcell.inference.extract_flow import Layout, extract_flow
from attcell.inference.predict import predict_video
from attcell.models.build import build_network, input_spec
from attcell.models.listings import read_listings
from attcell.training.prepare import gather_training_data
from attcell.video.flow_files import DESCRIPTION
from attcell.video.flow_source import FlowInput, source_of
from attcell.video.optical_flow import FlowSpec
from attcell.video.sampling import ViewPlan
from tests.moving import moving_frames, write_frames
from tests.small_models import LABELS, random_model, recipe_of

CPU = torch.device("cpu")
FLOW = {"flow": {"backbone": "small", "weights": "none", "conv6_channels": 4}}
SIZE = FlowSpec("fast", short_side=36)  # as in ``recipe_of``
ALONE = Layout(frames=False)


@pytest.fixture(scope="module")
def moving(tmp_path_factory) -> Path:
    """Three classes of one video each, in which something moves."""
    folder = tmp_path_factory.mktemp("moving")
    for number, label in enumerate(LABELS):
        write_frames(folder / label / "0.avi", moving_frames(8 + number, seed=number))
    return folder


def png(picture: np.ndarray) -> bytes:
    """What keeps every code, in place of JPEG."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def exact(moving, tmp_path, monkeypatch) -> Path:
    """A store of PNG files, though by the names of JPEGs."""
    monkeypatch.setattr(module, "jpeg", png)
    assert extract_flow(read_source(moving), tmp_path / "exact", SIZE, layout=ALONE).num_written == 3
    return tmp_path / "exact"


@pytest.fixture
def store(moving, tmp_path) -> Path:
    """A store as the command writes it."""
    extract_flow(read_source(moving), tmp_path / "store", SIZE, layout=ALONE)
    return tmp_path / "store"


def recipe(folder: Path, store: Path | None, **flow: Any):
    return recipe_of(folder, model={"streams": FLOW}, flow={"fields": 3, "store": store, **flow})


def seen(folder: Path, store: Path | None) -> torch.Tensor:
    """What the flow stream sees of all videos in ten crops."""
    spec = input_spec(recipe(folder, store))
    views = PlannedViews(read_source(folder).records, spec, ViewPlan(3, num_crops=10))
    return torch.cat([views[index].inputs["flow"] for index in range(3)])


def test_stored_codes_are_those_that_are_computed(moving, exact):
    computed, stored = seen(moving, None), seen(moving, exact)
    assert computed.shape == (30, 3, 6, 32, 32)
    assert computed.float().std() > 2, "something moves"
    assert torch.equal(computed, stored)


def test_jpeg_changes_them_by_little(moving, store):
    computed, stored = seen(moving, None).int(), seen(moving, store).int()
    assert (computed - stored).abs().float().mean() < 1
    assert not torch.equal(computed, stored)


def test_training_samples_are_the_same_too(moving, exact):
    samples = []
    for place in (None, exact):
        listing, spec = read_source(moving), input_spec(recipe(moving, place))
        samples.append(TrainingVideos(listing.records, spec, 2, "repeat", seed=1)[1, 5])
    assert torch.equal(samples[0].inputs["flow"], samples[1].inputs["flow"])


def test_a_test_gives_the_same_scores_and_they_are_the_predictions(moving, exact):
    listing = read_source(moving, labels=LABELS)
    computed, stored = (
        evaluate_model(random_model(recipe(moving, place)), listing) for place in (None, exact)
    )
    np.testing.assert_array_equal(computed.scores, stored.scores)
    predicted = predict_video(random_model(recipe(moving, exact)), listing.records[1].path)
    np.testing.assert_allclose(predicted.scores, stored.scores[1], atol=1e-6)
    assert predicted.flow.shape == (3, 2, 36, 48)
    assert predicted.flow[:, 0].mean() == pytest.approx(1, abs=0.2)
    assert predicted.flow[:, 1].mean() == pytest.approx(-0.5, abs=0.2)


def described(place: Path, **changes: Any) -> None:
    path = place / DESCRIPTION
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def misfit(kind: str, store: Path) -> None:
    """Break the flow of sit/0."""
    place = store / "sit" / "0"
    if kind == "other recipe":
        described(place, method="paper", bound=15.0)
    elif kind == "other video":
        described(place, source="0123")
    elif kind == "gap":
        (place / "flow_x_00004.jpg").unlink()
    elif kind == "missing":
        shutil.rmtree(place)
    elif kind == "two steps":
        for path in list(place.glob("flow_?_*.jpg")):
            path.rename(path.with_name(path.name.replace("flow_x_", "flow_x_p2_")))
    else:
        (place / DESCRIPTION).write_text("{")


MISFITS = {
    "other recipe": "by another recipe: method 'paper', not 'fast', bound 15.0, not 20.0. Set flow.method",
    "other video": "is the flow of another file than ",
    "gap": "flow is missing: flow_x_00004; compute it again",
    "missing": "holds no flow of ",
    "two steps": "is flow over 2 frames; allowed: flow between neighbours, as in flow_x_00001.jpg",
    "damaged": "flow.json cannot be read",
}


@pytest.mark.parametrize("kind", MISFITS)
def test_flow_that_does_not_fit_stops_a_training_and_is_named(moving, store, kind):
    misfit(kind, store)
    wanted = recipe(moving, store)
    network = build_network(wanted, 3, load_weights=False)
    with pytest.raises(DataError) as caught:
        gather_training_data(wanted, read_listings(wanted), network, CPU)
    first, second, *more = str(caught.value).splitlines()
    assert first == f"{store} does not fit 1 videos:"
    assert MISFITS[kind] in second
    assert "sit/0" in second
    command = f"attcell extract flow {moving} {store} --method fast --bound 20 --short-side 36"
    to_complete = f"  1 of them are not in it; to complete it: {command}"
    assert more == ([to_complete] if kind == "missing" else [])


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("kind", MISFITS)
def test_at_test_it_counts_as_a_video_that_cannot_be_read(moving, store, tmp_path, kind, cached):
    misfit(kind, store)
    frozen = {"flow": {**FLOW["flow"], "train_from": "none"}}
    model = random_model(recipe_of(moving, model={"streams": frozen}, flow={"fields": 3, "store": store}))
    found = evaluate_model(
        model,
        read_source(moving, labels=LABELS),
        cache_folder=tmp_path / "cache" if cached else None,
    )
    assert list(found.unread) == ["sit/0.avi"]
    assert MISFITS[kind] in found.unread["sit/0.avi"]
    assert np.isnan(found.scores).all(1).tolist() == [False, True, False]
    assert found.protocol["unread"] == 1


def test_many_misfits_are_counted(moving, store, tmp_path):
    wanted = recipe(moving, store, bound=10.0)
    with pytest.raises(DataError) as caught:
        gather_training_data(wanted, read_listings(wanted), build_network(wanted, 3, load_weights=False), CPU)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{store} does not fit 3 videos:"
    assert [f"{label}/0 was made by" in line for label, line in zip(LABELS, lines[1:], strict=True)] == [
        True
    ] * 3


@pytest.mark.parametrize("first", [0, 1])
def test_the_files_of_another_tool_are_taken_by_their_own_numbering(moving, exact, tmp_path, first):
    """Without a description, and numbered from 0 or from 1."""
    expected = seen(moving, exact)
    for place in exact.glob("*/0"):
        (place / DESCRIPTION).unlink()
        for path in sorted(place.glob("flow_?_*.jpg")):
            kind, number = path.stem.rsplit("_", 1)
            path.rename(path.with_name(f"{kind}_{int(number) - 1 + first:06d}.png"))
    assert torch.equal(seen(moving, exact), expected)


def test_the_bound_of_another_tools_flow_is_said(moving, exact, capsys):
    for path in exact.glob("*/0/flow.json"):
        path.unlink()
    seen(moving, exact)
    found = recipe(moving, exact)
    gather_training_data(found, read_listings(found), random_model(found).network, CPU)
    said = capsys.readouterr().err
    assert f"the flow of 3 videos in {exact} is another tool's and does not say how it was made:" in said
    assert "with a bound of 20 (flow.bound)" in said


def test_one_flow_of_two_videos_is_refused(moving, exact, tmp_path):
    """A flat store of another tool, and videos of one name in several folders."""
    flat = tmp_path / "flat"
    shutil.copytree(exact / "run" / "0", flat / "0")
    (flat / "0" / DESCRIPTION).unlink()
    found = evaluate_model(random_model(recipe(moving, flat)), read_source(moving))
    assert list(found.unread) == ["sit/0.avi", "wave/0.avi"]
    message = f"{flat / '0'} would be the flow of both {moving / 'run' / '0.avi'} and "
    assert message in found.unread["sit/0.avi"]


def test_flow_of_frames_of_several_sizes_is_named(moving, store):
    for axis in "xy":
        Image.new("L", (20, 20)).save(store / "run" / "0" / f"flow_{axis}_00003.jpg")
    found = evaluate_model(random_model(recipe(moving, store)), read_source(moving))
    assert list(found.unread) == ["run/0.avi"]
    assert found.unread["run/0.avi"].endswith(
        "run/0 holds flow of several sizes (height, width): [(20, 20), (36, 48)]; compute it again"
    )


def test_videos_of_a_list_by_paths_from_the_root_stay_inside_the_store(moving, tmp_path):
    (tmp_path / "lists").mkdir()
    shutil.copytree(moving, tmp_path / "videos")
    names = {
        "absolute.txt": tmp_path / "videos" / "sit" / "0.avi",
        "above.txt": Path("../videos/sit/0.avi"),
    }
    for file, name in names.items():
        listed = tmp_path / "lists" / file
        listed.write_text(f"{name} 0\n")
        out = tmp_path / file.removesuffix(".txt")
        (record,) = read_source(listed).records
        assert extract_flow(read_source(listed), out, SIZE, layout=ALONE).num_written == 1
        assert sorted(path.name for path in (tmp_path / "videos" / "sit").iterdir()) == ["0.avi"]
        assert source_of(FlowInput(store=out), record.path).files.num_fields == 8


def test_flow_that_was_made_again_leaves_no_stale_features(moving, store, tmp_path):
    frozen = {"flow": {**FLOW["flow"], "train_from": "none"}}
    wanted = recipe_of(moving, model={"streams": frozen}, flow={"fields": 3, "store": store})
    stream = random_model(wanted).network.stream("flow")
    record = read_source(moving).records[0]
    plan = ViewPlan(num_segments=2)

    def kept():
        return feature_store(tmp_path / "features", "flow", stream, input_spec(wanted), plan)

    kept().write(record, torch.zeros(1, 2, 4, 2, 2))
    assert kept().holds(record)
    moved = tmp_path / "moved"
    shutil.copytree(store, moved)
    elsewhere = replace(input_spec(wanted).flow, store=moved)
    spec = replace(input_spec(wanted), flow=elsewhere)
    assert feature_store(tmp_path / "features", "flow", stream, spec, plan).holds(record), "only moved"
    extract_flow(read_source(moving), store, replace(SIZE, short_side=20), layout=ALONE, rebuild=True)
    assert not kept().holds(record)
