"""Images on disk: the same answer as in memory, one gap for the whole, no seams, and kills that cost a pass."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import varconvex
from varconvex import (
    InvalidImageError,
    InvalidParameterError,
    InvalidScribblesError,
    NotEnoughMemoryError,
    NotEnoughSpaceError,
    ScribbleConflictError,
    TwoPhase,
    get_backend,
    segment,
)
from varconvex.backends import Problem
from varconvex.energies.total_variation import differences
from varconvex.large import passes, segmenting
from varconvex.large.fields import Grid
from varconvex.large.files import RowFile, Scratch
from varconvex.large.passes import Level, descend
from varconvex.large.rounding import Parts
from varconvex.large.solving import _plain_start
from varconvex.large.strokes import Bounds, strokes_of
from varconvex.likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood
from varconvex.solvers.solution import StoppingRules

zarr = pytest.importorskip("zarr")

SIDE = 300
STROKES = {"object": [[(150, 120), (160, 170)]], "background": [[(15, 10), (20, 200)], [(280, 30), (270, 290)]]}


def scene(height=SIDE, width=SIDE):
    """A noisy disc with a notch, and a smaller one that no stroke touches: (H, W, 3) uint8."""
    rng = np.random.default_rng(4)
    rows, columns = np.mgrid[:height, :width]
    disc = (np.hypot(rows - 150, columns - 150) < 75) & ~((rows > 150) & (abs(columns - 150) < 12))
    disc |= np.hypot(rows - 40, columns - 250) < 22
    image = np.where(disc[..., None], (170, 90, 80), (90, 110, 130)) + rng.normal(scale=25, size=(height, width, 3))
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def in_memory():
    """The answer in memory, to a small gap."""
    return segment(scene(), STROKES, tol=1e-4)


@pytest.fixture
def narrow(monkeypatch):
    """Plans with bands of few rows, and coarse grids on disk, too."""

    def plan(rows, coarse=1):
        monkeypatch.setattr(segmenting.Plan, "within", classmethod(lambda cls, *_: cls(rows, rows, coarse)))

    return plan


@pytest.mark.parametrize(
    ("rows", "chunks"), [(64, (50, 300, 3)), (96, (300, 40, 1)), (150, (64, 64, 3)), (300, (7, 300, 3))]
)
def test_bands_and_chunks_do_not_matter(narrow, in_memory, rows, chunks):
    narrow(rows)
    found = segment(zarr.array(scene(), chunks=chunks), STROKES, tol=1e-4)
    assert found.converged
    assert found.relative_gap <= 1e-4
    # Both gaps are proven: no bound is above any energy.
    assert max(found.dual, in_memory.dual) <= min(found.primal, in_memory.primal) + 2e-3 * abs(found.primal)
    assert abs(found.energy - in_memory.energy) <= 1e-3 * abs(in_memory.energy)
    assert np.mean(np.asarray(found) != np.asarray(in_memory)) <= 1e-3


def test_values_are_those_of_the_whole(narrow):
    """The energies that are summed over bands are those of the arrays that come out."""
    narrow(64)
    found = segment(zarr.array(scene(), chunks=(64, 64, 3)), STROKES, components="all", alpha=20.0, edge_weight=None)
    seeds = np.asarray(found.seeds[...])
    energy = TwoPhase(found.costs, 20.0, lower=1.0 * (seeds == 2), upper=1.0 * (seeds != 1))
    backend = get_backend("numpy")
    u = np.array(found.probability)[None]
    assert found.primal == pytest.approx(backend.primal_value(energy.problem(backend), u), rel=1e-6)
    mask = (np.asarray(found) == 2).astype(np.float32)[None]
    assert found.energy == pytest.approx(backend.primal_value(energy.problem(backend), mask), rel=1e-6)
    assert found.unconstrained_energy == found.energy
    assert found.dual <= found.primal <= found.energy * (1 + 1e-6) or found.energy < 0


def level_of(folder, cost, radius, bounds, band, backend="numba"):
    """A level of a problem in memory."""
    shape = cost.shape
    files = RowFile(folder / "cost", (1, *shape)), RowFile(folder / "radius", shape)
    files[0].write(0, cost[None])
    files[1].write(0, radius)
    grid = Grid(shape, *files, bounds, float(abs(cost).mean()), float(radius.mean()))
    scratch = Scratch(folder)
    return Level(grid, 0, scratch, get_backend(backend), differences("isotropic", (1.0, 1.0)), band), scratch


@pytest.mark.parametrize("name", ["numpy", "numba"])
@pytest.mark.parametrize("band", [64, 70, 130])
def test_a_pass_is_as_many_iterations_of_the_whole(tmp_path, rng, monkeypatch, band, name):
    """Without an active set, bit for bit: band by band with rows around, or all at once."""
    cost = rng.normal(size=(200, 90)).astype(np.float32)
    radius = rng.uniform(0.2, 2, size=cost.shape).astype(np.float32)
    bounds = Bounds(cost.shape, (np.array([4000]), np.ones(1, np.float32)), (np.array([9000]), np.ones(1, np.float32)))
    level, _ = level_of(tmp_path, cost, radius, bounds, band, name)
    there = level.backend
    monkeypatch.setattr(type(there), "new_active_set", lambda self, problem: None)
    lower, upper = bounds.rows(0, 200)
    whole = Problem(cost[None], radius, lower, upper, **differences("isotropic", (1.0, 1.0)))
    u, p = _plain_start(there, whole, 0, 200)
    steps = passes.StepSizes(whole.norm, 0.3, u, p)
    for turn in range(2):
        level.sweep(24, steps, None if turn else lambda *args: _plain_start(there, *args), False)
        there.iterate(whole, u, p, n=24, tau=steps.tau, sigma=steps.sigma, rho=passes.RELAXATION, finish=True)
        np.testing.assert_array_equal(level.read(0, 200, 0), u)
        np.testing.assert_array_equal(level.read(0, 200, 1), p)
        primal, dual = there.values(whole, u, p)
        assert level.primal.sum() == pytest.approx(primal, rel=1e-9)
        assert level.dual.sum() == pytest.approx(dual, rel=1e-9)


def test_what_a_coarse_grid_certifies_is_never_iterated(tmp_path, monkeypatch):
    """Costs without doubt far from the boundary: of ten bands only those at the object's ends are worked on."""
    cost = np.full((640, 64), 3, np.float32)
    cost[300:340, 20:40] = -3
    level, scratch = level_of(tmp_path, cost, np.full(cost.shape, 2, np.float32), Bounds(cost.shape, *[NONE] * 2), 64)
    touched = []
    write = RowFile.write
    monkeypatch.setattr(RowFile, "write", lambda self, first, rows: (touched.append(first), write(self, first, rows)))
    rules = StoppingRules.checked(400, 1e-6, None, None)
    record, status = descend(level, scratch, lambda *args: _plain_start(level.backend, *args), rules)
    assert status == "converged"
    passed = touched[20:]  # after the first pass, which writes all bands
    assert set(passed) <= {256, 320}
    exact = TwoPhase(cost, 2.0)
    assert level.dual.sum() <= varconvex.pdhg(exact, tol=1e-6).primal
    assert record.relative_gap <= 1e-6


