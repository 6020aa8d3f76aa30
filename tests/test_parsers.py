"""Every reader of files from strangers on some damaged ones; ``benchmarks.damage.parsers`` tries many more.

A reader gives a value, the same the second time, or refuses the file in a message that names it: no other
exception, no warning, within limits of time and memory.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attcell.errors import DataError
from benchmarks.damage.inside import mutated
from benchmarks.damage.judging import Judged, judged
from benchmarks.damage.mutations import HARMLESS
from benchmarks.damage.readers import READERS, Reader


class Made:
    """The good file of each reader, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.good = cache(self._good)

    def place(self, reader: Reader) -> Path:
        return self.folder / reader.name

    def _good(self, reader: Reader) -> bytes:
        self.place(reader).mkdir()
        reader.make(self.place(reader))
        return reader.place(self.place(reader)).read_bytes()

    def judged(self, reader: Reader, data: bytes) -> Judged:
        return judged(reader, self.place(reader), data)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("readers"))


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
class TestReaders:
    def test_a_good_file_is_read_and_what_says_the_same_is_read_alike(self, reader: Reader, made: Made):
        good = made.good(reader)
        first = made.judged(reader, good)
        assert (first.outcome, first.fault) == ("accepted", ""), first.detail
        for name, change in HARMLESS.items() if reader.is_text and reader.is_file else ():
            assert made.judged(reader, change(good)).value == first.value, name

    @settings(max_examples=5, derandomize=True, database=None)
    @given(seed=st.integers(0, 2**32 - 1))
    def test_odd_files_are_read_or_refused_by_name(self, reader: Reader, made: Made, seed: int):
        rng = np.random.default_rng(seed)
        other = made.good(READERS[int(rng.integers(len(READERS)))])
        what, data = mutated(rng, made.good(reader), other, is_text=reader.is_text)
        found = made.judged(reader, data)
        assert found.fault == "", f"{what}: {found.detail}"


class TestJudging:
    def reader(self, read) -> Reader:
        return Reader("some", "a.txt", lambda folder: None, read)

    def fault(self, tmp_path: Path, read) -> str:
        (tmp_path / "a.txt").touch()
        return judged(self.reader(read), tmp_path, b"a").fault

    def test_what_is_a_fault(self, tmp_path: Path):
        def refuses(message: str):
            def read(folder: Path):
                raise DataError(message)

            return read

        def warns(folder: Path):
            import warnings

            warnings.warn("odd", stacklevel=1)

        values = iter(range(9))
        assert self.fault(tmp_path, lambda folder: 1) == ""
        assert self.fault(tmp_path, refuses("a.txt:1 is odd")) == ""
        assert self.fault(tmp_path, refuses("odd")) == "the file is not named"
        assert self.fault(tmp_path, lambda folder: {}["a"]) == "KeyError"
        assert self.fault(tmp_path, warns) == "warning UserWarning"
        assert self.fault(tmp_path, lambda folder: next(values)) == "another value the second time"
