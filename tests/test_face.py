"""The public face: every name is there, and nothing heavy is imported before it is used."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import attcell

ROOT = Path(attcell.__file__).parent
FACES = [
    ".".join(("attcell", *path.parent.relative_to(ROOT).parts))
    for path in sorted(ROOT.glob("*/**/__init__.py"))
    if "__all__" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", attcell.__all__)
def test_every_name_of_the_face_is_there_and_listed(name: str) -> None:
    assert getattr(attcell, name) is not None
    assert name in dir(attcell)


@pytest.mark.parametrize("folder", FACES)
def test_a_folders_face_holds_what_it_says_and_nothing_else(folder: str) -> None:
    face = importlib.import_module(folder)
    assert len(set(face.__all__)) == len(face.__all__)
    for name in face.__all__:
        assert getattr(face, name) is not None
    with pytest.raises(AttributeError, match=f"module '{folder}' has no attribute 'nothing'"):
        _ = face.nothing


def test_a_folder_and_a_function_do_not_share_a_name() -> None:
    import attcell.training.run

    assert callable(attcell.train)
    assert attcell.training.run.train is attcell.train


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ("torch", "numpy", "scipy", "sklearn", "matplotlib", "lightning", "torchvision", "av")
    code = f"import sys, attcell; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'attcell' has no attribute 'nothing_of_this_name'"):
        _ = attcell.nothing_of_this_name
