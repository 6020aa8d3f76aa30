"""docs/papers.md: every table and figure of both papers, row by row, from what their texts say and from the
recipes. ``python -m tests.config.papers.page`` writes it anew.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from attcell.config.loading import find_recipe, merged_row, read_recipe_file
from attcell.config.recipe import Recipe, check_recipe, differing_keys
from attcell.results.tables import in_markdown, markdown_table
from tests.config.papers.rows import Row, Table
from tests.config.papers.stan import STAN
from tests.config.papers.tan import TAN

PAGE = Path(__file__).parents[3] / "docs" / "papers.md"
PAPERS = {
    "STAN (IEEE TMM 2019)": STAN,
    "TAN (2018)": TAN,
}
SETS = {  # as a reader may have them: where they lie, and which rows these overrides are for
    "UCF101": ("ucf101-*", "UCF-101", "ucfTrainTestlist"),
    "HMDB51": ("hmdb51-*", "HMDB51", "testTrainMulti_7030_splits"),
    "CCV": ("ccv-*", "CCV", "CCV-lists"),
    "THUMOS14": ("thumos14-*", "THUMOS14", "THUMOS14-lists"),
    "SPORTS1M": ("sports1m-*", "Sports-1M", "sports1m-lists"),
}
HEAD = """# The papers' tables, row by row

Every table and figure of both papers, with the recipe that runs each row, or the reason why there is none.
The commands are `attcell protocol` and what stands in the row, after these lines of bash with your own
folders in them:

```
{sets}
C3D="model.streams.clip.weights=c3d.safetensors"
```

`flow/ucf101` is of `attcell extract flow UCF-101 flow/ucf101 --method paper`; `flow.store=none` computes it
as it goes. TAN+ is TAN and the scores of another tool (MIFS in the paper) for the tested videos, a file for
each split. The last word of a row with a value of `top1_fused` gives them; without it the network is alone:

```
MIFS_UCF101="ucf101-*:fuse.scores=mifs-ucf101-{{split}}.csv"
MIFS_HMDB51="hmdb51-*:fuse.scores=mifs-hmdb51-{{split}}.csv"
```

