"""The notebooks of the documents run from their first cell to their last, and their outputs are stored."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


def test_there_are_three():
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    cells = [c for c in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    names: dict[str, object] = {}
    with plt.rc_context({"backend": "agg"}):
        for cell in cells:
            exec(compile("".join(cell["source"]), notebook.name, "exec"), names)
    assert cells[-1]["outputs"]
    assert all("Error" not in json.dumps(cell["outputs"]) for cell in cells)
