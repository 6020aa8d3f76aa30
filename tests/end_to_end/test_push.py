"""``attcell push``, as far as it goes without a network."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.end_to_end.conftest import Run


def test_what_would_go_to_the_hub_lies_in_a_folder(attcell: Run, model: Path, tmp_path: Path):
    shutil.copytree(model, tmp_path / "mine" / "model")
    words = ("push", "mine/model", "us/stan", "--license", "mit")
    done = attcell(*words, "--dry-run", "card")
    assert done.stdout == "written: card, with README.md\n"
    assert "the card states no figures; attcell test mine/model makes some" in done.stderr
    text = (tmp_path / "card" / "README.md").read_text(encoding="utf-8")
    assert "license: mit" in text
    assert "attcell.load('us/stan')" in text
    done = attcell(*words, "--dry-run", "mine/model", status=2)
    assert done.stderr == "attcell: --dry-run mine/model is the model's own folder; name another\n"
    done = attcell("push", "mine/model", "stan", "--dry-run", "card2", status=2)
    assert done.stderr.endswith("'stan' is no id at the Hugging Face hub; give OWNER/NAME\n")
    done = attcell("push", "nowhere", "us/stan", status=2)
    assert "nowhere" in done.stderr
    done = attcell("push", "mine/model", "us/stan", "--results", "no.json", "--dry-run", "card", status=2)
    assert done.stderr == "attcell: no scores at no.json; give a file such as attcell test writes\n"
