"""Broken surroundings: caches garbled or not to be written, no compiler, no threads. The answer is the same."""

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

from varconvex import TwoPhase, pdhg, threads
from varconvex.errors import VarconvexWarning

SOURCE = """
from varconvex.compiling import compiled


@compiled(nogil=True)
def double(x):
    return 2 * x
"""
GARBLED = {
    "empty": lambda text: b"",
    "cut": lambda text: text[: len(text) // 2],
    "other": lambda text: b"\xff\xfe garbage" * 9,
    "another pickle": lambda text: b"\x80\x04K\x05.",
}


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Imports a module with one kernel, `double`, as if in another process."""
    (tmp_path / "kernel.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))

    def loaded():
        monkeypatch.setattr("varconvex.compiling._said", set())
        sys.modules.pop("kernel", None)
        return importlib.import_module("kernel").double

    return loaded


def cached(tmp_path, kind):
    return sorted((tmp_path / "__pycache__").glob(f"kernel.double*.{kind}"))


@pytest.mark.parametrize("how", GARBLED)
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_a_garbled_cache_is_compiled_anew_and_repaired(tmp_path, load, how, kind):
    assert load()(2) == 4
    (path,) = cached(tmp_path, kind)
    path.write_bytes(GARBLED[how](path.read_bytes()))
    if (how, kind) == ("another pickle", "nbi"):
        assert load()(2) == 4  # to Numba the index of another version, which it replaces by itself
    else:
        with pytest.warns(VarconvexWarning, match="kept in a cache; files in .* could not be used") as told:
            assert load()(2) == 4
        assert len(told) == 1
    again = load()
    assert again(2) == 4
    assert sum(again.stats.cache_hits.values()) == 1


def test_a_cache_that_cannot_be_written_is_told_of_once(load, monkeypatch):
    def full(self, name, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_data", full)
    kernel = load()
    with pytest.warns(VarconvexWarning, match=r"OSError: \[Errno 28\] No space left") as told:
        assert (kernel(2), kernel(2.5)) == (4, 5.0)
    assert len(told) == 1


def test_without_a_folder_for_the_cache_kernels_are_compiled_at_every_start(load, monkeypatch):
    def read_only(self):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("numba.core.caching._CacheLocator.ensure_cache_path", read_only)
    kernel = load()  # importing says nothing
    with pytest.warns(VarconvexWarning, match="every start compiles anew: .*Set NUMBA_CACHE_DIR") as told:
        assert (kernel(2), kernel(2.5)) == (4, 5.0)
    assert len(told) == 1


def test_the_first_compilation_is_said(load, caplog, capfd, monkeypatch):
    with caplog.at_level("INFO", "varconvex"):
        assert load()(2) == 4
        assert caplog.text.count("compiling kernels") == 1
        caplog.clear()
        assert load()(2) == 4  # from the cache
        assert not caplog.text
    assert not capfd.readouterr().err


def test_the_first_compilation_is_said_at_a_terminal(load, capfd, monkeypatch):
    kernel = load()
    assert kernel(2) == 4
    assert not capfd.readouterr().err
    monkeypatch.setattr("sys.ps1", ">>> ", raising=False)
    monkeypatch.setattr("varconvex.compiling._said", set())
    assert (kernel(2.5), kernel(2j)) == (5.0, 4j)
    assert capfd.readouterr().err.count("varconvex: compiling kernels") == 1


def test_without_threads_one_computes_all(monkeypatch, set_threads, rng):
    set_threads(3)
    energy = TwoPhase(rng.normal(size=(300, 40)).astype(np.float32), 0.5)
    expected = pdhg(energy, tol=0, max_iter=50, coarse_to_fine=False, callback=lambda progress: progress.iteration > 40)
    threads._pool.cache_clear()

    def no_thread(self, *args):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("varconvex.threads.ThreadPoolExecutor.submit", no_thread)
    try:
        with pytest.warns(VarconvexWarning, match=r"no more can be started here \(can't start new thread\)") as told:
            found = pdhg(
                energy, tol=0, max_iter=50, coarse_to_fine=False, callback=lambda progress: progress.iteration > 40
            )
        assert len(told) == 1
    finally:
        threads._pool.cache_clear()
    np.testing.assert_array_equal(found.u, expected.u)


def test_without_a_compiler_the_specification_computes():
    code = (
        "import numpy as np, warnings; from varconvex import segment\n"
        "image = (np.hypot(*np.mgrid[-6:7, -6:7]) < 4).astype(float)\n"
        "strokes = {1: [(0, 0), (0, 12)], 2: [(6, 6)]}\n"
        "with warnings.catch_warnings(record=True) as told:\n"
        "    warnings.simplefilter('always')\n"
        "    mask = segment(image, strokes, likelihood='histogram', shape='hull', unify='sequential').mask\n"
        "print(int(mask.sum()), int(image.sum()), [str(w.message)[:60] for w in told])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"}
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split(" ", 2)[0] == run.stdout.split(" ", 2)[1]
    assert run.stdout.count("kernels should be compiled; NUMBA_DISABLE_JIT is set") == 1
