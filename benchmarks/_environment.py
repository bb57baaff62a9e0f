"""Hardware, versions and thread counts that are recorded with every measurement; pinning of threads."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_PEERS = ("PyMaxflow", "scikit-image", "opencv-python-headless", "pyproximal", "pylops", "odl", "gco-wrapper", "pyamg")


def pin(threads: int | None) -> None:
    """Hold Numba, OpenMP, BLAS and OpenCV to so many threads, this process and its children; None takes what is set.

    To be called before NumPy and Numba are imported, which read the environment once.

    Raises
    ------
    SystemExit
        If Numba is there already with another number.
    """
    if threads is None:
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        threads = int(os.environ.get("NUMBA_NUM_THREADS", available))
    if "numba" in sys.modules and (running := _threads()) != threads:
        raise SystemExit(f"threads must be pinned before Numba is imported; it runs on {running}, not on {threads}")
    os.environ.update(dict.fromkeys(_VARIABLES, str(threads)))
    os.environ["OMP_WAIT_POLICY"] = "passive"  # idle threads would spin beside whoever is measured next
    try:
        import cv2
    except ImportError:
        return
    cv2.setNumThreads(threads)


def describe() -> dict[str, Any]:
    """Processor, its number, threads in use and versions, ready for JSON."""
    return {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "threads": _threads(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("varconvex", "numpy", "numba", "scipy")},
    }


def peers() -> dict[str, str]:
    """Versions of other people's programs, those that are installed."""
    found = {}
    for name in _PEERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def libraries() -> list[dict[str, Any]]:
    """The threads of each BLAS and OpenMP library that is loaded, and of OpenCV."""
    from threadpoolctl import threadpool_info

    loaded = [{"library": i["internal_api"], "threads": i["num_threads"]} for i in threadpool_info()]
    if "cv2" in sys.modules:
        loaded.append({"library": "opencv", "threads": sys.modules["cv2"].getNumThreads()})
    return loaded


def _threads() -> int:
    from varconvex.threads import n_threads  # imports Numba

    return n_threads()


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
