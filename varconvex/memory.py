"""How much memory there is, and an error before more than that is asked for.

The operating system ends a process that touches more memory than there is, or than its control group (a container's
limit) allows, without an exception. So sizes are estimated before anything large is allocated.
"""

import os
from pathlib import Path
from typing import Any

from .errors import InvalidParameterError, NotEnoughMemoryError

_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")

_WORTH_A_LOOK = 2**25
"""Bytes; asking the system takes as long as the smallest problems."""

_UNLIMITED = 2**60
"""Version 1 of control groups writes a number near 2^63 where there is no limit."""


def available() -> int | None:
    """Bytes that this process can still take: of the machine, of each control group above it, of its own limit.

    None where the system does not say.
    """
    rooms = [_of_machine(), *_of_control_groups(), _of_process()]
    return max(0, min(known)) if (known := [room for room in rooms if room is not None]) else None


def require(needed: float, what: str, remedy: str) -> None:
    """A NotEnoughMemoryError if `needed` bytes are more than there are; `what` needs them, `remedy` is a sentence.

    A few megabytes are not worth the look.
    """
    if needed >= _WORTH_A_LOOK and (there := available()) is not None and needed > there:
        raise NotEnoughMemoryError(
            f"{what} needs about {readable(needed)} of memory; {readable(there)} are available. {remedy}"
        )


_SIZES = {"": 1, "B": 1}
_SIZES |= {f"{letter}{more}": 1024**k for k, letter in enumerate("KMGT", 1) for more in ("", "B", "IB")}


def budget(value: Any) -> int:
    """Bytes of a user's ``memory="4G"``; of None half of what this process can still take.

    An InvalidParameterError if it is no size, a NotEnoughMemoryError if there is not as much.
    """
    there = available()
    if value is None:
        return (there or 2**32) // 2
    number, unit = value, ""
    if isinstance(value, str):
        text = value.strip().upper()
        number = text.rstrip("KMGTIB ")
        unit = text[len(number) :].strip()
    try:
        size = int(float(number) * _SIZES[unit])
    except (TypeError, ValueError, OverflowError, KeyError):
        size = 0
    if isinstance(value, bool) or size <= 0:
        raise InvalidParameterError(
            f"memory must be a number of bytes, or a text such as '4G' or '500M'; got {value!r}. Pass such a size."
        )
    if there is not None and size > there:
        raise NotEnoughMemoryError(
            f"memory must be there; got {readable(size)} where {readable(there)} are available. Pass less."
        )
    return size


def readable(size: float) -> str:
    """A number of bytes in the unit in which it is easy to read: ``"1.5 GiB"``."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.3g} {unit}"


def _of_machine() -> int | None:
    """Bytes that are free or can be freed without swapping."""
    if (found := _lines(_PROC / "meminfo", ":").get("MemAvailable")) is not None:
        return found * 1024
    try:  # macOS and other systems without /proc: all pages, as the free ones alone leave out the caches
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _of_control_groups() -> list[int]:
    """Bytes left in each control group that holds this process, of version 2 or 1; caches of files count as free."""
    try:
        lines = (_PROC / "self/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    rooms = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        root = _CGROUPS / "memory" if controllers else _CGROUPS
        limit, used = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else ("memory.max", "memory.current")
        )
        group = root / path.lstrip("/")
        # In a container the path may be that of the host; the container's own group is then the root.
        for folder in {root, group, *(parent for parent in group.parents if parent.is_relative_to(root))}:
            most, now = _number(folder / limit), _number(folder / used)
            if most is None or now is None or most >= _UNLIMITED:
                continue
            statistics = _lines(folder / "memory.stat", " ")
            rooms.append(most - now + statistics.get("total_inactive_file", statistics.get("inactive_file", 0)))
    return rooms


def _of_process() -> int | None:
    """Bytes that are left of the address space that this process may use (``ulimit -v``)."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = _lines(_PROC / "self/status", ":").get("VmSize")
    return None if limit == resource.RLIM_INFINITY or used is None else limit - used * 1024


def _number(path: Path) -> int | None:
    """The number that a file holds, or None."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _lines(path: Path, separator: str) -> dict[str, int]:
    """Numbers by name in a file of lines ``name: number unit``; empty if it cannot be read."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.partition(separator) for line in text.splitlines())
    return {name.strip(): int(rest.split()[0]) for name, _, rest in pairs if rest.split() and rest.split()[0].isdigit()}
