"""``attcell reproduce`` as a user calls it wrongly; tests/research runs the suites."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import Run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["kinetics"], "'generated', 'temporal', 'weizmann', 'ut_interaction', 'joined'"),
        (["generated", "."], "DIR . is for real clips, and the suite generated makes its own videos"),
        (["temporal", "."], "DIR . is for real clips, and the suite temporal makes its own videos"),
        (["generated", "--weights", "a.safetensors"], "--weights a.safetensors is for real clips"),
        (["weizmann"], "needs the folder of its videos: attcell reproduce weizmann DIR"),
        (["joined"], "needs the folder of its videos: attcell reproduce joined DIR"),
        (["ut_interaction", "nowhere"], "nowhere: no such folder; give the one with the videos of"),
        (["weizmann", ".", "--weights", "none.safetensors"], "--weights none.safetensors: no such file"),
    ],
)
def test_what_a_suite_cannot_take_is_a_wrong_call(attcell: Run, words: list[str], said: str) -> None:
    done = attcell("reproduce", *words, status=2)
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_a_folder_of_something_else_is_told_before_anything_is_trained(attcell: Run, tmp_path) -> None:
    done = attcell("reproduce", "weizmann", ".", status=1)
    assert "no Weizmann videos of two actors" in done.stderr
    assert not list(tmp_path.iterdir())
