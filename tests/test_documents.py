"""What the documents point to is there, and the recipes that they name are recipes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from attcell.config.recipe import PATH_KEYS, Recipe, check_recipe, load_recipe
from attcell.data.known_sets import KNOWN_SETS
from attcell.errors import CallError

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
ROWS = sorted(path for path in (ROOT / "recipes").glob("*/*.yaml") if path.parent.name != "parts")
FIGURES = {"top1", "mAP", "top1_frame", "top1_flow"}
OTHERS_EXCLUDE = (
    "data.val",  # with val_fraction
    "data.annotations",  # without a dataset
    "cache.folder",  # with a backbone that is trained
)
PATHS = [f"{key}={key}" for key in PATH_KEYS if key not in OTHERS_EXCLUDE]


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
NAMED_RECIPES = found(r"\b(recipes/[\w./-]+\.yaml)")
TRAIN_COMMANDS = found(r"attcell train (recipes/[^\n`#]+)")


def test_something_was_found():
    assert {"README.md", "benchmarks/README.md"} <= {document for document, _ in LINKS}
    assert {"README.md"} <= {document for document, _ in TRAIN_COMMANDS}
    assert len(TRAIN_COMMANDS) <= len(NAMED_RECIPES)
    assert RECIPES


@pytest.mark.parametrize(("document", "target"), LINKS)
def test_a_link_points_to_something(document, target):
    path, _, heading = target.partition("#")
    goal = (ROOT / document).parent / path if path else ROOT / document
    assert goal.exists()
    if heading:
        assert heading in headings(goal)


@pytest.mark.parametrize(("document", "name"), NAMED_RECIPES)
def test_a_named_recipe_is_there(document, name):
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_wants_nothing_but_paths(path):
    recipe = load_recipe(path, PATHS)
    assert recipe.data.train == Path("data.train")
    assert f"attcell train recipes/{path.name} data.train=" in path.read_text(encoding="utf-8")


def completed(path: Path) -> Recipe:
    """A recipe with something in every place that it leaves open."""
    try:
        return load_recipe(path)
    except CallError as error:
        left = str(error).split(" leaves ")[1].split(" open ")[0]
        return load_recipe(path, [f"{key}=given" for key in left.split(", ")])


@pytest.mark.parametrize("path", ROWS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_row_of_a_table_is_a_recipe_for_a_data_set(path):
    recipe = completed(path)
    assert recipe.name in (path.stem, f"{path.parent.name}-{path.stem}")
    of_first_split = {one.source.endswith("split 1") for one in recipe.published}
    if of_first_split:
        assert of_first_split == {recipe.data.splits == (1,)}
    assert recipe.data.dataset in KNOWN_SETS
    stage = path.stem.endswith("-stage") or path.parent.name == "weizmann"
    assert bool(recipe.published) != stage
    for published in recipe.published:
        assert published.figure in FIGURES
        assert published.source.startswith(("STAN paper", "TAN paper"))


def test_no_two_rows_of_a_folder_are_the_same():
    found: dict[str, Path] = {}
    for path in ROWS:
        recipe = completed(path)
        text = recipe.model_copy(update={"name": "", "published": ()}).model_dump_json()
        other = found.setdefault(f"{path.parent} {text}", path)
        assert other == path or '"weights":"given"' in text  # the stages before tell them apart


@pytest.mark.parametrize(("document", "words"), TRAIN_COMMANDS)
def test_a_command_that_trains_has_a_valid_recipe(document, words):
    name, *others = words.split()
    load_recipe(ROOT / name, [word for word in others if "=" in word])


def test_the_recipe_of_the_docs_is_one_and_names_every_key():
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    values = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    given = {**values["data"], "val": None}
    whole = check_recipe({**values, "data": given}, source="docs/recipes.md").model_dump(mode="json")
    assert keys(values) | {"train.epochs"} == keys(whole)


@pytest.mark.parametrize(("document", "module"), found(r"python -m (benchmarks\.\w+)"))
def test_a_named_benchmark_is_there(document, module):
    assert (ROOT / f"{module.replace('.', '/')}.py").is_file()


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
