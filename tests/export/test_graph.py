"""Networks as functions of tensors with names."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from attcell.errors import ModelError
from attcell.export.described import Described, parsed_description
from attcell.export.graph import Graph, named_outputs, output_of
from attcell.export.parity import _difference, clip_inputs, parity
from attcell.inference.model import Model
from tests.small_models import LABELS, random_model, recipe_of

BARE: dict[str, Any] = {"backbone": "small", "weights": "none"}
NARROW = {**BARE, "conv6_channels": 8}
TWO = {"frame": NARROW, "flow": NARROW}
KINDS: dict[str, dict[str, Any]] = {
    "stan": {"streams": TWO},
    "san": {"kind": "san", "streams": TWO},
    "late": {"streams": TWO, "fusion": "late"},
    "tan": {"kind": "tan", "streams": {"frame": BARE, "flow": BARE}},
    "branch_selection": {"kind": "branch_selection", "streams": {"frame": BARE, "flow": BARE}},
    "decoder": {"streams": TWO, "temporal": "encoder_decoder", "decoder_steps": "classes"},
}


def model_of(kind: str, tmp_path: Any) -> Model:
    return random_model(recipe_of(tmp_path, model=KINDS[kind]))


def inputs_of(model: Model, videos: int, segments: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(videos)
    clip = clip_inputs(model.recipe, None)
    return {
        name: torch.randint(0, 256, (videos, segments, *of.shape[2:]), dtype=torch.uint8, generator=generator)
        for name, of in clip.items()
    }


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_outputs_go_there_and_back(kind: str, tmp_path: Any) -> None:
    model = model_of(kind, tmp_path)
    graph, inputs = Graph(model.network), inputs_of(model, 2, 4)
    named = graph.outputs(*(inputs[name] for name in graph.inputs))
    wanted = model.network(inputs)
    assert torch.equal(named["logits"], wanted.logits)
    again = named_outputs(output_of(named))
    assert again.keys() == named.keys()
    for name, of in named.items():
        assert torch.equal(again[name], of), name
    assert output_of(named).stream_weights == pytest.approx(wanted.stream_weights)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_as_near_to_itself_as_can_be(kind: str, tmp_path: Any) -> None:
    model = model_of(kind, tmp_path)
    graph = Graph(model.network)
    with torch.inference_mode():
        found = parity(
            graph,
            lambda of: graph.outputs(*(of[name] for name in graph.inputs)),
            clip_inputs(model.recipe, None),
        )
    assert set(found.values()) == {0.0}
    assert {"logits", "temporal_scores", "temporal_attention"} <= set(found)


def test_differences() -> None:
    assert _difference("it", torch.tensor([1.0, -0.5]), torch.tensor([1.0, -0.25])) == 0.25
    assert _difference("it", torch.tensor([100.0]), torch.tensor([101.0])) == pytest.approx(0.01)
    for given in (None, torch.zeros(3), torch.tensor([1.0, float("nan")])):
        with pytest.raises(ModelError, match=r"the exported file is not the network: it .*; nothing"):
            _difference("it", torch.zeros(2), given)


def test_what_a_file_says(tmp_path: Any) -> None:
    recipe = recipe_of(tmp_path)
    told = Described(LABELS, recipe, {"note": "it"}, "int8", {"logits": 0.25})
    assert parsed_description(told.to_json(), "it.onnx") == told
    for damaged in (
        "",
        "{}",
        "[]",
        told.to_json().replace('"format": 1', '"format": 7'),
        told.to_json()[:-9],
    ):
        with pytest.raises(ModelError, match=r"it\.onnx"):
            parsed_description(damaged, "it.onnx")
    code = told.to_json().replace('"backbone": "small"', '"backbone": "os:abort"')
    with pytest.raises(
        ModelError, match=r"it\.onnx names code, os:abort, and nothing is imported because a file"
    ):
        parsed_description(code, "it.onnx")
