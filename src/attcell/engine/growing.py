"""Rows that come a few at a time, without knowing how many there will be."""

from __future__ import annotations

import numpy as np


class Growing:
    """An array that rows are added to.

    The rows lie in one block that doubles when it is full. Kept one small array a call, among the large ones
    that come and go with every part of a long video, they would leave holes that no large one fits into, and
    the process would grow although it holds next to nothing.
    """

    def __init__(self) -> None:
        self._block = np.empty(0)
        self._num_rows = 0

    def add(self, rows: np.ndarray) -> None:
        """Add (N, ...) rows; those of the first call decide shape and type."""
        if not len(self._block):
            self._block = np.empty((max(len(rows), 1024), *rows.shape[1:]), rows.dtype)
        total = self._num_rows + len(rows)
        if total > len(self._block):
            larger = np.empty((max(total, 2 * len(self._block)), *rows.shape[1:]), rows.dtype)
            larger[: self._num_rows] = self.rows
            self._block = larger
        self._block[self._num_rows : total] = rows
        self._num_rows = total

    @property
    def rows(self) -> np.ndarray:
        """All rows so far."""
        return self._block[: self._num_rows]
