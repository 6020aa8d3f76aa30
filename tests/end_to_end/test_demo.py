"""``attcell demo`` on few videos: every stage of it, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from attcell.research import demo
from tests.end_to_end.conftest import Run

STREAMS = ("frame", "flow", "clip")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few videos and hardly any training: what is learnt is of no account here."""
    monkeypatch.setattr(demo, "TRIMMED", {"train": 1, "val": 1})
    monkeypatch.setattr(demo, "UNTRIMMED", {"train": 1, "val": 1, "test": 1})
    monkeypatch.setattr(demo, "EPOCHS", dict.fromkeys(STREAMS, 1))
    attention = demo.attention_recipe

    def brief(*places: object) -> dict[str, object]:
        values = attention(*places)
        values["train"] |= {"epochs": 1}
        values["segments"] = {"train": 3, "test": 4}
        return values

    monkeypatch.setattr(demo, "attention_recipe", brief)


@pytest.mark.usefixtures("short")
def test_the_demo_ends_with_a_page_and_goes_on_where_it_was(attcell: Run, tmp_path: Path) -> None:
    first = attcell("demo", "--out", "here")
    said = first.stdout.splitlines()
    assert [line.split(":")[0] for line in said[:2]] == ["spatial attention", "temporal attention"]
    assert all(f"({stream})" in said[0] for stream in STREAMS)
    assert said[2].startswith("accuracy ")
    assert said[2].endswith("on 6 test videos of 6 classes (chance 16.7 %)")
    assert said[-1] == "Next: attcell detect YOUR.mp4 --model here/run/model --report your.html"
    here = tmp_path / "here"
    page = (here / "report.html").read_text(encoding="utf-8")
    assert all(stream in page for stream in STREAMS)
    assert (here / "attention.png").read_bytes().startswith(b"\x89PNG")
    scores = json.loads((here / "test" / "scores.json").read_text())
    assert len(scores["videos"]) == 6
    again = attcell("demo", "--out", "here").stdout.splitlines()
    assert again[:3] == said[:3]
