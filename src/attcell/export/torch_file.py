"""torch.export: a network as a program of PyTorch, which runs without attcell's code."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from attcell._checks import flat
from attcell.errors import ModelError
from attcell.export.described import KEY
from attcell.export.graph import Graph, exporters_silent


def to_program(graph: Graph, inputs: Mapping[str, Tensor]) -> torch.export.ExportedProgram:
    """The network as a program, of any number of videos and segments; arguments as of ``to_onnx``.

    Raises:
        ModelError: it has something that depends on numbers in a way that a program cannot say.
    """
    videos, segments = torch.export.Dim("B"), torch.export.Dim("T")
    shapes = {"inputs": tuple({0: videos, 1: segments} for _ in graph.inputs)}
    example = tuple(inputs[name] for name in graph.inputs)
    try:
        with exporters_silent(), _steps_as_loops():
            return torch.export.export(
                graph, example, dynamic_shapes=shapes, prefer_deferred_runtime_asserts_over_guards=True
            )
    except Exception as error:  # of the exporter's many kinds
        raise ModelError(f"this network cannot be exported ({flat(error)[:300]})") from error


@contextmanager
def _steps_as_loops() -> Iterator[None]:
    """Meanwhile PyTorch exports recurrent layers as loops of any length, where it can; else their number of
    steps is built in, and refused.
    """
    loops: tuple[Callable[[], AbstractContextManager[None]], ...] = ()
    try:
        from torch.export import _patches as patches

        loops = patches.register_lstm_while_loop_decomposition, patches.register_gru_while_loop_decomposition
    except (ImportError, AttributeError):
        pass
    with ExitStack() as stack:
        for loop in loops:
            stack.enter_context(loop())
        yield


def program_bytes(program: torch.export.ExportedProgram, text: str) -> bytes:
    """The file's bytes, with what it says of itself beside the program."""
    file = io.BytesIO()
    with exporters_silent():
        torch.export.save(program, file, extra_files={f"{KEY}.json": text})
    return file.getvalue()


class Program:
    """A program that is run: one that was just made here, for files of others may hold more than numbers.

    Args:
        content: of :func:`program_bytes`.
        inputs: its streams, in their order.
        outputs: its outputs' names, in their order.
    """

    def __init__(self, content: bytes, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        with exporters_silent():
            self._module: Any = torch.export.load(io.BytesIO(content)).module()
        self._inputs, self._outputs = inputs, outputs

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Name → output."""
        found = self._module(*(inputs[name] for name in self._inputs))
        return dict(zip(self._outputs, found, strict=True))
