"""Files that were written, and run, beside the networks they came from."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch

import attcell
from attcell.errors import CallError, ModelError
from attcell.export import call
from attcell.export.graph import Graph
from attcell.export.network import read_exported
from attcell.export.onnx_file import Session
from tests.export.test_graph import KINDS, inputs_of, model_of
from tests.small_models import LABELS, random_model, recipe_of


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_gives_what_the_network_gives(kind: str, tmp_path: Path) -> None:
    model = model_of(kind, tmp_path)
    found = model.export(tmp_path / "it.onnx")
    assert found.largest_difference < 1e-4
    onnx.checker.check_model(tmp_path / "it.onnx", full_check=True)
    assert {one.domain: one.version for one in onnx.load(tmp_path / "it.onnx").opset_import}[
        ""
    ] == found.opset
    session, graph = Session(tmp_path / "it.onnx", "it"), Graph(model.network)
    assert tuple(session.outputs) == found.outputs
    for videos, segments in ((1, 1), (3, 2), (1, 25)):
        inputs = inputs_of(model, videos, segments)
        with torch.inference_mode():
            wanted = graph.outputs(*(inputs[name] for name in graph.inputs))
        for name, of in session.run(inputs).items():
            torch.testing.assert_close(of, wanted[name], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_fewer_bits(tmp_path: Path, precision: call.ExportPrecision) -> None:
    model = model_of("late", tmp_path)
    whole, less = (
        model.export(tmp_path / "it.onnx"),
        model.export(tmp_path / "less.onnx", precision=precision),
    )
    assert less.bytes < (0.65 if precision == "float16" else 0.45) * whole.bytes
    assert 0 < less.largest_difference < 0.05
    assert read_exported(tmp_path / "less.onnx")[1].precision == precision


@pytest.mark.parametrize("kind", ["late", "tan"])
def test_a_program_of_pytorch(kind: str, tmp_path: Path) -> None:
    """In a process of its own: here each call's shapes are checked, which makes numbers of them."""
    model_of(kind, tmp_path).save_pretrained(tmp_path / "model")
    words = [sys.executable, "-m", "attcell.cli.app", "export", "model", "it.pt2", "--json", "told.json"]
    subprocess.run(words, check=True, cwd=tmp_path)
    found = json.loads((tmp_path / "told.json").read_text())
    assert (found["format"], found["opset"]) == ("torch_export", None)
    assert max(found["parity"].values()) < 1e-5
    assert found["bytes"] == (tmp_path / "it.pt2").stat().st_size


def test_a_model_from_a_file(tmp_path: Path, folder: Path) -> None:
    model = model_of("stan", tmp_path)
    model.export(tmp_path / "it.onnx")
    again = attcell.load(tmp_path / "it.onnx")
    assert isinstance(again, attcell.Model)
    assert (again.labels, again.recipe, again.training) == (LABELS, model.recipe, model.training)
    video = next(folder.glob("*/*.mp4"))
    one, other = (of.predict(video) for of in (model, again))
    assert one.scores == pytest.approx(other.scores, abs=1e-5)
    for name, maps in one.segments.spatial_attention.items():
        assert maps == pytest.approx(other.segments.spatial_attention[name], abs=1e-5)
    with pytest.raises(CallError, match="this model is an exported file already; export the model folder"):
        again.export(tmp_path / "again.onnx")
    with pytest.raises(CallError, match="an exported file, and has no weights to save; copy the file itself"):
        again.save_pretrained(tmp_path / "saved")
    there = pickle.loads(pickle.dumps(again.network))  # noqa: S301
    there.eval()
    inputs = inputs_of(model, 1, 2)
    assert torch.equal(there(inputs).logits, again.network(inputs).logits)


def test_a_file_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "BOUND", 0.0)
    with pytest.raises(ModelError, match=r"differs by .* on the clip, and 0 is allowed; nothing was written"):
        model_of("stan", tmp_path).export(tmp_path / "it.onnx")
    assert not list(tmp_path.glob("*.onnx"))


def test_a_file_of_others(tmp_path: Path) -> None:
    model_of("stan", tmp_path).export(tmp_path / "it.onnx")
    other = onnx.load(tmp_path / "it.onnx")
    del other.metadata_props[:]
    onnx.save(other, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match=r"other\.onnx does not say what its outputs are"):
        read_exported(tmp_path / "other.onnx")


def test_a_network_whose_steps_are_built_in_is_refused(tmp_path: Path) -> None:
    branch = {"backbone": "small", "weights": "none"}
    of_steps = {"kind": "tan", "cell": "lstm", "streams": {"frame": branch, "flow": branch}}
    model = random_model(recipe_of(tmp_path, model=of_steps))
    with pytest.raises(ModelError, match="of videos or segments is built into this network's file"):
        model.export(tmp_path / "it.onnx")
    assert not list(tmp_path.glob("*.onnx"))
