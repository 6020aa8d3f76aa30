"""Every `attcell …` in a document's blocks is a command, with options and values that it takes; spelling."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
import typer

from attcell.cli.app import app
from tests.test_documents import DOCUMENTS, ROOT

BLOCK = re.compile(r"^ *```(\S*)[^\n]*\n(.*?)^ *```", flags=re.M | re.S)
CALL = re.compile(r"(?:^|&& |\| |; |\$ )(?:uv run )?attcell (.+)")


def commands() -> list[tuple[str, str]]:
    """(document, what follows ``attcell``), for every one in a fenced block, and in docs/expected.md."""
    expected = (ROOT / "docs" / "expected.md").read_text(encoding="utf-8")
    found = [("docs/expected.md", call) for call in re.findall(r"`attcell ([^`]+)`", expected)]
    for document in DOCUMENTS:
        for language, block in BLOCK.findall(document.read_text(encoding="utf-8")):
            if language not in {"", "bash", "console", "sh"}:
                continue
            for line in block.replace("\\\n", " ").splitlines():
                if call := CALL.search(line.strip()):
                    found.append((document.relative_to(ROOT).as_posix(), call.group(1)))
    return found


COMMANDS = commands()


def parsed(text: str) -> list[str]:
    """The command's names; click's error where it does not exist or does not take what it is given."""
    words = shlex.split(re.split(r" (?:&&|\||2?>) ", text)[0], comments=True)
    command, names = typer.main.get_command(app), []
    while hasattr(command, "commands"):
        name, *words = words
        if name.startswith("-"):
            assert any(name in option.opts for option in command.params), f"there is no option {name}"
            return [name]
        assert name in command.commands, f"there is no command {name}"
        command, names = command.commands[name], [*names, name]
    command.make_context(" ".join(names), words, resilient_parsing="--help" in words).close()
    return names


@pytest.mark.parametrize(("document", "text"), sorted(set(COMMANDS)))
def test_a_command_is_one(document, text):
    parsed(text)


def test_how_many(capsys):
    names = {" ".join(parsed(text)) for _, text in COMMANDS}
    assert len(COMMANDS) > 80
    assert {"predict", "train", "detect", "score fuse"} <= names
    with capsys.disabled():
        print(f"\ndocuments: {len(COMMANDS)} commands in blocks, of {len(names)} kinds")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("predit clip.mp4", "there is no command predit"),
        ("predict clip.mp4 --modle x", "No such option: --modle"),
        ("extract flow a b --method slow", "'slow' is not one of"),
    ],
)
def test_a_wrong_one_is_told(wrong, message):
    with pytest.raises(Exception, match=message):
        parsed(wrong)


def test_the_spelling():
    places = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs", "benchmarks", "src"]
    call = [sys.executable, "-m", "codespell_lib", *places]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
