"""The CPU's kernels as machine code: kept on disk, for whatever processor, and done without where need be."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from attcell.flow import PRESETS, TVL1, _cpu, _machine_code, _tvl1, _vectors, cache_folder, tvl1
from attcell.flow._plain import tvl1_plain
from tests.flow.conftest import known_pair

PAIRS_OF_A_CHILD = """
import sys
import numpy as np
from attcell.flow import tvl1
assert not {"torch", "numba"} & set(sys.modules)
first, second = np.load(sys.argv[1])
np.save(sys.argv[2], np.stack([tvl1(first, second, "paper"), tvl1(first, second, "fast")]))
assert "torch" not in sys.modules
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and a compiler that takes no time."""
    monkeypatch.setenv("ATTCELL_CACHE", str(tmp_path))
    monkeypatch.setattr(_machine_code, "_compiled", lambda: b"code")
    return tmp_path


def files_in(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def refuse() -> bytes:
    raise AssertionError("nothing is to be compiled")


def test_code_is_kept_and_taken_again(cache, monkeypatch, capsys):
    assert _machine_code._machine_code() == b"code"
    assert "compiling the flow kernels for this processor; once" in capsys.readouterr().err
    monkeypatch.setattr(_machine_code, "_compiled", refuse)
    assert _machine_code._machine_code() == b"code"
    assert capsys.readouterr().err == ""
    assert len(files_in(cache)) == 1


def test_a_wait_is_told_also_where_nobody_listens_to_messages(cache, monkeypatch, capsys):
    monkeypatch.setattr(_machine_code.logger, "isEnabledFor", lambda level: False)
    _machine_code._machine_code()
    assert "compiling the flow kernels for this processor; once" in capsys.readouterr().err


@pytest.mark.parametrize("spoilt", [b"", b"half", b"0" * 64 + b"code"])
def test_a_spoilt_file_is_replaced(cache, spoilt, monkeypatch):
    _machine_code._machine_code()
    (path,) = files_in(cache)
    path.write_bytes(spoilt)
    assert _machine_code._machine_code() == b"code"
    monkeypatch.setattr(_machine_code, "_compiled", refuse)
    assert _machine_code._machine_code() == b"code"


@pytest.mark.parametrize("change", ["a kernel", "numba", "the processor", "its features"])
def test_other_code_has_another_name(change, monkeypatch):
    before = _machine_code._digest()
    if change == "a kernel":
        source = _machine_code._source
        monkeypatch.setattr(
            _machine_code, "_source", lambda name: source(name) + "# edited" * (name == "_kernel_median")
        )
    elif change == "numba":
        monkeypatch.setattr("importlib.metadata.version", lambda name: f"{name} of tomorrow")
    else:
        monkeypatch.setenv("NUMBA_CPU_NAME" if change == "the processor" else "NUMBA_CPU_FEATURES", "generic")
    assert _machine_code._digest() != before


def test_every_kernels_source_counts():
    folder = Path(_machine_code.__file__).parent
    kernels = {path.stem for path in folder.glob("_kernel*.py")}
    assert kernels | {"_cpu", "_vectors", "_settings", "_machine_code"} == set(_machine_code._SOURCES)
    imported = "".join((folder / f"{name}.py").read_text(encoding="utf-8") for name in kernels)
    assert set(re.findall(r"from attcell\.flow\.(\w+) import", imported)) <= set(_machine_code._SOURCES)
    assert _machine_code._source("_vectors") == (folder / "_vectors.py").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_costs_a_warning(tmp_path, cache, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ATTCELL_CACHE", str(tmp_path / "file"))
    assert _machine_code._machine_code() == b"code"
    message = capsys.readouterr().err
    assert f"warning: attcell: the compiled flow kernels cannot be kept in {tmp_path / 'file'}" in message
    assert "set ATTCELL_CACHE to a folder that can be written" in message


def test_a_user_without_a_home_has_the_kernels_too(cache, monkeypatch, capsys):
    for name in ("ATTCELL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "expanduser", lambda self: (_ for _ in ()).throw(RuntimeError("no home")))
    assert _machine_code._machine_code() == b"code"
    assert "cannot be kept where a user has no home, so each process compiles" in capsys.readouterr().err


def test_many_at_once_leave_one_whole_file(cache):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: _machine_code._machine_code(), range(40)))
    assert set(found) == {b"code"}
    assert len(files_in(cache)) == 1


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {"ATTCELL_CACHE": "/mine"}, "/mine"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/attcell"),
        ("linux", {}, "/home/me/.cache/attcell"),
        ("darwin", {}, "/home/me/Library/Caches/attcell"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/attcell"),
    ],
)
def test_where_the_cache_is(platform, variables, folder, monkeypatch):
    for name in ("ATTCELL_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == Path(folder)


def test_the_code_needs_nothing_of_numba():
    """Only functions of the C library, which every process has."""
    import llvmlite.binding as llvm

    code = _machine_code._machine_code()
    names = {name for name in (b"NRT_", b"numba_", b"PyErr_", b"PyExc_") if name in code}
    assert names == set()
    assert llvm.ObjectFileRef.from_data(code)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    """As those that load a training's data."""
    first, second = (np.zeros((4, 16, 16), np.uint8) for _ in range(2))
    tvl1(first, second, "fast")  # by threads that the child lacks
    assert exit_of_a_fork(first, second) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_lock_that_was_held_at_the_fork_holds_up_nobody():
    """Another thread is just computing flow, or compiling."""
    pictures = np.zeros((1, 16, 16), np.uint8)
    tvl1(pictures, pictures, "fast")
    with _cpu._SPACES._lock, _machine_code._LOADER._lock:
        assert exit_of_a_fork(pictures, pictures) == 0