A value that is *lost* is one whose number no copy of the paper at hand has. What the papers leave open is a
[reading](readings.md). Early and late fusion, and the rows of Table I, differ in [nothing but what they are
about](#what-is-compared-with-what).
"""
COMPARED = """
## What is compared with what

`attcell recipes TABLE --rows PATTERN` shows the keys in which rows of a table differ, each recipe being
whole. Between early and late fusion it is this, in Tables II and III, on each data set:

{fusion}
and between the runs of Table I, on each modality of each data set (fc6 of clips sees 112² too, where C3D has
it):

{runs}
What is pre-trained and not trained on is kept on disk (`cache.folder`), which changes no number.
"""


@cache
def resolved(table: str, row: str) -> Recipe:
    """A row as it is run, with ``???`` in the places that the reader fills in."""
    return check_recipe(merged_row(read_recipe_file(find_recipe(table)), row, ()).values, f"{table} {row}")


@cache
def open_keys(table: str, row: str) -> tuple[str, ...]:
    """What a row leaves open."""
    return merged_row(read_recipe_file(find_recipe(table)), row, ()).missing


def command_of(table: str, row: str) -> str:
    """The words that run a row, and first what it begins with."""
    needed = [
        row.split("-", maxsplit=1)[0].upper(),
        *(stage.split("#")[1].split("-")[0].upper() for stage in stages(table, row)),
    ]
    fused = any(one.figure == "top1_fused" for one in resolved(table, row).published)
    mifs = [f"$MIFS_{needed[0]}"] if fused else []
    c3d = ["$C3D"] if "model.streams.clip.weights" in open_keys(table, row) else []
    return " ".join([table, "--rows", row, *(f"${name}" for name in dict.fromkeys(needed)), *c3d, *mifs])


def stages(table: str, row: str) -> list[str]:
    """The rows that a row begins with, as TABLE#ROW, with those before them."""
    model = resolved(table, row).model
    begins = [
        model.init_from,
        *(of for stream in model.streams.values() for of in (stream.weights, stream.init_from)),
    ]
    own = list(dict.fromkeys(str(one) for one in begins if "#" in str(one)))
    return [stage for one in own for stage in (*stages(*one.split("#")), one)]


def expanded(command: str) -> list[str]:
    """The words of a command, with what the page's variables stand for."""
    given = dict(re.findall(r'^(\w+)="(.*)"$', PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    return shlex.split(re.sub(r"\$(\w+)", lambda found: given[found[1]], command.replace("*", "\\*")))


def page() -> str:
    """The whole page."""
    return "".join([HEAD.format(sets=_variables()), *_papers(), COMPARED.format(**_compared())])


def _variables() -> str:
    lines = []
    for name, (rows, videos, lists) in SETS.items():
        keys = {"data.root": videos, "data.annotations": lists}
        keys |= {} if name == "SPORTS1M" else {"flow.store": f"flow/{name.lower()}"}  # frames and clips alone
        lines.append(f'{name}="' + " ".join(f"{rows}:{key}={value}" for key, value in keys.items()) + '"')
    return "\n".join(lines)


def _papers() -> Iterator[str]:
    for paper, tables in PAPERS.items():
        yield f"\n## {paper}\n"
        for table in tables:
            yield (
                f"\n### {table.title} {'' if paper.startswith('STAN') else 'of TAN'}".rstrip()
                + f"\n\n{table.about}\n"
            )
            if table.rows:
                head = ("the paper's row", "`attcell protocol` …", "protocol", "published %")
                yield "\n" + markdown_table(head, [_cells(table, row) for row in table.rows], [False] * 4)
            if table.command:
                yield f"\n```\n{table.command}\n```\n"
            elif not table.rows:
                yield "\nNot ours, because nothing is measured in it.\n"


def _cells(table: Table, row: Row) -> list[str]:
    if not row.recipe:
        values = "; ".join(f"{name} {value}" for name, value in row.published) or "–"
        why = row.why if row.why.startswith("as ") else f"not ours, because {in_markdown(row.why)}"
        return [in_markdown(row.name), why, "–", in_markdown(values)]
    recipe = resolved(table.file, row.recipe)
    return [
        in_markdown(row.name),
        f"`{command_of(table.file, row.recipe)}`",
        protocol_of(recipe),
        published_of(recipe),
    ]


def protocol_of(recipe: Recipe) -> str:
    """How a row is tested, in words."""
    data, segments, asked = recipe.data, recipe.segments, recipe.detection
    several = {"ucf101": 3, "hmdb51": 3}.get(str(data.dataset), 1)
    splits = "" if several == 1 else f"{several} splits" if data.splits is None else f"split {data.splits[0]}"
    every = f"a segment every {segments.test_every} frames"
    words = [
        splits,
        every if segments.test_every else f"T {segments.test}",
        "1 crop" if segments.crops == 1 else f"{segments.crops} crops",
        "SVM" if recipe.model.classifier == "svm" else "softmax",
        f"{100 * data.val_fraction:g} % of training held out" if data.val_fraction else "",
        f"actions by the rule {asked.rule}, a sample every {asked.every} frames" if asked else "",
    ]
    return ", ".join(word for word in words if word)


def published_of(recipe: Recipe) -> str:
    """The paper's values, with their notes."""
    figures = [one.figure for one in recipe.published]
    names = [one.figure if figures.count(one.figure) == 1 else one.row for one in recipe.published]
    values = [
        f"{name} {'*lost*' if one.value is None else one.value}"
        for name, one in zip(names, recipe.published, strict=True)
    ]
    notes = dict.fromkeys(one.note for one in recipe.published if one.note)
    return "; ".join(values).replace("_", "\\_") + "".join(f" ({note})" for note in notes) if values else "–"


def _compared() -> dict[str, str]:
    def table(name: str, rows: dict[str, str]) -> str:
        keys = differing_keys([resolved(name, row) for row in rows.values()])
        cells = [
            [f"`{key}`", *(f"`{value}`" for value in values)]
            for key, values in keys.items()
            if key not in TOLD
        ]
        return markdown_table(["key", *rows], cells, [False] * (len(rows) + 1))

    fusion = {"early": "ucf101-stan-early", "late": "ucf101-stan-late"}
    names = ("fc6", "pool5-25088", "pool5-512-ave", "pool5-512-vlad", "san", "stan")
    runs = {name: f"ucf101-frame-{name}" for name in names}
    return {"fusion": table("stan-table-2", fusion), "runs": table("stan-table-1", runs)}


TOLD = ("name", "published")  # what a table calls the row, and what it prints beside it

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