NONE = (np.zeros(0, np.int64), np.zeros(0, np.float32))


def test_parts_are_those_of_the_whole_image(tmp_path, rng):
    from varconvex.geometry.components import keep_scribbled

    mask = rng.uniform(size=(90, 70)) < 0.62
    seeds = np.zeros(mask.shape, int)
    seeds[tuple(np.argwhere(mask)[::400].T)] = 2
    seeds[0, 0] = 1
    strokes = strokes_of(seeds, mask.shape, 13, False)
    level, _ = level_of(tmp_path, np.where(mask, -1, 1).astype(np.float32), np.ones(mask.shape, np.float32),
                        Bounds(mask.shape, NONE, NONE), 30)  # fmt: skip
    level._files[0][0].write(0, mask.astype(np.float32)[None])
    for band in (7, 16, 90):
        parts = Parts(level, 0.5, strokes, band)
        found = np.concatenate([parts.kept(a, mask[a : a + band]) for a in range(0, 90, band)])
        np.testing.assert_array_equal(found, keep_scribbled(mask.astype(int), seeds) == 1)


def test_costs_are_those_of_the_likelihood(narrow, tmp_path):
    """Without walks, whose grid sees the colour of the mean, to rounding."""
    plain = NieuwenhuisCremersLikelihood(detour=0.0)
    narrow(64)
    found = segment(zarr.array(scene()), STROKES, likelihood=plain, scratch=tmp_path, tol=1e-2)
    known = segment(scene(), STROKES, likelihood=plain, tol=1e-2)
    np.testing.assert_allclose(found.costs, known.costs[1] - known.costs[0], atol=2e-4)


