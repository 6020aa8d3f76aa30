"""``attcell export``: a trained model as a file that runs without attcell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attcell._terminal import put
from attcell.choices import ExportFormat, ExportPrecision
from attcell.cli.common.options import files_of, path

if TYPE_CHECKING:
    from attcell.export.call import Exported


def export(
    model: Annotated[str, typer.Argument(help="A model folder, or a Hugging Face id.")],
    out: Annotated[Path, typer.Argument(help="The file, such as stan.onnx, or stan.pt2 for torch.export.")],
    format: Annotated[
        ExportFormat | None, typer.Option(help="By default what the file's name ends with.")
    ] = None,
    precision: Annotated[
        ExportPrecision, typer.Option(help="Of ONNX: float16 halves the file, int8 quarters it.")
    ] = "float32",
    video: Annotated[
        Path | None,
        typer.Option(
            help="The clip that file and network are compared on; by default one is generated.", parser=path
        ),
    ] = None,
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write what was found to this file, or - for stdout.")
    ] = None,
) -> None:
    """Write a trained model as a file that runs without attcell, all attention included.

    Before it is written, its outputs are compared with the network's on a clip. A file of 32 bits that
    differs by more than 0.0001 is refused; of 16 and 8 bits the difference is told. attcell predict --model
    takes ONNX files too.

    Example: attcell export runs/demo/model stan.onnx

    Example: attcell export runs/demo/model stan-int8.onnx --precision int8 --video clip.mp4
    """
    from attcell._files import write_json
    from attcell._paths import check_outputs
    from attcell.cli.models import files_of_model
    from attcell.export.call import format_of
    from attcell.inference.model import Model

    format_of(out, format)
    check_outputs(files_of(out, json_path), [*files_of_model(model), *files_of(video)])
    loaded = Model.from_pretrained(model)
    found = loaded.export(out, format=format, precision=precision, video=video)
    if json_path is not None:
        write_json(json_path, found.to_dict())
    if json_path != "-":
        put(*_lines(found))


def _lines(found: Exported) -> list[str]:
    of = f"ONNX, opset {found.opset}" if found.opset else "a program of torch.export"
    width = max(map(len, (*found.inputs, *found.outputs)))
    inputs = [
        f"  {name:{width}}  uint8 {' × '.join(map(str, shape))}" for name, shape in found.inputs.items()
    ]
    outputs = [f"  {name:{width}}  differs by {found.parity[name]:.2g}" for name in found.outputs]
    return [
        f"{found.path}: {of}, {found.precision}, {found.bytes / 1e6:.1f} MB",
        "inputs, for any number of videos B and of segments T:",
        *inputs,
        "outputs, beside the network's own on the clip:",
        *outputs,
    ]
