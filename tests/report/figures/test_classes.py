from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attcell.errors import CallError
from attcell.report.figures.classes import confusion_picture, row_shares, shortened


@pytest.mark.parametrize("num_classes", [1, 2, 20, 21, 101])
def test_a_picture_that_grows_with_the_classes(num_classes: int, tmp_path: Path) -> None:
    matrix = np.diag(np.arange(num_classes))
    confusion_picture(matrix, [f"class {n}" for n in range(num_classes)], tmp_path / "new" / "c.png", "Test")
    with Image.open(tmp_path / "new" / "c.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) >= num_classes * 22
        assert max(picture.size) < 4000


def test_dark_cells_lie_where_the_counts_are(tmp_path: Path) -> None:
    for name, matrix in (("right", np.eye(2, dtype=int)), ("wrong", 1 - np.eye(2, dtype=int))):
        confusion_picture(5 * matrix, ["a", "b"], tmp_path / f"{name}.png", "Test")
    right, wrong = (
        np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")) for name in ("right", "wrong")
    )
    assert right.shape == wrong.shape
    rows, columns = np.nonzero(right.astype(int) - wrong < -100)
    first = (rows < rows.mean()) == (columns < columns.mean())
    assert first.all()


def test_rows_are_shares_and_a_class_without_videos_is_not_zero() -> None:
    shares = row_shares(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 2]]))
    np.testing.assert_allclose(shares[[0, 2]], [[0.75, 0.25, 0], [0, 0, 1]])
    assert np.isnan(shares[1]).all()


def test_long_labels_are_shortened() -> None:
    assert shortened("two\n lines") == "two lines"
    assert shortened("a" * 41) == "a" * 39 + "…"


def test_labels_are_shown_as_they_are(tmp_path: Path) -> None:
    confusion_picture(np.eye(2, dtype=int), ["$x_{", "走る 🏃"], tmp_path / "c.png", "$ and %")
    assert (tmp_path / "c.png").exists()


def test_bad_calls(tmp_path: Path) -> None:
    path = tmp_path / "c.png"
    with pytest.raises(CallError, match=r"shape \(2, 3\) does not fit 2 labels"):
        confusion_picture(np.zeros((2, 3), int), ["a", "b"], path, "Test")
    with pytest.raises(CallError, match=r"shape \(0, 0\) does not fit 0 labels"):
        confusion_picture(np.zeros((0, 0), int), [], path, "Test")
    with pytest.raises(CallError, match="none below 0; the least here is -1"):
        confusion_picture(np.array([[1, -1], [0, 1]]), ["a", "b"], path, "Test")
    assert not path.exists()
