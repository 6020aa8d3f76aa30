"""``attcell models``: the ready models; and the model that a command was given, or the default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attcell._log import logger
from attcell._terminal import put
from attcell.errors import CallError

if TYPE_CHECKING:
    from attcell.inference.model import Model
    from attcell.inference.ready import ReadyModel


def models(
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write the list to this file, or - for stdout.")
    ] = None,
) -> None:
    """List the ready models: size of the download, accuracy as published, whether it is on this machine; and
    the Hugging Face hub's video classifiers that are here.

    Example: attcell models --json -
    """
    from dataclasses import asdict

    from attcell._files import write_json
    from attcell._paths import check_outputs
    from attcell.cli.common.options import files_of
    from attcell.models.ready.hub import cached_models
    from attcell.models.ready.registry import DEFAULT, ready_infos

    check_outputs(files_of(json_path), ())
    infos, cached = ready_infos(), cached_models()
    if json_path is not None:
        found = {"models": [asdict(info) for info in infos], "hub": [asdict(one) for one in cached]}
        write_json(json_path, {"default": DEFAULT, **found})
    if json_path == "-":
        return
    width = max(len(info.name) for info in infos)
    put(f"{'name':{width}}  download  top-1  top-5  tested with                      on this machine")
    for info in infos:
        tested = f"{info.num_clips} clips of {info.clip_frames} frames at {info.clip_rate:g}/s"
        put(
            f"{info.name:{width}}  {info.megabytes:5.0f} MB  {info.top1:4.1f} %  {info.top5:4.1f} %  "
            f"{tested:31}  {'yes' if info.is_here else 'no'}{', the default' if info.name == DEFAULT else ''}"
        )
    put(
        f"{'hf/OWNER/NAME':{width}}  any video classifier of the Hugging Face hub, with the extra "
        "transformers; or a folder that holds one"
    )
    put("accuracy on Kinetics-400, as torchvision publishes it")
    if cached:
        put("of the Hugging Face hub on this machine:")
    for one in cached:
        weights = f"{one.megabytes:.0f} MB" if one.is_here else "its weights are not here"
        put(f"{one.name}: {one.kind}, {one.num_classes} classes, {weights}")


def loaded_model(name: str | None, videos: Sequence[Path], device: str | None = None) -> Model | ReadyModel:
    """The model of this name, or the default, on a device; by default on the first GPU if there is one.

    Before the weights of a ready model are downloaded, one of the videos must open.

    Raises:
        CallError, ModelError: as of :func:`attcell.load`.
        VideoError: none of the videos can be opened.
    """
    from attcell.inference.model import load
    from attcell.inference.run import best_device, device_named
    from attcell.models.ready.registry import DEFAULT, is_ready, ready_infos, refuse_unknown

    place = best_device() if device is None else device_named(device)
    if name == "":
        raise CallError("--model is empty; name a model, or leave the option out for a ready one")
    if name is None or is_ready(name):
        refuse_unknown(name or DEFAULT)
        _refuse_unless_one_opens(videos)
    if name is None:
        info = next(info for info in ready_infos() if info.name == DEFAULT)
        there = (
            f"its weights are at {info.path}" if info.is_here else f"{info.megabytes:.0f} MB to download once"
        )
        logger.info(
            f"no --model: {DEFAULT}, {info.top1:.1f} % top-1 on {info.tested_on} as published; {there} "
            "(attcell models lists others)"
        )
    return load(name or DEFAULT).to(place)


def files_of_model(name: str | None) -> list[Path]:
    """What is read of a model's folder, whether it is one or not: nothing may be written over it."""
    from attcell.inference.calibration import CALIBRATION_FILE

    files = ("config.json", "model.safetensors", CALIBRATION_FILE)
    return [] if name is None else [Path(name), *(Path(name) / file for file in files)]


def _refuse_unless_one_opens(videos: Sequence[Path]) -> None:
    from attcell._walls import the_videos_own
    from attcell.errors import VideoError
    from attcell.video._passes import check_opens

    faults = []
    for video in videos:
        try:
            with the_videos_own(video):
                check_opens(video)
        except VideoError as fault:
            faults.append(fault)
        else:
            return
    for other in faults[:-1]:
        logger.info(f"attcell: {other}")
    raise faults[-1]
