"""Temporary folders that live as long as an object, and no longer than the process."""

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

_removals: weakref.WeakKeyDictionary[Any, weakref.finalize] = weakref.WeakKeyDictionary()


def folder(owner: Any) -> Path:
    """A new folder that is deleted with its owner, or when the interpreter ends."""
    path = Path(tempfile.mkdtemp(prefix="varconvex-"))
    _removals[owner] = weakref.finalize(owner, shutil.rmtree, path, ignore_errors=True)
    return path


def remove_folders() -> None:
    """Delete all of them, for a process that ends without taking the interpreter apart."""
    for removal in list(_removals.values()):
        removal()
