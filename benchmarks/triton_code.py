"""The code that Triton's compiler makes of CUDA's flow kernels; no GPU is needed."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from attcell.flow import TVL1
from attcell.flow._settings import STEPS


def kernels(capability: int, settings: TVL1) -> dict[str, Any]:
    """Each kernel's name -> the kernel, compiled for a GPU as these settings need it."""
    from attcell.flow import _triton
    from attcell.flow._triton_iterations import iterate
    from attcell.flow._triton_pictures import linearise, median

    measured = settings.epsilon > 0
    block = {"BLOCK": _triton.BLOCK}
    wave = {"STEPS": STEPS, "WIDE": _triton.WIDE, "MEASURED": measured, "EXACT": settings.exact_length}
    parts = {
        "iterate": (iterate, wave, 1),
        "median": (median, {"STEPS": STEPS, "MEASURED": measured, **block}, 4),
        "linearise": (linearise, {"BICUBIC": settings.warp == "bicubic", **block}, 4),
    }
    fused = not settings.exact_length
    return {name: _compiled(*part, capability, fused) for name, part in parts.items()}


def _compiled(kernel: Any, constants: dict[str, Any], warps: int, capability: int, fused: bool) -> Any:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    types = {"progress": "*i32", "moved": "*i64", **dict.fromkeys(constants, "constexpr")}
    types |= dict.fromkeys(("state", "smooth", "linear", "first", "moving"), "*fp32")
    types |= dict.fromkeys(("tau_theta", "theta", "limit", "scale"), "fp32")
    signature = {name: types.get(name, "i32") for name in kernel.arg_names}
    return triton.compile(
        ASTSource(kernel, signature=signature, constexprs=constants),
        target=GPUTarget("cuda", capability, 32),
        options={"num_warps": warps, "enable_fp_fusion": fused},
    )


def resources(compiled: Any) -> tuple[int, int]:
    """Registers of a thread, and bytes that did not fit into them."""
    text = _tool("cuobjdump", "--dump-resource-usage", compiled)
    (registers,), (spilled,) = (re.findall(rf"{name}:(\d+)", text) for name in ("REG", "STACK"))
    return int(registers), int(spilled)


def loop_instructions(compiled: Any) -> int:
    """In the kernel's longest loop, which is that over the rows."""
    lines = _tool("nvdisasm", "-c", compiled).splitlines()
    labels: dict[str, int] = {}
    longest = count = 0
    for line in lines:
        if label := re.match(r"(\.L_\w+):", line):
            labels[label[1]] = count
        elif re.match(r"\s+/\*[0-9a-f]+\*/", line):
            count += 1
            jump = re.search(r"\bBRA\b.*`\((\.L_\w+)\)", line)
            if jump and jump[1] in labels:
                longest = max(longest, count - labels[jump[1]])
    return longest


def _tool(name: str, option: str, compiled: Any) -> str:
    """What one of the tools that come with Triton says of compiled code."""
    import triton

    folder = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        done = subprocess.run([folder / name, option, file.name], capture_output=True, text=True, check=True)
    return done.stdout
