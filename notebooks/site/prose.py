"""The prose of the docstrings, which is plain text, as reStructuredText.

Pipes are norms and stars are adjoints or any number of axes here, not markup; what stands in backticks is a name or
code; what is indented is a formula.
"""

import re

_CODE = re.compile(r"(``.+?``|`[^`]+`|doi:10\.[^\s,;)]+[^\s,;).]|arXiv:\d{4}\.\d+)")
_PLACES = {"doi": "https://doi.org/", "arXiv": "https://arxiv.org/abs/"}


def escaped(line: str) -> str:
    """A line in which |u|, K* and trailing underscores stand for themselves; publications become links.

    Code and examples are left alone.
    """
    if line.lstrip().startswith((">>>", "... ")):
        return line
    parts = _CODE.split(line)
    return "".join(_code(p) if k % 2 else re.sub(r"([|*]|(?<=\w)_(?=\W|$))", r"\\\1", p) for k, p in enumerate(parts))


def _code(text: str) -> str:
    """Code as it is; a publication's number as a link to it."""
    kind, _, number = text.partition(":")
    return f"`{text} <{_PLACES[kind]}{number}>`__" if kind in _PLACES else text


def page(docstring: str) -> str:
    """A module's docstring: paragraphs escaped, indented ones as they are typed."""
    paragraphs = []
    for paragraph in docstring.strip().split("\n\n"):
        lines = paragraph.split("\n")
        if all(line.startswith("    ") for line in lines):
            paragraphs.append("\n".join([".. code-block:: text", "", *lines]))
        else:
            paragraphs.append("\n".join(escaped(line) for line in lines))
    return "\n\n".join(paragraphs)