def exit_of_a_fork(first: np.ndarray, second: np.ndarray) -> int | None:
    """The exit status of a forked process that computes flow; None if it hangs."""
    child = multiprocessing.get_context("fork").Process(target=tvl1, args=(first, second, "fast"))
    child.start()
    child.join(60)
    status = child.exitcode
    child.kill()
    return status


def test_what_is_laid_out_for_the_kernels_is_as_they_have_it():
    laid_out = (_cpu._STATE, _cpu._PICTURE, _cpu._BORDER, _cpu._QUAD)
    assert laid_out == (_vectors.STATE, _vectors.PICTURE, _vectors.BORDER, _vectors.QUAD)
    assert _cpu._BLOCK % _vectors.LANES == 0


ARM = """
import re
import llvmlite.binding as llvm
from attcell.flow import _machine_code

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
triple = "aarch64-unknown-linux-gnu"
machine = llvm.Target.from_triple(triple).create_target_machine(cpu="cortex-a72", opt=3)
_machine_code.target_machine = lambda: machine
parse = llvm.parse_assembly


def parsed_for_arm(text):
    text = re.sub(r'target triple = ".*"', f'target triple = "{triple}"', text)
    return parse(re.sub(r'target datalayout = ".*"|"target-(cpu|features)"="[^"]*"', "", text))


llvm.parse_assembly = parsed_for_arm
assert _machine_code.target() == _machine_code.Target(lanes=4, fuses=True, estimates=False)
print(len(_machine_code._compiled()))
"""


def test_the_kernels_compile_for_arm():
    done = subprocess.run([sys.executable, "-c", ARM], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 10_000


WITHOUT_ESTIMATES = """
from dataclasses import replace
from attcell.flow import _machine_code

found = replace(_machine_code.target(), estimates=False)
_machine_code.target = lambda: found
"""


def test_a_processor_that_fuses_but_estimates_nothing_gives_the_same(tmp_path):
    """Such as an ARM."""
    same_as_plain(tmp_path, WITHOUT_ESTIMATES, {"ATTCELL_CACHE": str(tmp_path)})


@pytest.mark.parametrize("processor", ["haswell", "nehalem"])
def test_another_processors_code_gives_the_same(processor, tmp_path):
    same_as_plain(tmp_path, "", {"NUMBA_CPU_NAME": processor})


def same_as_plain(tmp_path, before: str, variables: dict[str, str]) -> None:
    """In a new process without PyTorch. ``paper`` has the same bits, ``fast`` the same flow."""
    pair = known_pair(48, 70, shift=(1.3, -0.7), turn=0.02)
    given = np.stack(
        [picture.numpy().round().clip(0, 255)[None] for picture in (pair.previous, pair.following)]
    )
    given = given.astype(np.uint8)
    np.save(tmp_path / "given.npy", given)
    subprocess.run(
        [sys.executable, "-c", before + PAIRS_OF_A_CHILD, tmp_path / "given.npy", tmp_path / "found.npy"],
        env={**os.environ, **variables},
        check=True,
    )
    paper, fast = np.load(tmp_path / "found.npy")
    first, second = (torch.from_numpy(pictures).float() for pictures in given)
    assert np.array_equal(paper, tvl1_plain(first, second, PRESETS["paper"]).numpy())
    plain = tvl1_plain(first, second, PRESETS["fast"]).numpy()
    assert np.abs(fast - plain).mean() < 1e-3


class TestWithoutKernels:
    @pytest.fixture(autouse=True)
    def _broken(self, monkeypatch):
        def broken():
            raise ImportError("No module named 'numba'")

        monkeypatch.setattr(_machine_code, "finder", broken)
        _tvl1._cpu_works.cache_clear()
        yield
        _tvl1._cpu_works.cache_clear()

    def test_the_plain_version_serves_with_one_warning(self, capsys):
        chosen = TVL1(num_scales=1, num_warps=1, rounds=1, round_iterations=5)
        pair = known_pair(20, 30)
        first, second = pair.previous[None].float(), pair.following[None].float()
        expected = tvl1_plain(first, second, chosen)
        for _ in range(2):
            assert torch.equal(tvl1(first, second, chosen), expected)
        assert np.array_equal(tvl1(first.numpy(), second.numpy(), chosen), expected.numpy())
        (line,) = capsys.readouterr().err.splitlines()
        assert "warning: attcell: the fast flow kernels do not work here (ImportError: No module" in line
        assert "flow is computed by PyTorch's operations instead" in line
