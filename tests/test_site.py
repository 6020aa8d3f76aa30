"""The site is built with warnings as errors, and what its pages lead to is there, on this disk."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]


class Page(HTMLParser):
    """What a page leads to and loads, and what in it can be led to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {values[key] or "" for key in ("id", "name") if key in values}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"] or "")
        elif tag in {"img", "script", "link"} and values.get("rel") not in {
            "index",
            "search",
            "next",
            "prev",
        }:
            self.loaded += [value for key in ("src", "href") if (value := values.get(key))]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    call = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(folder)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "BEARTYPE": ""}
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_the_site(site, capsys):
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    assert {"index.html", "copied/README.html", "api/nn.html", "concepts.html"} <= {
        path.relative_to(site).as_posix() for path in pages
    }
    lost, num_links = [], 0
    for path, page in pages.items():
        for target in page.loaded + page.links:
            parts = urlsplit(target)
            if parts.scheme in {"http", "https", "mailto"}:
                assert target in page.links, f"{path} loads {target} from a network"
                continue
            if parts.scheme == "data":
                continue
            num_links += 1
            goal = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not goal.is_file() or (anchor and goal in pages and anchor not in pages[goal].anchors):
                lost.append((path.relative_to(site).as_posix(), target))
    assert lost == []
    with capsys.disabled():
        print(f"\nsite: {len(pages)} pages, {num_links} links")


def test_equations_need_no_script(site):
    text = (site / "concepts.html").read_text(encoding="utf-8")
    source = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
    assert text.count("<math ") == source.count("```math\n") > 0
    assert not re.search(r"mathjax|katex|cdn", text, flags=re.IGNORECASE)
