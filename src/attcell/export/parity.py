"""How near an exported file is to the network that it came from, measured on a clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from attcell._parallel import one_thread
from attcell.config.recipe import Recipe
from attcell.errors import CallError, ModelError, VideoError
from attcell.export.graph import Graph
from attcell.models.build import evaluation_plan, input_spec
from attcell.synth.render import render
from attcell.synth.scene import plan_video
from attcell.synth.sounding import plan_sounding, sound_of
from attcell.synth.write import write_mp4
from attcell.video.parts import ViewParts

BOUND = 1e-4  # of float32

Run = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]  # stream → input, to name → output


def clip_inputs(recipe: Recipe, video: Path | None) -> dict[str, Tensor]:
    """Stream → (1, T, ...) uint8 of a real clip, decoded as for a prediction: T is the recipe's.

    Args:
        recipe: the model's.
        video: a file; by default one is made, encoded and decoded.

    Raises:
        VideoError: it cannot be read.
        CallError: the recipe wants features that were computed elsewhere, and no file of such was given.
    """
    if video is not None:
        return _decoded(recipe, video)
    if "features" in recipe.model.streams:
        raise CallError("the model takes features that were computed elsewhere; give a file of such: --video")
    with TemporaryDirectory(prefix="attcell-") as folder:
        made = Path(folder) / "made.mp4"
        write_clip(made, with_sound="audio" in recipe.model.streams)
        return _decoded(recipe, made)


def write_clip(path: Path, *, with_sound: bool) -> None:
    """A generated clip of three to four seconds."""
    of = {"label": 0, "seed": 0, "split": "test", "number": 0, "num_classes": 6}
    if not with_sound:
        write_mp4(path, render(plan_video("trimmed", **of)).frames)  # type: ignore[arg-type]
        return
    plan = plan_sounding("trimmed", **of)  # type: ignore[arg-type]
    write_mp4(path, render(plan.scene).frames, sound=("aac", sound_of(plan)))


def _decoded(recipe: Recipe, video: Path) -> dict[str, Tensor]:
    parts: list[dict[str, Tensor]] = []
    with one_thread():
        for part in ViewParts(video, input_spec(recipe).computing_flow(), evaluation_plan(recipe)):
            parts = [*(parts if part.start else []), {name: of[:1] for name, of in part.views.items()}]
    if not parts:
        raise VideoError(f"{video} gave no frames; give another clip")
    return {name: torch.cat([part[name] for part in parts], dim=1) for name in parts[0]}


@torch.inference_mode()
def parity(graph: Graph, run: Run, inputs: Mapping[str, Tensor]) -> dict[str, float]:
    """Output → how far a file's is from the network's: the largest difference, where numbers above 1 count by
    their size. The clip is seen as it is, and as a batch of two with two more segments, so that neither
    number is built into the file.

    Args:
        graph: of the network.
        run: the file.
        inputs: of :func:`clip_inputs`.

    Raises:
        ModelError: outputs of other names or shapes, or that are no finite numbers.
    """
    found: dict[str, float] = {}
    for seen in (inputs, _longer_twice(inputs)):
        wanted = graph.outputs(*(seen[name] for name in graph.inputs))
        try:
            given = run(seen)
        except ModelError as error:
            raise ModelError(
                "a number of videos or segments is built into this network's file, as where it goes step by "
                f"step in Python; nothing was written ({error})"
            ) from error
        for name, of in wanted.items():
            found[name] = max(found.get(name, 0.0), _difference(name, of, given.get(name)))
    return found


def _longer_twice(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """(2, T + 2, ...): the clip, with its beginning once more, and the same backwards."""
    longer = {name: torch.cat([of] * 3, dim=1)[:, : of.shape[1] + 2] for name, of in inputs.items()}
    return {name: torch.cat([of, of.flip(1)]) for name, of in longer.items()}


def _difference(name: str, wanted: Tensor, given: Tensor | None) -> float:
    if given is None or given.shape != wanted.shape or not torch.isfinite(given).all():
        what = "is missing" if given is None else f"is of the shape {tuple(given.shape)}, or not finite"
        raise ModelError(f"the exported file is not the network: {name} {what}; nothing was written")
    one, other = (of.detach().double().cpu().numpy() for of in (wanted, given))
    return float(np.max(np.abs(one - other) / np.maximum(1.0, np.abs(one)), initial=0.0))
