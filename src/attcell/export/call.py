"""``Model.export``: a trained model becomes a file that runs without attcell, and is compared with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attcell._checks import refuse_without
from attcell._files import written_whole
from attcell.choices import ExportFormat, ExportPrecision
from attcell.config.recipe import Recipe
from attcell.errors import CallError, ModelError
from attcell.export.described import Described
from attcell.export.graph import Graph
from attcell.export.network import ExportedNetwork
from attcell.export.onnx_file import OPSET, Session, in_precision, to_onnx, with_description
from attcell.export.parity import BOUND, Run, clip_inputs, parity
from attcell.export.torch_file import Program, program_bytes, to_program
from attcell.nn import Network

SUFFIXES: dict[str, ExportFormat] = {".onnx": "onnx", ".pt2": "torch_export"}


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Attributes:
        path: where.
        format: onnx or torch_export.
        precision: float32, float16 or int8.
        opset: of ONNX's operators; None of torch_export.
        bytes: of the file.
        inputs: stream → the shape of its input, in which B and T may be any number.
        outputs: their names.
        parity: output → how far it is from the network's on a clip.
    """

    path: Path
    format: ExportFormat
    precision: ExportPrecision
    opset: int | None
    bytes: int
    inputs: dict[str, tuple[str | int, ...]]
    outputs: tuple[str, ...]
    parity: dict[str, float]

    @property
    def largest_difference(self) -> float:
        """Of all outputs."""
        return max(self.parity.values())

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain types."""
        inputs = {name: list(shape) for name, shape in self.inputs.items()}
        return {**self.__dict__, "path": str(self.path), "inputs": inputs}


def format_of(path: Path, given: ExportFormat | None) -> ExportFormat:
    """The format that was given, or that of the file's suffix.

    Raises:
        CallError: neither, or one that does not fit the other.
    """
    of_suffix = SUFFIXES.get(path.suffix)
    if of_suffix is None or given not in (None, of_suffix):
        wanted = {form: suffix for suffix, form in SUFFIXES.items()}
        ends = wanted[given] if given else ", ".join(SUFFIXES)
        raise CallError(f"{path} is to be {given or 'an exported file'}: give a name that ends with {ends}")
    return of_suffix


def write_exported(
    network: Network,
    described: tuple[tuple[str, ...], Recipe, dict[str, Any]],
    path: Path,
    *,
    format: ExportFormat | None = None,
    precision: ExportPrecision = "float32",
    video: Path | None = None,
) -> Exported:
    """Write a network as a file, after its outputs were compared with the network's on a clip.

    Args:
        network: in test mode.
        described: its classes, recipe and training.
        path: of the file; ``.onnx`` or ``.pt2`` says the format.
        format: see there.
        precision: float16 and int8 are of ONNX.
        video: the clip; by default one is generated.

    Raises:
        CallError: a format or a precision that is not allowed, or a package that lacks.
        ModelError: the network cannot be exported, or its file differs from it: then nothing is written.
        VideoError: the clip cannot be read.
    """
    form = format_of(path, format)
    if isinstance(network, ExportedNetwork):
        raise CallError("this model is an exported file already; export the model folder that it came from")
    if form == "onnx":
        refuse_without("ONNX files", "export", "onnx", "onnxscript", "onnxruntime")
    elif precision != "float32":
        raise CallError(f"precision {precision} is for ONNX; torch_export is float32")
    labels, recipe, training = described
    before = next((one.device for one in network.parameters()), torch.device("cpu"))
    graph = Graph(network.to("cpu").eval())
    try:
        clip = clip_inputs(recipe, video)
        example = {name: of.repeat(2, 2, *[1] * (of.ndim - 2))[:, :3] for name, of in clip.items()}
        with torch.inference_mode():
            outputs = graph.outputs(*(clip[name] for name in graph.inputs))
        given = (
            _onnx(graph, example, precision) if form == "onnx" else _program(graph, example, tuple(outputs))
        )
        found = parity(graph, given.run, clip)
        _refuse_far(found, precision)
        content = given.file(Described(labels, recipe, training, precision, found).to_json())
    finally:
        network.to(before)
    with written_whole(path) as temporary:
        temporary.write_bytes(content)
    inputs = {name: ("B", "T", *of.shape[2:]) for name, of in clip.items()}
    opset = OPSET if form == "onnx" else None
    return Exported(path, form, precision, opset, len(content), inputs, tuple(outputs), found)


@dataclass(frozen=True)
class _Made:
    """A file that is not written yet.

    Attributes:
        run: it.
        file: what it says of itself, to its bytes.
    """

    run: Run
    file: Callable[[str], bytes]


def _onnx(graph: Graph, example: dict[str, Tensor], precision: ExportPrecision) -> _Made:
    model = in_precision(to_onnx(graph, example), precision)
    return _Made(Session(model.SerializeToString(), "the new file").run, partial(with_description, model))


def _program(graph: Graph, example: dict[str, Tensor], outputs: tuple[str, ...]) -> _Made:
    program = to_program(graph, example)
    run = Program(program_bytes(program, ""), graph.inputs, outputs).run
    return _Made(run, partial(program_bytes, program))


def _refuse_far(found: dict[str, float], precision: ExportPrecision) -> None:
    """Raise a ModelError for a float32 file that is not the network."""
    far = {name: of for name, of in found.items() if of > BOUND}
    if precision == "float32" and far:
        worst = max(far, key=far.__getitem__)
        raise ModelError(
            f"the exported file is not the network: {worst} differs by {far[worst]:.2g} on the clip, and "
            f"{BOUND:g} is allowed; nothing was written"
        )