@pytest.mark.parametrize("shape", [(40, 50), (31, 20)])
def test_strokes_are_as_in_memory(shape, rng):
    from varconvex.scribbles import label_image

    drawn = {
        "background": "border",
        2: [rng.uniform(-5, 60, (4, 2)), [(15, 12)]],
        1: [rng.uniform(0, 30, (9, 2)) * (1, 0.1)],
    }
    with pytest.warns(varconvex.ScribbleWarning):
        known = label_image(drawn, np.zeros(shape), None, False)
    with pytest.warns(varconvex.ScribbleWarning):
        found = strokes_of(drawn, shape, 7, False)
    ids = np.array([0, *found.labels])
    np.testing.assert_array_equal(ids[found.index(0, shape[0])], known)
    np.testing.assert_array_equal(ids[strokes_of(known, shape, 7, False).index(0, shape[0])], known)
    pair = (known == 2, known == 1)
    np.testing.assert_array_equal(ids[strokes_of(pair, shape, 7, False).index(0, shape[0])], known)
    for backend in map(get_backend, ("numpy", "numba")):
        for k in (0, 1):
            exact = backend.distance(known == k + 1, (1.3, 0.7))
            parts = [found.distances(backend, k, a, min(a + 9, shape[0]), (1.3, 0.7)) for a in range(0, shape[0], 9)]
            np.testing.assert_allclose(np.concatenate(parts), exact, rtol=1e-6)


def test_bounds_are_halved_as_fields_are(rng):
    strokes = strokes_of(
        np.where(rng.uniform(size=(41, 33)) < 0.1, rng.integers(1, 3, (41, 33)), 0), (41, 33), 41, False
    )
    bounds, backend = strokes.bounds(), get_backend("numpy")
    coarse = bounds.halved().halved()
    lower, upper = (np.broadcast_to(part, (1, 41, 33)) for part in bounds.rows(0, 41))
    for found, field in zip(coarse.rows(0, 11), (lower, upper), strict=True):
        np.testing.assert_allclose(found, backend.halve(backend.halve(field, 2), 2), atol=1e-6)


@pytest.mark.slow
def test_the_same_call_goes_on_where_it_was_killed(tmp_path):
    """Kill -9 at many moments: each start goes further, and the answer is that of an undisturbed call."""
    np.save(tmp_path / "image.npy", scene())
    code = (
        "import sys, numpy as np, os, signal\n"
        "from varconvex.large import segmenting, files\n"
        "import varconvex, zarr\n"
        "segmenting.Plan.within = classmethod(lambda cls, *_: cls(100, 64, 1))\n"
        "left = int(sys.argv[2])\n"
        "write = files.RowFile.write\n"
        "def count(self, first, rows):\n"
        "    global left\n"
        "    left -= 1\n"
        "    if left == 0:\n"
        "        write(self, first, rows[..., : rows.shape[-2] // 2, :])\n"  # half a band
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    write(self, first, rows)\n"
        "files.RowFile.write = count\n"
        "strokes = eval(sys.argv[3])\n"
        "image = zarr.array(np.load('image.npy'))\n"
        "found = varconvex.segment(image, strokes, tol=1e-4, scratch=sys.argv[1])\n"
        "np.savez(sys.argv[1] + '.npz', labels=found.labels[...], u=found.probability, gap=found.relative_gap)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def call(folder, left):
        arguments = [sys.executable, "-c", code, folder, str(left), repr(STROKES)]
        return subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert call("whole", 0).returncode == 0
    kills = 0
    for left in (3, 8, 8, 14, 20, 25, 21, 17, 40):
        done = call("killed", left)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        kills += done.returncode != 0
        if not done.returncode:
            break
    done = call("killed", 0)
    assert done.returncode == 0, done.stderr
    assert kills > 4
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "killed.npz") as killed:
        for name in whole.files:
            np.testing.assert_array_equal(whole[name], killed[name])


class Broken:
    """An image whose rows from 100 on cannot be read."""

    shape, dtype, chunks = (SIDE, SIDE), np.dtype(np.uint8), (10, SIDE)

    def __getitem__(self, index):
        if index[0].stop > 100:
            raise OSError("checksum of a chunk is wrong")
        return np.zeros((index[0].stop - index[0].start, SIDE), np.uint8)


class Changing:
    """An image that is another one when it is read again."""

    shape, dtype, chunks = (SIDE, SIDE), np.dtype(np.uint8), (10, SIDE)
    reads = 0

    def __getitem__(self, index):
        self.reads += 1
        return np.full((index[0].stop - index[0].start, SIDE), self.reads, np.uint8)


