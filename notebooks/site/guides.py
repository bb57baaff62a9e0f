"""The guides, run from their first line to their last: ``python notebooks/site/guides.py`` also draws their pictures.

A page's blocks of python and sh run in order, in a folder of their own, and so do the comments <!-- check --> and
<!-- picture -->, which readers do not see; the latter leaves a PIL image named `picture`.
"""

import os
import re
import subprocess
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

PAGES = sorted(path for path in (Path(__file__).parent / "guides").glob("*.md") if path.stem != "index")

_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$|^<!-- (check|picture)\n(.*?)^-->$", re.DOTALL | re.MULTILINE)

SIDE = 900
"""Longest side of a picture, in pixels."""


def run(page: Path, folder: Path) -> Any:
    """Run a page's blocks in a folder; its picture."""
    scripts = folder / "bin"
    scripts.mkdir()
    (scripts / "varconvex").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m varconvex "$@"\n')
    (scripts / "varconvex").chmod(0o755)
    root = str(Path(__file__).resolve().parents[2])
    path = {"PATH": f"{scripts}:{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": root}
    names: dict[str, Any] = {"__name__": "__main__"}
    with chdir(folder):
        for kind, shown, unseen, comment in _BLOCK.findall(page.read_text(encoding="utf-8")):
            if kind == "sh":
                subprocess.run(["bash", "-ec", shown], check=True, env={**os.environ, **path})
            else:
                exec(compile(shown or comment, f"{page.name}: {kind or unseen}", "exec"), names)
    return names["picture"]


def main() -> None:
    """Run all pages, and draw their pictures."""
    pictures = Path(__file__).parent / "_static" / "guides"
    pictures.mkdir(exist_ok=True)
    for page in PAGES:
        if sys.argv[1:] and page.stem not in sys.argv[1:]:
            continue
        with tempfile.TemporaryDirectory() as folder:
            picture = run(page, Path(folder)).convert("RGB")
        scale = max(1, 480 // max(picture.size))
        picture = picture.resize((picture.width * scale, picture.height * scale), 0)
        picture.thumbnail((SIDE, SIDE))
        picture.save(pictures / f"{page.stem}.jpg", quality=85)
        print(page.stem)


if __name__ == "__main__":
    main()
