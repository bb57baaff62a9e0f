"""Available memory is the least of what machine, control groups and process have, and more is refused with bytes."""

import subprocess
import sys

import numpy as np
import pytest

from varconvex import Potts, Session, memory, pdhg, segment
from varconvex.errors import NotEnoughMemoryError
from varconvex.inputs import blank_scene

GIB = 2**30


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(str(text))


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A machine with 8 GiB available, without control groups."""
    write(tmp_path / "proc", meminfo=f"MemTotal: {16 * 2**20} kB\nMemFree: 1 kB\nMemAvailable: {8 * 2**20} kB\n")
    write(tmp_path / "proc/self", cgroup="", status="")
    monkeypatch.setattr("varconvex.memory._PROC", tmp_path / "proc")
    monkeypatch.setattr("varconvex.memory._CGROUPS", tmp_path / "groups")
    return tmp_path


def test_without_groups_it_is_the_machines(system):
    assert memory.available() == 8 * GIB


@pytest.mark.parametrize("path", ["/a/b", "/somewhere/on/the/host"])
def test_the_tightest_group_above_the_process_counts(system, path):
    write(system / "proc/self", cgroup=f"0::{path}\n")
    write(system / "groups", memory__max=4 * GIB, memory__current=GIB, memory__stat=f"anon 5\ninactive_file {GIB // 2}")
    write(system / "groups/a", memory__max="max", memory__current=GIB)
    assert memory.available() == 3 * GIB + GIB // 2
    write(system / "groups/a/b", memory__max=2 * GIB, memory__current=GIB)
    assert memory.available() == (GIB if path == "/a/b" else 3 * GIB + GIB // 2)


def test_groups_of_version_1(system):
    write(system / "proc/self", cgroup="4:cpu:/c\n3:memory:/c\n")
    write(system / "groups/memory", memory__limit_in_bytes=2**63 - 4096, memory__usage_in_bytes=GIB)
    assert memory.available() == 8 * GIB
    write(system / "groups/memory/c", memory__limit_in_bytes=3 * GIB, memory__usage_in_bytes=GIB)
    assert memory.available() == 2 * GIB
    write(system / "groups/memory/c", memory__limit_in_bytes=GIB, memory__usage_in_bytes=2 * GIB)
    assert memory.available() == 0


def test_garbage_in_system_files_is_no_error(system):
    write(system / "proc", meminfo="MemAvailable:\n:::\n")
    write(system / "proc/self", cgroup="what\n0::/../..\n", status="VmSize: many kB\n")
    write(system / "groups", memory__max="soon", memory__current="")
    assert memory.available() is None or memory.available() > 0


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v needs Linux")
def test_the_process_has_a_limit_of_its_own():
    code = (
        "import resource; from varconvex import memory; before = memory.available();"
        "resource.setrlimit(resource.RLIMIT_AS, (2**31, -1)); print(memory.available())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(run.stdout) < 2**31


def test_more_than_there_is_is_refused_with_bytes_and_advice(system):
    memory.require(8 * GIB, "the solver", "Crop the image.")
    with pytest.raises(
        NotEnoughMemoryError, match=r"the solver needs about 100 GiB of memory; 8 GiB are available\. Crop the image\."
    ) as caught:
        memory.require(100 * GIB, "the solver", "Crop the image.")
    assert isinstance(caught.value, MemoryError)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (123 * GIB, "123 GiB"), (2**60, "1048576 TiB")],
)
def test_sizes_are_readable(size, text):
    assert memory.readable(size) == text


def test_what_does_not_fit_is_refused_before_anything_is_allocated(monkeypatch):
    monkeypatch.setattr("varconvex.memory.available", lambda: 2**26)
    image = np.broadcast_to(np.uint8(0), (2000, 2000, 3))  # three bytes
    strokes = {"object": [(5, 5)], "background": [(50, 50)]}
    for call in (lambda: segment(image, strokes), lambda: Session(image)):
        with pytest.raises(NotEnoughMemoryError, match=r"shape \(2000, 2000, 3\) needs about .* MiB.* are available"):
            call()
    costs = np.broadcast_to(np.float32(0), (40, 300, 300))
    with pytest.raises(NotEnoughMemoryError, match=r"solving for 40 label\(s\) on \(300, 300\) pixels needs about 8"):
        pdhg(Potts(costs, 1.0))


@pytest.mark.parametrize(("shape", "colours"), [((40, 30), 1), ((40, 3), 1), ((40, 30, 3), 3), ((40, 3, 30), 1)])
def test_an_image_takes_memory_by_its_pixels_and_channels(monkeypatch, shape, colours):
    asked = []
    monkeypatch.setattr(memory, "require", lambda size, *_: asked.append(size))
    values = int(np.prod(shape))
    blank_scene(np.arange(values).reshape(shape), channel_axis=-1 if colours > 1 else None)
    assert asked == [values * 36 + values // colours * 84]
