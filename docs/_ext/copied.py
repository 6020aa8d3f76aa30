"""Pages that lie outside docs/ become pages of the site, and links to them lead there.

Links in the documents are those of the repository, so that they also work where one browses its files.
README.md and the others are copied to docs/copied/ (which git ignores) as they are; links are rewritten as
pages are read.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
PLACE = "copied"
NAMES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md")
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?\)")


def copied() -> list[Path]:
    """What lies outside docs/ and is a page of the site."""
    return [*(ROOT / name for name in NAMES), *sorted((ROOT / "benchmarks" / "results").glob("*.md"))]


def copy_pages(app: Sphinx) -> None:
    for page in copied():
        goal = DOCS / PLACE / page.relative_to(ROOT)
        text = page.read_text(encoding="utf-8")
        if not goal.exists() or goal.read_text(encoding="utf-8") != text:
            goal.parent.mkdir(parents=True, exist_ok=True)
            goal.write_text(text, encoding="utf-8")


def relinked(text: str, docname: str) -> str:
    """A page's text, with links that lead to the site's pages."""
    here = (DOCS / docname).parent
    came_from = (ROOT / Path(docname).relative_to(PLACE)).parent if docname.startswith(f"{PLACE}/") else here
    pages = set(copied())

    def link(found: re.Match[str]) -> str:
        start, target, heading = found.groups("")
        goal = Path(os.path.normpath(came_from / target))
        if ":" in target or not goal.exists():
            return found.group()
        if goal == ROOT / "benchmarks" / "results":
            goal = DOCS / "measured.md"
        if goal in pages:
            goal = DOCS / PLACE / goal.relative_to(ROOT)
        return f"{start}{os.path.relpath(goal, here)}{heading})"

    return LINK.sub(link, text)


def relink(app: Sphinx, docname: str, source: list[str]) -> None:
    text = relinked(source[0], docname)
    if docname.startswith(f"{PLACE}/benchmarks/") and not text.startswith("# "):
        text = f"# {Path(docname).name.replace('_', ' ').capitalize()}\n\n{text}"  # a table alone
    source[0] = text


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", copy_pages)
    app.connect("source-read", relink)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
