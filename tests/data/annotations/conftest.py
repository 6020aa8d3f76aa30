"""What these tests share: files from texts, and the official files where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from attcell.errors import DataError


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., Path]:
    """Write texts to a folder whose name has spaces, and give that folder."""

    def written(texts: dict[str, str], folder: str = "the files") -> Path:
        for name, text in texts.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        return tmp_path / folder

    return written


@pytest.fixture
def official(real_data: Path) -> Path:
    """The folder of the official annotation files."""
    folder = real_data / "annotations"
    if not folder.is_dir():
        pytest.skip(f"official annotation files not found at {folder}")
    return folder


@pytest.fixture
def refused() -> Callable[..., str]:
    """Call something that is to end in a DataError, and give the message, files without their folder."""

    def message(folder: Path, read: Callable[..., object], *more: object) -> str:
        with pytest.raises(DataError) as caught:
            read(folder, *more)
        return str(caught.value).replace(f"{folder}/", "")

    return message
