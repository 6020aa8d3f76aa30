"""``attcell demo`` on few videos: every stage of it, and what it leaves behind."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from attcell.config.recipe import Recipe
from attcell.research import demo
from tests.end_to_end.conftest import Run


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few videos and hardly any training: what is learnt is of no account here."""
    monkeypatch.setattr(demo, "VIDEOS", {"train": 1, "val": 1, "test": 1})
    whole = demo.demo_recipe

    def brief(*places: object) -> Recipe:
        recipe = whole(*places)  # type: ignore[arg-type]
        train = recipe.train.model_copy(update={"epochs": 1})
        segments = recipe.segments.model_copy(update={"train": 3, "test": 4})
        return recipe.model_copy(update={"train": train, "segments": segments})

    monkeypatch.setattr(demo, "demo_recipe", brief)


@pytest.mark.usefixtures("short")
def test_the_demo_ends_with_a_page_and_goes_on_where_it_was(attcell: Run, tmp_path: Path) -> None:
    first = attcell("demo", "--out", "here")
    said = first.stdout.splitlines()
    assert [line.split(":")[0] for line in said[:2]] == ["spatial attention", "temporal attention"]
    assert all(f"({stream})" in said[0] for stream in demo.STREAMS)
    assert said[2].startswith("accuracy ")
    assert said[2].endswith("on 6 test videos (chance 16.7 %)")
    assert said[-1] == "Next: attcell detect YOUR.mp4 --model here/run/model --report your.html"
    steps = [line for line in first.stderr.splitlines() if re.match(r"\d/5 ", line)]
    assert len(steps) == 5
    assert all(re.search(r"about \d+ seconds", line) for line in steps)
    here = tmp_path / "here"
    page = (here / "report.html").read_text(encoding="utf-8")
    assert all(stream in page for stream in demo.STREAMS)
    assert (here / "attention.png").read_bytes().startswith(b"\x89PNG")
    scores = json.loads((here / "test" / "scores.json").read_text())
    assert len(scores["videos"]) == 6
    again = attcell("demo", "--out", "here").stdout.splitlines()
    assert again[:3] == said[:3]
