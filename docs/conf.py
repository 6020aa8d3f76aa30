"""Sphinx's settings of the site: `uv run sphinx-build -W -b html docs site`, then open site/index.html.

Everything that a page needs lies beside it, so that it opens from disk, without a network.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(Path(__file__).parents[1] / "src")]

import attcell  # noqa: E402

project = "attcell"
author = "the authors of attcell"
version = release = attcell.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "copied", "mathml", "notebooks"]
exclude_patterns = ["_ext"]
suppress_warnings = ["myst.xref_ambiguous", "misc.highlighting_failure"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
myst_fence_as_directive = ["math"]

autodoc_typehints = "none"  # the shapes stand in the text; as signatures they would be walls of brackets
autodoc_member_order = "groupwise"
autodoc_default_options = {"members": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"attcell {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
