"""The CPU's kernels: compiled by numba once, kept on disk as machine code, loaded without numba.

Importing numba and letting it load its own cache takes longer than the flow of a hundred pairs; loading a
few hundred kilobytes of machine code through llvmlite takes a tenth of a second. The file's name holds a
digest of everything that the code follows from: the kernels' sources, the versions of numba and llvmlite,
and the processor. So an edited kernel is compiled anew, and a folder may serve several machines.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

logger = logging.getLogger("attcell")

_SOURCES = ("_machine_code", "_vectors", "_kernel_iterations", "_kernel_median", "_kernel_pictures")
_KINDS = {  # an argument's letter: for ctypes, and for LLVM
    "p": (ctypes.c_void_p, "ptr"),
    "q": (ctypes.c_void_p, "ptr"),
    "d": (ctypes.c_void_p, "ptr"),
    "i": (ctypes.c_int64, "i64"),
    "f": (ctypes.c_float, "float"),
}
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Kernels:
    """Each kernel by its name, for addresses, whole numbers and float32; how many pixels are in a block."""

    by_name: Mapping[str, Callable[..., None]]
    lanes: int


@dataclass(frozen=True)
class Target:
    """What the processor's vectors are like, by LLVM's own word.

    Attributes:
        lanes: float32 in a register.
        fuses: whether it rounds a·b + c once in one step.
        estimates: whether it is an x86, which estimates 1 / x and 1 / √x to 11 bits or more.
    """

    lanes: int
    fuses: bool
    estimates: bool


def processor() -> tuple[str, str]:
    """Name and features, as LLVM has them. ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` choose others."""
    import llvmlite.binding as llvm

    name = os.environ.get("NUMBA_CPU_NAME")
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = "" if name else llvm.get_host_cpu_features().flatten()
    return name or llvm.get_host_cpu_name(), features


@cache
def target_machine() -> Any:
    """LLVM's, for code of this process."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name, features = processor()
    target = llvm.Target.from_default_triple()
    reloc = "static" if target.name.startswith("x86") else "default"
    return target.create_target_machine(
        cpu=name, features=features, opt=3, reloc=reloc, codemodel="jitdefault", jit=True
    )


@cache
def target() -> Target:
    """LLVM compiles a line for the processor, and the assembly tells."""
    sums = _assembly("%r = fadd <16 x float> %a, %b")
    products = _assembly(
        "%r = call <16 x float> @llvm.fma.v16f32(<16 x float> %a, <16 x float> %b, <16 x float> %a)",
        "declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)",
    )
    lanes = 16 if "zmm" in sums else 8 if "ymm" in sums else 4
    return Target(lanes, "fmaf" not in products, lanes > 4 or "xmm" in sums)


def _assembly(line: str, declared: str = "") -> str:
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(
        f"{declared}\ndefine <16 x float> @f(<16 x float> %a, <16 x float> %b) {{\n{line}\n"
        "ret <16 x float> %r\n}"
    )
    return str(target_machine().emit_assembly(module))


_loaded: Kernels | None = None


def kernels() -> Kernels:
    """The kernels, compiled first where need be.

    Raises:
        Exception: whatever keeps numba or LLVM from working here.
    """
    global _loaded  # noqa: PLW0603
    with _LOCK:
        if _loaded is None:
            _loaded = _load(_machine_code())
        return _loaded


def _machine_code() -> bytes:
    """From the cache, else compiled, and then kept."""
    path = cache_folder() / f"{_digest()}.bin"
    try:
        content = path.read_bytes()
        digest, code = content[:64], content[64:]
        if hashlib.sha256(code).hexdigest().encode() == digest:
            return code
    except OSError:
        pass  # not there, or not to be read
    logger.info("attcell: compiling the flow kernels for this processor; once, in some ten seconds")
    start = time.perf_counter()
    code = _compiled()
    logger.info(f"attcell: compiled the flow kernels in {time.perf_counter() - start:.0f} s")
    try:
        _keep(path, hashlib.sha256(code).hexdigest().encode() + code)
    except OSError as error:
        logger.warning(
            f"attcell: the compiled flow kernels cannot be kept in {path.parent} ({error.strerror}), so each "
            "process compiles them again; set ATTCELL_CACHE to a folder that can be written"
        )
    return code


def cache_folder() -> Path:
    """``$ATTCELL_CACHE``, else the user's folder for what can be made again."""
    named = os.environ.get("ATTCELL_CACHE")
    if named:
        return Path(named)
    home = Path("~").expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "attcell"


def _digest() -> str:
    facts = [platform.machine(), sys.platform, *processor()]
    facts += [f"{name} {importlib.metadata.version(name)}" for name in ("numba", "llvmlite")]
    facts += [_source(name) for name in _SOURCES]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:32]


def _source(name: str) -> str:
    spec = importlib.util.find_spec(f"attcell.flow.{name}")
    source = spec.loader.get_source(spec.name) if spec and spec.loader else None  # type: ignore[attr-defined]
    return str(source)


def _keep(path: Path, content: bytes) -> None:
    """Whole or not at all, whatever other processes do at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _compiled() -> bytes:
    """One line that tells names and arguments, and then an object file."""
    import llvmlite.binding as llvm
    from numba import cfunc, types

    from attcell.flow import _kernel_iterations, _kernel_pictures

    kinds = {
        "p": types.CPointer(types.float32),
        "q": types.CPointer(types.int32),
        "d": types.CPointer(types.float64),
        "i": types.intp,
        "f": types.float32,
    }
    library = llvm.parse_assembly("")
    wanted = {**_kernel_iterations.KERNELS, **_kernel_pictures.KERNELS}
    for name, (arguments, function) in wanted.items():
        signature = types.void(*(kinds[kind] for kind in arguments))
        made = cfunc(signature, error_model="numpy", boundscheck=False)(function)
        module = llvm.parse_assembly(made.inspect_llvm())
        native = made.native_name.removeprefix("cfunc.")
        module.get_function(native)  # a NameError if numba calls it otherwise
        library.link_in(module)
        library.link_in(llvm.parse_assembly(_entry(name, native, arguments)))
    for function in library.functions:
        if not function.is_declaration and function.name not in map(_symbol, wanted):
            function.linkage = "internal"
    _optimise(library)
    line = json.dumps([target().lanes, {name: arguments for name, (arguments, _) in wanted.items()}])
    return line.encode() + b"\n" + target_machine().emit_object(library)


def _symbol(name: str) -> str:
    return f"attcell_{name}"


def _entry(name: str, native: str, arguments: str) -> str:
    """A function as C knows it, around numba's own with its places for a result and an exception."""
    kinds = [_KINDS[argument][1] for argument in arguments]
    named = ", ".join(f"{kind} %a{at}" for at, kind in enumerate(kinds))
    return (
        f'declare i32 @"{native}"(ptr, ptr, {", ".join(kinds)})\n'
        f"define void @{_symbol(name)}({named}) {{\n"
        "%result = alloca ptr\n%error = alloca ptr\n"
        f'call i32 @"{native}"(ptr %result, ptr %error, {named})\nret void\n}}\n'
    )


def _optimise(library: Any) -> None:
    """What is not called goes: numba's ways to report exceptions, which no kernel raises."""
    import llvmlite.binding as llvm

    options = llvm.create_pipeline_tuning_options(speed_level=3)
    builder = llvm.create_pass_builder(target_machine(), options)
    builder.getModulePassManager().run(library, builder)


def _load(code: bytes) -> Kernels:
    import llvmlite.binding as llvm

    line, _, content = code.partition(b"\n")
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(content))
    engine.finalize_object()
    _kept_alive.append(engine)
    found = {}
    lanes, names = json.loads(line)
    for name, arguments in names.items():
        address = engine.get_function_address(_symbol(name))
        if not address:
            raise RuntimeError(f"the compiled code has no {name}")
        kind = ctypes.CFUNCTYPE(None, *(_KINDS[argument][0] for argument in arguments))
        found[name] = kind(address)
    return Kernels(found, lanes)


_kept_alive: list[Any] = []  # the code lives as long as its engine
