"""What the documents point to is there, and the recipes that they name are recipes."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from attcell.config import check_recipe, load_recipe, load_rows
from attcell.config.loading import choose_rows
from tests.video.conftest import write_video

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]


def found(pattern: str) -> list[tuple[str, str]]:
    """(document, what the pattern's group matched), for every match in the documents."""
    return [
        (document.relative_to(ROOT).as_posix(), text)
        for document in DOCUMENTS
        for text in re.findall(pattern, document.read_text(encoding="utf-8"))
    ]


LINKS = [
    (document, target) for document, target in found(r"\]\(([^)\s]+)\)") if not re.match(r"[a-z]+:", target)
]
COMMANDS = found(r"attcell (?:train|protocol|ablate \w+) ((?!mine)[a-z][\w/-]+ [^\n`#|]+)")
FILES_OF_RECIPES = found(r"\b(recipes/[\w./-]+\.yaml)")


pytestmark = pytest.mark.usefixtures("cached_video_mae")


def test_something_was_found():
    assert {"README.md", "benchmarks/README.md"} <= {document for document, _ in LINKS}
    assert {"README.md", "docs/recipes.md"} <= {document for document, _ in COMMANDS}


@pytest.mark.parametrize(("document", "target"), LINKS)
def test_a_link_points_to_something(document, target):
    path, _, heading = target.partition("#")
    goal = (ROOT / document).parent / path if path else ROOT / document
    assert goal.exists()
    if heading:
        assert heading in headings(goal)


@pytest.mark.parametrize(("document", "name"), FILES_OF_RECIPES)
def test_a_named_recipe_is_there(document, name):
    assert (ROOT / "src" / "attcell" / name).is_file()


@pytest.mark.parametrize(("document", "words"), COMMANDS)
def test_a_command_has_a_valid_recipe(document, words):
    first, *others = shlex.split(words)
    names = [first, *(word for word in others if re.fullmatch(r"[a-z]+-[\w-]+", word))]
    overrides = [word for before, word in pairwise([first, *others]) if "=" in word and before != "--slurm"]
    given = {flag: value for flag, value in pairwise(others) if flag.startswith("--row")}
    if "--row" in given:
        load_recipe(first, overrides, given["--row"])
    elif "--list" in others:
        assert choose_rows(names, [given["--rows"]] if "--rows" in given else [])
    else:
        assert load_rows(names, overrides, [given["--rows"]] if "--rows" in given else []).recipes


def test_the_recipe_of_the_docs_is_one_and_names_every_key():
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    values = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    given = {**values["data"], "val": None}
    whole = check_recipe({**values, "data": given}, source="docs/recipes.md").model_dump(mode="json")
    assert keys(values) | {"train.epochs"} == keys(whole)


def test_the_table_of_the_docs_is_one(tmp_path):
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    (tmp_path / "table.yaml").write_text(text.split("```yml\n")[1].split("```")[0])
    (tmp_path / "other.yaml").write_text("rows: {some-row: {segments: {test: 3}}}")
    rows = {recipe.name: recipe for recipe in load_rows([tmp_path / "table.yaml"]).recipes}
    names = ["frame-san", "frame-stan", "flow-san", "flow-stan", "both"]
    assert list(rows) == [f"table-{name}" for name in names]
    assert rows["table-both"].segments.test == 3
    (figure,) = rows["table-flow-stan"].published
    assert (figure.value, figure.source, figure.row) == (71.2, "Table 2 of ours", "flow-stan")


@pytest.mark.parametrize(("document", "module"), found(r"python -m (benchmarks\.\w+)"))
def test_a_named_benchmark_is_there(document, module):
    place = ROOT / module.replace(".", "/")
    assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()


@pytest.mark.parametrize(("document", "name"), found(r"`([\w/]+\.py)`"))
def test_a_named_file_is_there(document, name):
    assert any((base / name).is_file() for base in (ROOT, ROOT / "src" / "attcell"))


def headings(document: Path) -> set[str]:
    """The names that a document's headings can be pointed to by."""
    lines = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line).lower().replace(" ", "-") for line in lines}


def keys(values: dict[str, object], before: str = "") -> set[str]:
    """All keys, as in ``train.seed``."""
    return set().union(
        *(
            keys(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}"}
            for key, value in values.items()
        )
    )


def test_the_lines_on_flow_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.mp4", 12)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "flow.md").read_text("utf-8"), flags=re.S)
    assert len(blocks) == 2
    exec("\n".join(blocks), {})
    assert re.fullmatch(
        r"\d+\.\d grey levels apart, \d+\.\d once drawn back by the flow\n", capsys.readouterr().out
    )
    assert (tmp_path / "flow.png").stat().st_size > 500