def with_nan():
    image = scene()[..., 0].astype(float)
    image[220, 7] = np.nan
    return zarr.array(image)


@pytest.mark.parametrize(
    ("image", "keywords", "error", "match"),
    [
        (with_nan, {}, InvalidImageError, "NaN or infinity first at row 220, column 7"),
        (Broken, {}, InvalidImageError, r"readable; rows \d+ to \d+ are not \(OSError: checksum of a chunk"),
        (Changing, {}, InvalidImageError, "has changed since it was read"),
        (lambda: zarr.array(scene()[:9]), {}, InvalidScribblesError, None),
        (lambda: zarr.array(np.zeros((9, 9, 9, 3), np.uint8)), {}, InvalidImageError, "Load volumes first"),
        (lambda: zarr.array(np.zeros((300, 300, 4), np.uint8)), {}, InvalidImageError, "rgba=True"),
        (lambda: zarr.array(scene()), {"memory": "3 bananas"}, InvalidParameterError, "such as '4G'.*'3 bananas'"),
        (lambda: zarr.array(scene()), {"memory": "1000T"}, NotEnoughMemoryError, "memory must be there"),
        (lambda: zarr.array(scene()), {"memory": "440M"}, NotEnoughMemoryError, "at least .* of memory"),
        (lambda: zarr.array(scene()), {"shape": "hull"}, InvalidParameterError, "shape must be None for an image"),
        (lambda: zarr.array(scene()), {"mask": np.ones(3)}, InvalidParameterError, "mask must be None"),
        (lambda: zarr.array(scene()), {"likelihood": "histogram"}, InvalidParameterError, "nieuwenhuis_cremers"),
        (lambda: zarr.array(scene()), {"edge_weight": np.ones(3)}, InvalidParameterError, "edge_weight must be"),
        (lambda: zarr.array(scene()), {"scratch": "/dev/null/x"}, InvalidParameterError, "can be written to"),
    ],
)
def test_what_cannot_be_is_named(image, keywords, error, match):
    with pytest.raises(error, match=match), pytest.warns(varconvex.ScribbleWarning) if match is None else noted():
        segment(image(), STROKES, **keywords)


def noted():
    """No expectation about warnings."""
    import warnings

    return warnings.catch_warnings(action="ignore")


def test_a_full_disk_and_foreign_folders_are_named(tmp_path, monkeypatch):
    image = zarr.array(scene())
    segment(image, STROKES, tol=1e-2, scratch=tmp_path / "a")
    with pytest.raises(InvalidParameterError, match="empty or of this very call"):
        segment(image, STROKES, tol=1e-2, alpha=3.0, scratch=tmp_path / "a")
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("varconvex.large.files.shutil.disk_usage", lambda path: usage)
    with pytest.raises(NotEnoughSpaceError, match=r"room for .* of files; .* has .* left.*scratch=DIR"):
        segment(image, STROKES, scratch=tmp_path / "b")


def test_scribbles_that_cannot_be_are_named():
    image = zarr.array(scene())
    with pytest.raises(InvalidScribblesError, match=r"spatial shape \(300, 300\); got \(9, 9\)"):
        segment(image, np.ones((9, 9), int))
    with pytest.raises(InvalidScribblesError, match=r"5% of its pixels at most"):
        segment(zarr.array(np.zeros((1500, 1500))), np.ones((1500, 1500), int))
    with pytest.raises(InvalidScribblesError, match=r"whole numbers from 0"):
        segment(image, np.full((300, 300), -1))
    with pytest.raises(InvalidScribblesError, match="at least two labels"):
        segment(image, {1: [(3, 3)]})
    with pytest.raises(InvalidParameterError, match="one object on a background"):
        segment(image, {1: [(3, 3)], 2: [(9, 9)], 3: [(90, 9)]})
    with pytest.raises(InvalidScribblesError, match="one coordinate for each of the 2"):
        segment(image, {1: [(3, 3, 3)], 2: [(9, 9, 9)]})
    with pytest.raises(ScribbleConflictError, match="Erase one") as caught:
        segment(image, {1: [(3, 3)], 2: [(3, 4)]}, strict=True)
    assert len(caught.value.pixels)


