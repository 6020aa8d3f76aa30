"""What all tests share: where the real clips lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real clips (``$ATTCELL_DATA``, else ``../shared/data`` beside the checkout)."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ATTCELL_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"real clips not found at {folder}; set ATTCELL_DATA to their folder")
    return folder
