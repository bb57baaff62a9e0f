"""The documentation site in one command: ``python notebooks/site/build.py``.

Assembles the pages of this folder, the notebooks as they were executed, the documents of the top level, the benchmarks'
results and one page a public name into build/site/source; has Sphinx render them to build/site/html, where any warning is an error; then
follows every link of the result that stays within it.
"""

import shutil
import sys
from pathlib import Path

import gallery
import links
import reference
from sphinx.cmd.build import build_main

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")


def assemble(source: Path) -> None:
    """Everything that Sphinx reads, in one folder."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("__pycache__", "build.py"))
    for name in DOCUMENTS:
        text = (ROOT / name).read_text(encoding="utf-8")
        (source / name.lower()).write_text(text.replace("](notebooks/site/", "]("), encoding="utf-8")
    shutil.copytree(ROOT / "benchmarks" / "results", source / "benchmarks" / "results")
    gallery.write(ROOT / "notebooks", source)
    reference.write(source / "reference")


def main() -> int:
    """Exit status: 0 where there was neither a warning nor a broken link."""
    site = ROOT / "build" / "site"
    assemble(site / "source")
    shutil.rmtree(site / "html", ignore_errors=True)
    strict = ["--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"]
    status = build_main([*strict, "-d", str(site / "doctrees"), str(site / "source"), str(site / "html")])
    broken = links.broken(site / "html")
    for page, target in broken:
        print(f"{page}: no such place: {target}", file=sys.stderr)
    if not status and not broken:
        print(f"built {site / 'html' / 'index.html'}")
    return status or int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
