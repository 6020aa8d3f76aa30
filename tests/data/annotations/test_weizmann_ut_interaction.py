"""Clips that are named by what is in them: what is refused."""

from __future__ import annotations

import pytest

from attcell.data.annotations.weizmann_ut_interaction import read_ut_interaction
from attcell.errors import DataError


def test_a_name_of_another_form(tmp_path):
    (tmp_path / "0_1_9.avi").touch()
    with pytest.raises(DataError, match="not a name of UT-Interaction"):
        read_ut_interaction(tmp_path, 1)


def test_one_sequence_leaves_nothing_to_learn_from(tmp_path):
    (tmp_path / "0_1_4.avi").touch()
    with pytest.raises(DataError, match="no UT-Interaction clips of two sequences; expected such as"):
        read_ut_interaction(tmp_path, 1)


def test_more_splits_than_sequences(tmp_path):
    for name in ("0_1_4.avi", "1_2_3.avi"):
        (tmp_path / name).touch()
    assert [len(videos) for videos in read_ut_interaction(tmp_path, 2).parts.values()] == [1, 1]
    with pytest.raises(DataError, match="there is no sequence 3 to test on; there are 2"):
        read_ut_interaction(tmp_path, 3)
