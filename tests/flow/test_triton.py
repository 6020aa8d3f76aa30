"""CUDA's kernels: their arithmetic by Triton's interpreter, that they compile, and all of it on a GPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from attcell.flow import PRESETS, _tvl1, quantize, tvl1
from attcell.flow._fixed_point import iterate
from attcell.flow._plain import tvl1_plain
from tests.flow.conftest import known_pair
from tests.flow.triton_cases import CASES

ROOT = Path(__file__).parents[2]
CLOSE = 1e-4  # pixels

has_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed; PyTorch brings it on Linux"
)
has_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@pytest.fixture
def interpreted(tmp_path: Path) -> dict[str, np.ndarray]:
    """The flow of each case, by Triton's interpreter."""
    path = tmp_path / "flow.npz"
    command = [sys.executable, "-m", "tests.flow.triton_cases", str(path)]
    source = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": source}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(path) as flows:
        return dict(flows)


@has_triton
def test_the_kernels_give_what_the_plain_version_gives(interpreted: dict[str, np.ndarray]) -> None:
    """One test, for the cases share a process that takes its time."""
    plain = {name: tvl1_plain(*case.pictures(), case.settings).numpy() for name, case in CASES.items()}
    errors = {name: np.abs(interpreted[name] - flow).max() for name, flow in plain.items()}
    assert {name: error for name, error in errors.items() if not error <= CLOSE} == {}
    same_roundings = [
        name for name, case in CASES.items() if case.settings.exact_length and case.settings.warp == "bicubic"
    ]
    assert {name: errors[name] for name in same_roundings if errors[name] > 0} == {}


def test_the_pairs_that_end_apart_do(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def counting(before: Any, picture: Any, steps: int, *rest: Any, **options: Any) -> Any:
        taken[-1] += steps
        return iterate(before, picture, steps, *rest, **options)

    monkeypatch.setattr("attcell.flow._plain.iterate", counting)
    case = CASES["pairs that end apart"]
    for first, second in zip(*case.pictures(), strict=True):
        taken.append(0)
        tvl1_plain(first[None], second[None], case.settings)
    assert len(set(taken)) == len(case.shifts)


@has_triton
@pytest.mark.parametrize("preset", PRESETS)
def test_the_kernels_compile_and_fit_their_registers(preset: str) -> None:
    """The interpreter takes what the compiler refuses."""
    from benchmarks.triton_code import kernels, resources

    for kernel in kernels(80, PRESETS[preset]).values():
        registers, beside = resources(kernel)
        assert registers <= 128
        assert beside == 0
        assert kernel.metadata.shared == 0


def test_a_cuda_tensor_goes_to_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tvl1, "_cuda_works", lambda: True)
    assert _tvl1._kernel_for("cuda", torch.float32) is _tvl1._on_cuda
    assert _tvl1._kernel_for("cuda", torch.float64) is _tvl1._plain


def test_without_triton_there_is_one_warning_and_the_plain_version(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _tvl1._cuda_works.cache_clear()
    monkeypatch.setitem(sys.modules, "attcell.flow._triton", None)  # so that importing it fails
    for _ in range(2):
        assert _tvl1._kernel_for("cuda", torch.float32) is _tvl1._plain
    _tvl1._cuda_works.cache_clear()
    assert len(caplog.messages) == 1
    assert "the fast flow kernels do not work on this GPU (ModuleNotFoundError" in caplog.text
    assert "They need Triton" in caplog.text


def test_triton_is_imported_only_for_a_gpu() -> None:
    code = "import sys, attcell.flow; print('triton' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# On a GPU.


@pytest.mark.gpu
@has_gpu
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 31), (120, 161)])
def test_a_gpu_gives_what_the_cpu_gives(preset: str, size: tuple[int, int]) -> None:
    pairs = [known_pair(*size, shift=(1.5 * number, -0.5), turn=0.02, seed=number) for number in range(3)]
    pictures = [torch.stack([getattr(pair, name) for pair in pairs]) for name in ("previous", "following")]
    whole = [batch.round().clamp(0, 255).to(torch.uint8) for batch in pictures]
    found = tvl1(*(batch.cuda() for batch in whole), preset)
    expected = tvl1(*whole, preset)
    assert found.is_cuda
    assert found.isfinite().all()
    assert (found.cpu() - expected).abs().mean() < 1e-3
    assert (quantize(found.cpu()) == quantize(expected)).float().mean() > 0.99


@pytest.mark.gpu
@has_gpu
@pytest.mark.parametrize("name", CASES)
def test_a_gpu_gives_what_the_plain_version_gives(name: str) -> None:
    case = CASES[name]
    found = tvl1(*(batch.cuda() for batch in case.pictures()), case.settings).cpu()
    plain = tvl1_plain(*case.pictures(), case.settings)
    assert (found - plain).abs().max() <= CLOSE


@pytest.mark.gpu
@has_gpu
def test_on_a_gpu_no_pair_depends_on_the_pairs_beside_it() -> None:
    pairs = [known_pair(60, 80, shift=(2.0 * number, 0), seed=number) for number in range(4)]
    first, second = (
        torch.stack([getattr(pair, name) for pair in pairs]).float().cuda()
        for name in ("previous", "following")
    )
    together = tvl1(first, second)
    for number in range(4):
        assert torch.equal(tvl1(first[number : number + 1], second[number : number + 1])[0], together[number])
