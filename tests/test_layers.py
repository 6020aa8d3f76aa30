"""Imports go one way: a file imports only from its own folder and from rows above it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

import attcell

ROOT = Path(attcell.__file__).parent
ROWS = [
    "errors", "choices", "_servers", "_urls", "_checks", "types", "_owners", "_paths", "_files", "_terminal",
    "_log", "_shared_memory", "_parallel", "_walls", "_remote", "_workers", "_spread",
    "nn", "flow", "metrics", "_ray", "video", "synth", "data", "config", "models", "results",
    "annotation_tools", "sharing", "export", "inference", "report", "training", "forecast", "research",
    "choosing", "sweep", "serving", "cli",
]  # fmt: skip
PURE = ("nn", "flow", "metrics")  # tensors and arrays only
KEEPS_CODE = "_machine_code.py"  # compiled kernels lie on disk
FORBIDDEN_IN_PURE = {"os", "pathlib", "json", "av", "cv2", "io", "shutil", "tempfile"}
MOST_LINES, MOST_FILES = 400, 20
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def row(path: Path) -> str:
    """The row of a file: its folder, or its own name."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Every module that a file imports, also inside functions, and those that a folder's face imports when
    they are first asked for: there they are text.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if path.name == "__init__.py" and isinstance(node, ast.Constant):
            names.update(re.findall(r"^attcell(?:\.\w+)+$", str(node.value)))
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide their row"
            names.add(node.module or "")
            if node.module == "attcell":
                names.update(f"attcell.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_up(path: Path) -> None:
    own = ROWS.index(row(path))
    allowed = {*ROWS[:own], row(path)}
    allowed = {"errors", "choices", "types", row(path)} if row(path) in PURE else allowed
    for module in imported(path):
        if module.startswith("attcell."):
            assert module.split(".")[1] in allowed, f"{path.name} may not import {module}"


@pytest.mark.parametrize("path", [path for path in FILES if row(path) in PURE], ids=lambda path: path.name)
def test_networks_and_metrics_touch_no_files(path: Path) -> None:
    if path.name != KEEPS_CODE:
        assert not {module.split(".")[0] for module in imported(path)} & FORBIDDEN_IN_PURE


def test_every_file_has_a_row() -> None:
    assert {row(path) for path in FILES} <= set(ROWS)


def test_no_file_is_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_no_folder_is_full() -> None:
    sizes = Counter(path.parent for path in FILES)
    assert {path: size for path, size in sizes.items() if size > MOST_FILES} == {}


def test_an_import_changes_nothing_that_others_have() -> None:
    """A name of another package is set, or a handler of the process, inside functions alone."""
    owners = "os|sys|signal|warnings|gc|torch|multiprocessing|ForkingPickler|SideDataType"
    changes = re.compile(rf"^(?: {{4}})?(?:{owners})\.[\w.]+(?:\(| = )", re.MULTILINE)
    found = {}
    for path in FILES:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        begins = "\n".join(
            ast.unparse(one) for one in body if isinstance(one, ast.If | ast.Expr | ast.Assign)
        )
        found[path.name] = changes.findall(begins)
    assert {name: calls for name, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    ("call", "places"),
    [
        (r"\bav\.open\((?!str\(\w+\), \"w\")", {"video/_container.py", "video/live/address.py"}),
        (r"\byaml\.(?:safe_)?load\(|\bsafe_load\(", set()),
        (r"\bjson\.loads?\(", {"_files.py", "models/hearing.py"}),  # and of a text that was just made
        (r"(?<!`)\bDataLoader\(", {"_shared_memory.py"}),
        (r"\bpickle\.loads?\(", {"_parallel.py"}),  # of processes that were started here
        (r"weights_only=False|allow_pickle=True|trust_remote_code=True", set()),
        (r"\bcsv\.(?:writer|DictWriter)\(", {"results/tables.py"}),  # names hold the ends of lines too
        # Names are printed by put; as they are: texts that were written to be read, and JSON.
        (
            r"\bprint\((?!.{0,200}file=)",
            {"_terminal.py", "cli/research.py", "cli/train.py", "results/predictions.py"},
        ),
    ],
    ids=["videos", "YAML", "JSON", "workers", "pickles", "code", "CSV", "lines"],
)
def test_what_comes_from_strangers_goes_through_one_place(call: str, places: set[str]) -> None:
    texts = {path: re.sub(r"\n\s*", "", path.read_text(encoding="utf-8")) for path in FILES}
    found = {path.relative_to(ROOT).as_posix() for path, text in texts.items() if re.search(call, text)}
    assert found == places
