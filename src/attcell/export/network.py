"""An ONNX file in the place of a network: what a prediction asks of one, onnxruntime answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from jaxtyping import Shaped
from torch import Tensor, nn

from attcell._checks import refuse_without, shown
from attcell.errors import CallError, ModelError
from attcell.export.described import KEY, Described, parsed_description
from attcell.export.graph import output_of
from attcell.export.onnx_file import Session
from attcell.nn import Backbone, BackboneEntry, Built, Network, Output
from attcell.nn.network import along_time
from attcell.nn.streams import BackboneStream


class ExportedNetwork(Network[dict[str, Tensor], Output]):
    """Segments are kept as they come, and the file sees all of them at once.

    Args:
        session: of the file.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._streams = {name: _AsItIs(name, len(shape)) for name, shape in session.inputs.items()}

    def stream_names(self) -> Iterable[str]:
        return self._streams.keys()

    def stream(self, name: str) -> BackboneStream:
        return self._streams[name]

    def encode(self, maps: Mapping[str, Shaped[Tensor, "B T ..."]]) -> dict[str, Tensor]:
        """The inputs themselves."""
        return dict(maps)

    def decide(self, parts: Sequence[Mapping[str, Shaped[Tensor, "B T ..."]]]) -> Output:
        """What the file gives for whole videos."""
        whole = {name: along_time([part[name] for part in parts]) for name in self._streams}
        return output_of(self._session.run(whole))

    def forward(self, inputs: Mapping[str, Shaped[Tensor, "B T ..."]]) -> Output:
        """What the file gives for whole videos."""
        return self.decide([self.encode(inputs)])


class _AsItIs(BackboneStream):
    """A stream whose feature maps are its inputs; those of clips have one dimension more."""

    def __init__(self, name: str, dimensions: int) -> None:
        takes: Literal["clip", "picture"] = "clip" if dimensions == 6 else "picture"
        super().__init__(
            Backbone(BackboneEntry(name=name, taps=("input",), build=_nothing, takes=takes), "input")
        )

    def feature_maps(self, inputs: Shaped[Tensor, "B T ..."]) -> Shaped[Tensor, "B T ..."]:
        return inputs


def _nothing(tap: str, in_channels: int) -> Built:
    return Built(nn.Identity(), out_channels=in_channels)


def read_exported(path: Path) -> tuple[ExportedNetwork, Described]:
    """An ONNX file that attcell wrote: the network, and what it says of itself.

    Raises:
        CallError: no file there, or onnxruntime is not installed.
        ModelError: another format, or damaged.
    """
    if not path.is_file():
        raise CallError(f"no model at {shown(str(path))}: no such file; attcell export writes one")
    refuse_without("ONNX files", "export", "onnxruntime")
    session = Session(path, str(path))
    if KEY not in session.properties:
        raise ModelError(
            f"{path} does not say what its outputs are: attcell export did not write it; give a file that it "
            "wrote, or a model folder"
        )
    return ExportedNetwork(session), parsed_description(session.properties[KEY], str(path))
