"""Sphinx's configuration, for the folder that `build.py` assembles."""

import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

import varconvex

sys.path.insert(0, str(Path(__file__).parent))
import prose
import reference

project = "varconvex"
author = copyright = "The varconvex developers"
version = release = varconvex.__version__
extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_nb", "sphinx-mathjax-offline"]
exclude_patterns = ["_static", "readme.md"]  # of the README start.md shows a part
default_role = "varconvex"
highlight_language = "python"

autodoc_typehints = "none"
autodoc_member_order = "bysource"
NAMES = reference.names()
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # only what NAMES describes is linked: most types are shapes of arrays
numpydoc_xref_aliases = {name: full for name, full in NAMES.items() if "." not in name}
# Sections there are, in their order; a summary in one sentence; every parameter of a public name, and no other.
numpydoc_validation_checks = {"GL05", "GL06", "GL07", "GL08", "SS01", "SS03", "SS04", "PR01", "PR02", "YD01"}
numpydoc_validation_exclude = {
    r"^varconvex\.\w+\.",
    r"^varconvex\.(Segmentation|Solution|Progress|Stationary|FcnPredictor|CnnPredictor)$",
    r"^varconvex\.(LargeSegmentation|OptimalityCertificate|HullShape|EllipseShape|RectangleShape)$",
    r"^varconvex\.\w+(Error|Warning)$",
}  # methods say it in a line; results are never made by hand; networks share parameters of their base; some shapes have none

nb_execution_mode = "off"  # shown as they were executed and committed
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = "varconvex"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"index": [], "gallery": [], "which_energy": [], "coming_from": [], "start": [], "interactive": []}
html_theme_options = {
    "header_links_before_dropdown": 5,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}


def named(role: str, source: str, text: str, line: int, inliner: Any, *_: Any) -> tuple[list[nodes.Node], list[Any]]:
    """A name in backticks: a link where the reference describes it, else code."""
    code = nodes.literal(source, text)
    if text not in NAMES:
        return [code], []
    link = pending_xref("", code, refdomain="py", reftype="obj", reftarget=NAMES[text], refexplicit=True, refwarn=True)
    return [link], []


def plain(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text."""
    lines[:] = [prose.escaped(line) for line in lines]


def only_own_links(app: Sphinx) -> None:
    """Of the words in type fields, link those that this reference describes."""
    app.config.numpydoc_xref_aliases_complete = dict(app.config.numpydoc_xref_aliases)


def setup(app: Sphinx) -> None:
    """Hook the above in; the docstrings' text before numpydoc reads it."""
    app.add_role("varconvex", named)
    # numpydoc adds links to Python and NumPy, whose inventories another host has.
    app.connect("builder-inited", only_own_links, priority=900)
    app.connect("autodoc-process-docstring", plain, priority=1)
