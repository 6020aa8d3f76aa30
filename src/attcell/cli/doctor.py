"""``attcell doctor``: what this machine has for attcell, what is missing, and the command that mends it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from attcell._terminal import put
from attcell.errors import installing

State = Literal["ok", "missing", "broken"]

# Extra → the modules that it brings, and what it is there for.
EXTRAS: dict[str, tuple[tuple[str, ...], str]] = {
    "audio": (("torchaudio",), "streams of sound"),
    "export": (("onnx", "onnxscript", "onnxruntime"), "attcell export, and running ONNX files"),
    "gs": (("gcsfs",), "videos and stores at gs://"),
    "mlflow": (("mlflow",), "logging a training to MLflow"),
    "opencv": (("cv2",), "DIS flow, a quick optical flow"),
    "ray": (("ray", "cloudpickle"), "lists of videos on a cluster (--on ray)"),
    "s3": (("s3fs",), "videos and stores at s3://"),
    "serve": (("fastapi", "python_multipart", "uvicorn"), "attcell serve"),
    "slurm": (("submitit",), "attcell train --slurm"),
    "sweep": (("optuna",), "attcell sweep"),
    "trackio": (("trackio",), "logging a training to Trackio"),
    "transformers": (("transformers",), "VideoMAE, TimeSformer, ViViT and V-JEPA 2"),
    "wandb": (("wandb",), "logging a training to Weights & Biases"),
}
_NEEDED = ("torch", "torchvision", "numpy", "numba", "lightning", "timm", "huggingface-hub", "safetensors")
_IMPORTED = ("torch", "torchvision")  # compiled for each other, and often installed apart
_CODECS = ("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg")
_LEAST_FREE_GB = 2.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: of it.
        state: ``missing`` is no fault, for it is an extra; what is ``broken`` is needed.
        said: what was found.
        advice: what mends it, a command where there is one; empty if nothing is to be done.
    """

    name: str
    state: State
    said: str
    advice: str = ""


def doctor(
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write what was found to this file, or - for stdout.")
    ] = None,
) -> None:
    """Look at what this machine has for attcell: versions, devices, decoders, caches, and what is missing.

    Nothing is changed. The exit status is 1 if something that is needed is broken.

    Example: attcell doctor --json -
    """
    from attcell._files import write_json
    from attcell._paths import check_outputs
    from attcell.cli.common.options import files_of

    check_outputs(files_of(json_path), ())
    findings = list(look())
    broken = [one for one in findings if one.state == "broken"]
    if json_path is not None:
        write_json(json_path, {"usable": not broken, "findings": [asdict(one) for one in findings]})
    if json_path != "-":
        for line in lines_of(findings):
            put(line)
    if broken:
        raise typer.Exit(1)


def look() -> Iterator[Finding]:
    """All findings. A part that raises is one that is broken, and the others are looked at all the same."""
    for name, probe in _PROBES.items():
        try:
            yield from probe()
        except Exception as error:  # a broken library raises whatever it likes
            advice = "reinstall it: uv sync --reinstall in a clone, or pip install --force-reinstall attcell"
            yield Finding(name, "broken", f"{type(error).__name__}: {error}", advice)


def lines_of(findings: list[Finding]) -> Iterator[str]:
    """The findings as lines, and below them what is to be done."""
    width = max(len(one.name) for one in findings)
    for one in findings:
        mark = {"ok": " ", "missing": "-", "broken": "!"}[one.state]
        yield f"{mark} {one.name:{width}}  {one.said}"
        if one.advice:
            yield f"  {'':{width}}  → {one.advice}"
    broken = [one.name for one in findings if one.state == "broken"]
    yield f"broken: {', '.join(broken)}" if broken else "all that is needed is here"


def _python() -> Iterator[Finding]:
    yield Finding("attcell", "ok", f"{version('attcell')}, in {Path(__file__).parents[1]}")
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.platform()}, {sys.executable}")


