"""What all tests share: shapes that are checked, and where the real clips lie."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

from tests.miniatures import MINIATURES

settings.register_profile("attcell", deadline=None)  # how fast an example is depends on what else is running
settings.load_profile("attcell")

# nohup, and a shell that starts the tests beside other work, let them ignore these; some tests send them.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)

pytest_plugins = ["tests.small_models", "tests.small_sounds", "tests.transformers_models"]

# Before anything of attcell is imported: every call in these packages has its shapes checked.
install_import_hook(["attcell.nn", "attcell.flow.codes", "attcell.metrics"], "beartype.beartype")


@pytest.fixture(autouse=True, scope="session")
def _no_users_cache() -> Iterator[None]:
    """A cache of the tests and their processes alone; it stays, for the kernels of flow compile long."""
    with pytest.MonkeyPatch.context() as patched:
        user = os.getuid() if hasattr(os, "getuid") else "all"
        patched.setenv("ATTCELL_CACHE", str(Path(tempfile.gettempdir()) / f"attcell-tests-{user}"))
        yield


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """The same random numbers in every run, whichever tests run before."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _messages() -> Iterator[None]:
    """Messages go to stderr, as on the command line."""
    from attcell._log import messages_on_stderr

    with messages_on_stderr():
        yield


def left_over(folder: Path, stem: str, suffix: str = "", number: int | None = None) -> Path:
    """A temporary name of a process that has ended, or of the one of this number, as a new run finds it."""
    from attcell import _owners

    _owners._SEEN.clear()
    if number is None:
        with subprocess.Popen(["true"]) as process:
            number = process.pid
    return folder / f".{stem[:200]}.{_owners.machine()}-{number:x}-1-01234567.tmp{suffix}"


@pytest.fixture
def nothing_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user's cache that is empty, on a disk with a fine clock."""
    from attcell.data import remembered  # here, after the shapes' hook

    monkeypatch.setenv("ATTCELL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(remembered, "SETTLED_SECONDS", 0.01)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real clips (``$ATTCELL_DATA``, else ``../shared/data`` beside the checkout)."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ATTCELL_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"real clips not found at {folder}; set ATTCELL_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Data set → the folder of its miniature, with ``videos`` and ``lists``, made once."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            MINIATURES[name](made[name])
        return made[name]

    return folder
