"""The public face: every name is there, and nothing heavy is imported before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import attcell


@pytest.mark.parametrize("name", attcell.__all__)
def test_every_name_of_the_face_is_there_and_listed(name: str) -> None:
    assert getattr(attcell, name) is not None
    assert name in dir(attcell)


def test_a_folder_and_a_function_do_not_share_a_name() -> None:
    import attcell.training.run

    assert callable(attcell.train)
    assert attcell.training.run.train is attcell.train


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "scipy", "sklearn", "matplotlib", "lightning", "torchvision", "av")
    code = f"import sys, attcell; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
