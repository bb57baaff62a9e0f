"""The report of ``varconvex doctor``: versions, missing packages and the command that installs them, threads, GPU."""

import importlib.util
import os
import platform
import re
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from . import __version__
from .errors import BackendUnavailableError


@dataclass(frozen=True)
class Report:
    """Versions of packages (None where one is missing), processors, compilation cache, GPU and advice."""

    varconvex: str
    python: str
    system: str
    required: dict[str, str | None]
    optional: dict[str, str | None]
    processors: int
    threads: int
    cache: str
    gpu: str
    advice: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Whether every required package is installed."""
        return all(self.required.values())

    def to_dict(self) -> dict[str, Any]:
        """The report, ready for JSON."""
        return {**asdict(self), "healthy": self.healthy}

    def __str__(self) -> str:
        lines = [f"varconvex {self.varconvex}, Python {self.python}, {self.system}"]
        lines.append(f"processors {self.processors}, threads that kernels use {self.threads} (NUMBA_NUM_THREADS)")
        lines.append(f"compiled kernels are kept in {self.cache}")
        lines.append(f"GPU: {self.gpu}")
        for title, found in (("required", self.required), ("optional", self.optional)):
            lines.append(f"{title}:")
            lines += [f"  {name:<24} {there or 'not installed'}" for name, there in found.items()]
        lines += ["advice:", *(f"  {line}" for line in self.advice)] if self.advice else ["nothing is missing"]
        return "\n".join(lines)


def examine() -> Report:
    """Versions of packages, threads, compilation cache and GPU of this installation."""
    versions = {extra: {name: _version(name) for name in names} for extra, names in _requirements().items()}
    required = versions.pop("", {})
    optional = {name: there for found in versions.values() for name, there in found.items()}
    advice = [f"pip install {name}" for name, there in required.items() if there is None]
    if not required:
        advice.append("varconvex is not installed, so what it requires is unknown: `pip install .` in its repository")
    for extra, found in versions.items():
        lacking = [name for name, there in found.items() if there is None]
        if lacking and not extra.startswith("cuda"):  # `_gpu` speaks of those
            advice.append(f"extra {extra}: pip install {' '.join(lacking)}")
    gpu, remedy = _gpu()
    if remedy:
        advice.append(remedy)
    threads, cache = _numba()
    return Report(
        varconvex=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        required=required,
        optional=optional,
        processors=os.cpu_count() or 1,
        threads=threads,
        cache=cache,
        gpu=gpu,
        advice=tuple(advice),
    )


def _requirements() -> dict[str, list[str]]:
    """Names of the packages in this installation's metadata by extra; "" is always required."""
    found: dict[str, list[str]] = {}
    try:
        asked = requires("varconvex") or []
    except PackageNotFoundError:
        return found
    for requirement in asked:
        name = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra == ['\"]([\w-]+)", requirement)
        if name and "python_version" not in requirement:
            found.setdefault(extra[1] if extra else "", []).append(name[0])
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _gpu() -> tuple[str, str | None]:
    from .backends.cupy_ import n_devices

    try:
        count = n_devices()
    except BackendUnavailableError as error:
        return "not usable, the CPU is used", f"GPU: {error}"
    return (f"{count} CUDA device(s)", None) if count else ("CuPy finds none, the CPU is used", None)


def _numba() -> tuple[int, str]:
    if importlib.util.find_spec("numba") is None:
        return 1, "nowhere (numba is missing)"
    from .backends._numba_steps import simplex_block
    from .compiling import interpreted
    from .threads import n_threads

    if interpreted:
        return n_threads(), "nowhere: NUMBA_DISABLE_JIT is set, so that nothing is compiled"
    folder = os.environ.get("NUMBA_CACHE_DIR") or simplex_block.stats.cache_path or "nowhere: every start compiles anew"
    return n_threads(), str(folder).replace(os.path.expanduser("~") + os.sep, "~" + os.sep)
