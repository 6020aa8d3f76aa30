"""``attcell doctor`` and ``--version``, and what they say where something is broken or missing."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from attcell.cli import doctor
from tests.end_to_end.conftest import Run


def test_the_version(attcell: Run):
    assert attcell("--version").stdout == f"attcell {version('attcell')}\n"


def test_all_that_is_needed_is_here(attcell: Run):
    found = json.loads(attcell("doctor", "--json", "-").stdout)
    by_name = {one["name"]: one for one in found["findings"]}
    assert found["usable"]
    assert by_name["torch"]["said"] == version("torch")
    assert "h264" in by_name["decoders"]["said"]
    assert by_name["TV-L1 kernel"]["said"] == "runs"
    assert "cores" in by_name["CPU"]["said"]
    assert {f"extra {name}" for name in doctor.EXTRAS} <= set(by_name)


def test_a_broken_part_is_named_and_the_others_are_looked_at(attcell: Run, monkeypatch: pytest.MonkeyPatch):
    def broken() -> Iterator[doctor.Finding]:
        raise OSError("libcudart.so.12: cannot open shared object file")

    probes = {"PyAV": broken, "extras": doctor._PROBES["extras"]}
    monkeypatch.setattr(doctor, "_PROBES", probes)
    text = attcell("doctor", status=1).stdout
    assert "! PyAV" in text
    assert "OSError: libcudart.so.12: cannot open shared object file" in text
    assert "→ reinstall it: uv sync --reinstall in a clone" in text
    assert "extra transformers" in text
    assert text.endswith("broken: PyAV\n")


def test_a_missing_extra_is_no_fault_and_says_its_command(attcell: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "EXTRAS", {"gs": (("no_such_module",), "videos at gs://")})
    monkeypatch.setattr(doctor, "_PROBES", {"extras": doctor._PROBES["extras"]})
    text = attcell("doctor").stdout
    assert "- extra gs  videos at gs://" in text
    assert "→ pip install 'attcell[gs]', or uv sync --extra gs in a clone" in text


def test_a_folder_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ATTCELL_CACHE", str(tmp_path / "kept"))
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: Path(path) != tmp_path)
    kernels = next(one for one in doctor._caches() if one.name == "compiled kernels")
    assert kernels.state == "broken"
    assert "not writable" in kernels.said
    assert kernels.advice == "export ATTCELL_CACHE=a folder of yours"


def test_every_extra_of_the_package_is_looked_at():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    extras = set(project["project"]["optional-dependencies"])
    assert extras == set(doctor.EXTRAS)
    page = (Path(__file__).parents[2] / "docs" / "install.md").read_text(encoding="utf-8")
    assert {name for name in extras if f"| `{name}` |" not in page} == set(), "not in docs/install.md"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_a_shell(attcell: Run, monkeypatch: pytest.MonkeyPatch, shell: str):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")  # else it is that of the caller
    assert "_ATTCELL_COMPLETE" in attcell("--show-completion", shell).stdout