def _packages() -> Iterator[Finding]:
    for name in _NEEDED:
        try:
            found = version(name)
            if name in _IMPORTED:
                import_module(name)
        except (PackageNotFoundError, ImportError, OSError) as error:
            yield Finding(name, "broken", str(error), f"pip install --force-reinstall {name}, or uv sync")
        else:
            yield Finding(name, "ok", found)


def _decoding() -> Iterator[Finding]:
    import av
    from av.codec import Codec

    libraries = ", ".join(
        f"{name} {'.'.join(map(str, number))}" for name, number in av.library_versions.items()
    )
    yield Finding("PyAV", "ok", f"{av.__version__} with FFmpeg's {libraries}")
    lacking = []
    for name in _CODECS:
        try:
            Codec(name, "r")
        except (ValueError, LookupError):
            lacking.append(name)
    if lacking:
        advice = "pip install --force-reinstall av, whose wheel has them"
        yield Finding("decoders", "broken", f"there is none of {', '.join(lacking)}", advice)
    else:
        yield Finding("decoders", "ok", ", ".join(_CODECS))


def _devices() -> Iterator[Finding]:
    import torch

    from attcell.flow import num_cores

    memory = _memory_gb()
    told = f"{num_cores()} cores for this process" + (
        "" if memory is None else f", {memory:.1f} GB of memory"
    )
    yield Finding("CPU", "ok", told)
    if torch.cuda.is_available():
        for place in range(torch.cuda.device_count()):
            of = torch.cuda.get_device_properties(place)
            yield Finding(f"cuda:{place}", "ok", f"{of.name}, {of.total_memory / 1e9:.0f} GB")
    elif torch.version.cuda and Path("/proc/driver/nvidia/version").exists():
        yield Finding(
            "CUDA",
            "missing",
            f"a driver is here, and PyTorch (CUDA {torch.version.cuda}) cannot use it",
            "nvidia-smi shows the driver; update it, or install the PyTorch of its CUDA (pytorch.org)",
        )
    else:
        yield Finding("CUDA", "missing", "no NVIDIA driver; everything runs on the CPU")
    if torch.backends.mps.is_available():
        yield Finding("mps", "ok", "an Apple GPU")


def _memory_gb() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return None


def _kernels() -> Iterator[Finding]:
    import torch

    from attcell.flow import tvl1

    flow = tvl1(torch.zeros(1, 16, 16), torch.zeros(1, 16, 16))
    state: State = "ok" if torch.isfinite(flow).all() else "broken"
    yield Finding("TV-L1 kernel", state, "runs" if state == "ok" else "gives no finite numbers")


def _caches() -> Iterator[Finding]:
    from huggingface_hub.constants import HF_HUB_CACHE
    from torch.hub import get_dir

    from attcell.flow import cache_folder

    for name, folder, variable in (
        ("compiled kernels", cache_folder(), "ATTCELL_CACHE"),
        ("ready models", Path(get_dir()), "TORCH_HOME"),
        ("Hugging Face", Path(HF_HUB_CACHE), "HF_HUB_CACHE"),
    ):
        nearest = next(one for one in (folder, *folder.parents) if one.exists())
        free = shutil.disk_usage(nearest).free / 1e9
        told = f"{folder}, {'' if folder.exists() else 'not there yet, '}{free:.0f} GB free"
        if not os.access(nearest, os.W_OK):
            yield Finding(name, "broken", f"{told}, not writable", f"export {variable}=a folder of yours")
        elif free < _LEAST_FREE_GB:
            yield Finding(name, "missing", told, f"make room, or export {variable}=a folder elsewhere")
        else:
            yield Finding(name, "ok", told)


def _extras() -> Iterator[Finding]:
    for extra, (modules, use) in EXTRAS.items():
        lacking = [name for name in modules if find_spec(name) is None]
        if lacking:
            yield Finding(f"extra {extra}", "missing", use, installing(extra))
        else:
            yield Finding(f"extra {extra}", "ok", use)


_PROBES: dict[str, Callable[[], Iterator[Finding]]] = {
    "attcell": _python,
    "packages": _packages,
    "PyAV": _decoding,
    "devices": _devices,
    "TV-L1 kernel": _kernels,
    "caches": _caches,
    "extras": _extras,
}
