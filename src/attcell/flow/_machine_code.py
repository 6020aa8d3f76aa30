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
import logging
import os
import platform
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

logger = logging.getLogger("attcell")

_SOURCES = (
    "_cpu", "_machine_code", "_settings", "_vectors",
    "_kernel_iterations", "_kernel_median", "_kernel_pair", "_kernel_pictures",
)  # fmt: skip
_NAME, _ARGUMENTS = "attcell_find", 5  # the one function of the code, and how many addresses it takes

Find = Callable[..., None]
""":func:`attcell.flow._kernel_pair.find`, for addresses."""


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


class _Loader:
    """The kernel, loaded once, whichever thread asks first."""

    def __init__(self) -> None:
        self._loaded: tuple[Find, Any] | None = None  # with the engine with which its code lives
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked process the lock may be one that is never freed."""
        self._lock = threading.Lock()

    def find(self) -> Find:
        """See :func:`finder`."""
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(_machine_code())
            return self._loaded[0]


_LOADER = _Loader()


def finder() -> Find:
    """The kernel that finds the flow of a pair; compiled first where need be.

    Raises:
        Exception: whatever keeps numba or LLVM from working here.
    """
    return _LOADER.find()


def _machine_code() -> bytes:
    """From the cache, else compiled, and then kept."""
    path = _place()
    try:
        content = b"" if path is None else path.read_bytes()
        digest, code = content[:64], content[64:]
        if hashlib.sha256(code).hexdigest().encode() == digest:
            return code
    except OSError:
        pass  # not there, or not to be read
    _tell("attcell: compiling the flow kernels for this processor; once, in some ten seconds")
    start = time.perf_counter()
    code = _compiled()
    _tell(f"attcell: compiled the flow kernels in {time.perf_counter() - start:.0f} s")
    if path is None:
        _tell_of_no_cache("where a user has no home")
        return code
    try:
        _keep(path, hashlib.sha256(code).hexdigest().encode() + code)
    except OSError as error:
        _tell_of_no_cache(f"in {path.parent} ({error.strerror})")
    return code


def _place() -> Path | None:
    """Where it is kept; None for a user without a home. A folder that everybody may write would be none for
    code.
    """
    try:
        return cache_folder() / "flow" / f"{_digest()}.bin"
    except RuntimeError:
        return None


def _tell_of_no_cache(where: str) -> None:
    logger.warning(
        f"attcell: the compiled flow kernels cannot be kept {where}, so each process compiles them again; "
        "set ATTCELL_CACHE to a folder that can be written"
    )


def _tell(message: str) -> None:
    """To the logger; to stderr where nobody listens, for a program that stands still is a riddle."""
    if logger.isEnabledFor(logging.INFO):
        logger.info(message)
    else:
        print(message, file=sys.stderr, flush=True)


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
    """An object file with the one function."""
    import llvmlite.binding as llvm
    from numba import cfunc, types

    from attcell.flow._kernel_pair import KINDS, find

    made = cfunc(types.void(*KINDS), error_model="numpy", boundscheck=False)(find)
    library = llvm.parse_assembly(made.inspect_llvm())
    native = made.native_name.removeprefix("cfunc.")
    library.get_function(native)  # a NameError if numba calls it otherwise
    library.link_in(llvm.parse_assembly(_entry(native)))
    for function in library.functions:
        if not function.is_declaration and function.name != _NAME:
            function.linkage = "internal"
    # What is not called goes: numba's ways to report exceptions, which no kernel raises.
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    builder = llvm.create_pass_builder(target_machine(), options)
    builder.getModulePassManager().run(library, builder)
    return bytes(target_machine().emit_object(library))


def _entry(native: str) -> str:
    """A function as C knows it, around numba's own with its places for a result and an exception."""
    kinds = ", ".join(["ptr"] * _ARGUMENTS)
    named = ", ".join(f"ptr %a{at}" for at in range(_ARGUMENTS))
    return (
        f'declare i32 @"{native}"(ptr, ptr, {kinds})\n'
        f"define void @{_NAME}({named}) {{\n%result = alloca ptr\n%error = alloca ptr\n"
        f'call i32 @"{native}"(ptr %result, ptr %error, {named})\nret void\n}}\n'
    )


def _load(code: bytes) -> tuple[Find, Any]:
    import llvmlite.binding as llvm

    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(_NAME)
    if not address:
        raise RuntimeError(f"the compiled code has no {_NAME}")
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * _ARGUMENTS)(address), engine


# What the process has to run it on.


_ALLOTTED: list[int] = []


def use_cores(count: int) -> None:
    """From now on this process has so many cores, whatever the system lets it use."""
    _ALLOTTED[:] = [count]


def num_cores() -> int:
    """Those that this process may use."""
    if _ALLOTTED:
        return _ALLOTTED[0]
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@lru_cache(maxsize=4)
def kept_threads(count: int) -> ThreadPoolExecutor:
    """So many threads, kept from call to call: to start them anew takes as long as a third of a pair."""
    return ThreadPoolExecutor(count, "flow")


def after_fork(begin_anew: Callable[[], None]) -> None:
    """Call it in each process that is forked from this one."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin_anew)


after_fork(_LOADER.begin_anew)
after_fork(kept_threads.cache_clear)  # it has none of the threads