def test_other_arrays_and_a_result_that_reads_as_one(tmp_path, in_memory):
    image = scene()
    np.save(tmp_path / "image.npy", image)
    mapped = np.load(tmp_path / "image.npy", mmap_mode="r")
    found = segment(mapped, STROKES, memory="2G", scratch=tmp_path / "scratch")
    assert found.folder == str(tmp_path / "scratch")
    assert (found == 2).sum() == found.mask.sum() == found.to_dict()["labels"][2]
    assert not (found != np.asarray(found)).any()
    assert found.labels[:10, :10].shape == (10, 10)
    small = found.loaded(3)
    np.testing.assert_array_equal(small, np.asarray(found)[::3, ::3])
    assert small.spacing == (3.0, 3.0)
    assert found.table()[0]["n_pixels"] == found.mask.sum()
    assert len(found.polygons()[2]) == len(found.contours()[2]) == 1
    assert found.plot().size[0] > 100
    assert "png" in found._repr_html_()
    assert found._repr_png_()
    with pytest.raises(InvalidParameterError, match="must fit into memory"):
        found.save(tmp_path / "r.npz")
    array = pytest.importorskip("dask.array")
    lazy = segment(array.from_array(image.transpose(2, 0, 1), chunks=(1, 100, 120)), STROKES, channel_axis=0)
    np.testing.assert_array_equal(lazy, found)
    folder = lazy.folder
    assert os.path.isdir(folder)
    del lazy
    assert not os.path.exists(folder)


def convex_scene(side=400):
    """An ellipse in noise: (side, side, 3) uint8, and its mask."""
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    there = (rows - 0.3 * columns) ** 2 / 0.05 + columns**2 / 0.09 < 1
    noise = np.random.default_rng(2).normal(scale=25, size=(side, side, 3))
    return np.clip(np.where(there[..., None], (170, 90, 80), (90, 110, 130)) + noise, 0, 255).astype(np.uint8), there


def test_a_convex_object_is_refined_to_the_pixel(monkeypatch):
    """On grids of 4, 2 and 1 pixels a pixel, from a set on blocks of 8; the certificate is that of the mask."""
    from varconvex.large import learned

    monkeypatch.setattr(learned, "SIDE", 50)
    image, there = convex_scene()
    strokes = {"object": [[(200, 150), (200, 250)]], "background": [[(10, 10), (10, 380)], [(390, 20), (390, 390)]]}
    found = segment(zarr.array(image, chunks=(90, 70, 3)), strokes, shape="convex")
    exact = varconvex.certify_convexity(found.mask)
    assert exact
    assert found.certificate == exact
    known = segment(image, strokes, shape="convex")
    for other in (there, known.mask):
        assert (found.mask & other).sum() / (found.mask | other).sum() > 0.985
    assert found.dual <= found.energy
    assert found.energy <= found.unconstrained_energy + 0.02 * abs(found.energy)


@pytest.mark.parametrize("seed", range(3))
def test_runs_are_convex_sets(seed):
    """Moves lower the cost, and certificates of runs are those of masks."""
    from varconvex.geometry.certify import certificate_of_runs
    from varconvex.large.outline import Runs, corners_of, refined, same

    rng = np.random.default_rng(seed)
    cost = rng.normal(size=(70, 80)) + 2 * (np.hypot(*np.mgrid[-35:35, -45:35]) > 25 + 4 * seed) - 1

    def at(rows, columns):
        return cost[rows, columns]

    corners = np.array([35, 45]) + 20 * rng.normal(size=(12, 2)).clip(-1.2, 1.2)
    runs = Runs.of_polygon(corners, cost.shape)
    assert same(runs, runs.transposed().transposed())
    for _ in range(3):
        before = cost[runs.mask(0, 70)].sum()
        runs = runs.moved(at)
        assert cost[runs.mask(0, 70)].sum() <= before
        exact = varconvex.certify_convexity(runs.mask(0, 70))
        assert certificate_of_runs(runs.first, runs.last) == exact
        assert exact
    again = Runs.of_polygon(corners_of(runs), cost.shape)
    assert not (runs.mask(0, 70) & ~again.mask(0, 70)).any()
    best = refined(corners_of(runs), cost.shape, 1, lambda factor: at)
    assert cost[best.mask(0, 70)].sum() <= cost[again.mask(0, 70)].sum()
    holed = np.delete(runs.first, 5), np.delete(runs.last, 5)
    bent = runs.first.copy()
    bent[len(bent) // 2] = runs.last[len(bent) // 2]
    assert not certificate_of_runs(bent, runs.last)
    assert certificate_of_runs(*holed).n_pixels == sum(b - a + 1 for a, b in zip(*holed, strict=True))
