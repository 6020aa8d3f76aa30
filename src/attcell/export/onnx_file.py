"""ONNX: a network written to a file, in three precisions, and run from it by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from attcell._checks import flat
from attcell.choices import ExportPrecision
from attcell.errors import ModelError
from attcell.export.described import KEY
from attcell.export.graph import Graph, exporters_silent

if TYPE_CHECKING:
    import onnx
    import onnxruntime

OPSET = 20  # of the operators; files of it run by onnxruntime from 1.17 on
_KEPT_WIDE = ("LSTM", "GRU")  # onnxruntime computes them on CPUs in 32 bits alone
_LARGEST = 2**31  # bytes, of one file of protocol buffers


def to_onnx(graph: Graph, inputs: Mapping[str, Tensor]) -> onnx.ModelProto:
    """The network as ONNX, of any number of videos and segments.

    Args:
        graph: in test mode, on the CPU.
        inputs: stream → (B, T, ...) with B and T of 2 or more: an example.

    Raises:
        ModelError: it has something that ONNX cannot say.
    """
    names = list(graph.inputs)
    example = tuple(inputs[name] for name in names)
    videos, segments = torch.export.Dim("B"), torch.export.Dim("T")
    shapes = {"inputs": tuple({0: videos, 1: segments} for _ in names)}
    with torch.inference_mode():
        outputs = list(graph.outputs(*example))
    try:
        with exporters_silent():
            program = torch.onnx.export(
                graph,
                example,
                dynamo=True,
                input_names=names,
                output_names=outputs,
                dynamic_shapes=shapes,
                opset_version=OPSET,
                verbose=False,
            )
    except Exception as error:  # of the exporter's many kinds
        raise ModelError(
            f"this network cannot be written as ONNX ({flat(error)[:300]}); --format torch_export may do"
        ) from error
    assert program is not None, "with dynamo"
    return program.model_proto


def in_precision(model: onnx.ModelProto, precision: ExportPrecision) -> onnx.ModelProto:
    """The same with its weights in 16 or 8 bits; inputs and outputs stay as they are.

    int8 is dynamic: weights in 8 bits, and what goes through them is rounded to 8 bits as it comes.
    """
    if precision == "float32":
        return model
    with exporters_silent():
        return _in_16_bits(model) if precision == "float16" else _in_8_bits(model)


def _in_16_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    blocked = [*DEFAULT_OP_BLOCK_LIST, *_KEPT_WIDE]
    converted: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True, op_block_list=blocked)
    return converted


def _in_8_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with TemporaryDirectory(prefix="attcell-") as folder:
        small = Path(folder) / "int8.onnx"
        quantize_dynamic(model, small, weight_type=QuantType.QUInt8)
        return onnx.load(small)


def with_description(model: onnx.ModelProto, text: str) -> bytes:
    """The file's bytes, with what it says of itself.

    Raises:
        ModelError: more than one file can hold.
    """
    model.doc_string = "attcell: an action recogniser with its attention; see the property attcell"
    del model.metadata_props[:]
    model.metadata_props.add(key=KEY, value=text)
    if model.ByteSize() >= _LARGEST:
        raise ModelError("the network has more than 2 GiB, which one ONNX file cannot hold; give float16")
    return bytes(model.SerializeToString())


class Session:
    """An ONNX file that is run.

    Args:
        content: the file, or its bytes.
        name: of it, in messages.

    Raises:
        ModelError: no ONNX file, or none that this onnxruntime can run.
    """

    def __init__(self, content: Path | bytes, name: str) -> None:
        import onnxruntime

        self._content, self._name = content, name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors
        given = str(content) if isinstance(content, Path) else content
        try:
            self._session: onnxruntime.InferenceSession = onnxruntime.InferenceSession(
                given, options, providers=_providers(onnxruntime.get_available_providers())
            )
        except Exception as error:  # of onnxruntime's many kinds
            raise ModelError(f"{name} cannot be run as an ONNX file ({flat(error)[:300]})") from error
        self.inputs = {one.name: one.shape for one in self._session.get_inputs()}
        self.outputs = [one.name for one in self._session.get_outputs()]
        self.properties: dict[str, str] = self._session.get_modelmeta().custom_metadata_map

    def __reduce__(self) -> tuple[Any, ...]:
        content = self._content.read_bytes() if isinstance(self._content, Path) else self._content
        return Session, (content, self._name)  # to a machine that may not have the file

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Name → output, on the CPU.

        Raises:
            ModelError: the file does not take them.
        """
        given: dict[str, Any] = {
            name: np.ascontiguousarray(inputs[name].to("cpu", torch.uint8).numpy()) for name in self.inputs
        }
        try:
            found = self._session.run(self.outputs, given)
        except Exception as error:  # of onnxruntime's many kinds
            raise ModelError(f"{self._name} does not take these inputs ({flat(error)[:300]})") from error
        return {name: torch.from_numpy(of) for name, of in zip(self.outputs, found, strict=True)}


def _providers(there: list[str]) -> list[str]:
    """The GPU's where onnxruntime-gpu is installed, and the CPU's."""
    return [one for one in ("CUDAExecutionProvider", "CPUExecutionProvider") if one in there]
