"""What a measurement has to say of itself: hardware, versions, threads."""

import os
import platform
from importlib.metadata import version
from typing import Any


def describe() -> dict[str, Any]:
    """Processor, its number, threads in use and versions, ready for JSON."""
    from varconvex._threads import n_threads

    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "threads": n_threads(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("varconvex", "numpy", "numba", "scipy")},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
