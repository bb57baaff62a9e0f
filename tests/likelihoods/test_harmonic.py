"""The harmonic measure against a sparse direct solver, closed forms and laws; and what it changes in costs."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import spsolve

from varconvex.errors import InvalidParameterError
from varconvex.inputs import prepare
from varconvex.likelihoods import _harmonic
from varconvex.likelihoods._harmonic import Walks, harmonic_measure
from varconvex.likelihoods.nieuwenhuis_cremers import NieuwenhuisCremersLikelihood


def found(seeds, colours, count, spacing):
    return harmonic_measure(seeds, Walks.of(seeds >= 0, colours, spacing), count)


def solved_directly(seeds, colours, count, spacing):
    """All walks by one sparse system for each label, in float64."""
    index = np.arange(seeds.size).reshape(seeds.shape)
    changes = [np.square(np.diff(colours.astype(float), axis=k)).sum(axis=-1) for k in range(seeds.ndim)]
    mean = np.mean(np.concatenate([change.ravel() for change in changes]))
    rows, columns, weights = [], [], []
    for k, change in enumerate(changes):
        near, far = (index.take(range(a, seeds.shape[k] - 1 + a), axis=k).ravel() for a in (0, 1))
        weight = (1e-4 + np.exp(-change.ravel() / mean)) / spacing[k] ** 2
        weight[(seeds.ravel()[near] < 0) | (seeds.ravel()[far] < 0)] = 0
        rows += [near, far]
        columns += [far, near]
        weights += [weight, weight]
    rows, columns, weights = map(np.concatenate, (rows, columns, weights))
    flow = csr_matrix((weights, (rows, columns)), (seeds.size, seeds.size))
    laplacian = (diags(np.asarray(flow.sum(axis=1)).ravel()) - flow).tocsr()
    free = seeds.ravel() == 0
    found = np.zeros((count, seeds.size))
    for k in range(count):
        found[k] = seeds.ravel() == k + 1
        found[k, free] = spsolve(laplacian[free][:, free].tocsc(), -laplacian[free][:, ~free] @ found[k, ~free])
    return found.reshape(count, *seeds.shape)


@pytest.mark.parametrize(
    ("shape", "count", "spacing"), [((40, 60), 2, (1.0, 1.0)), ((30, 33), 4, (0.5, 2.0)), ((9, 14, 11), 3, (2, 1, 1))]
)
def test_it_is_what_a_direct_solver_finds(rng, shape, count, spacing, monkeypatch):
    monkeypatch.setattr(_harmonic, "_CHANGE", 1e-6)
    seeds = np.zeros(shape, np.int32)
    chosen = rng.choice(seeds.size, 5 * count, replace=False)
    seeds.flat[chosen] = np.arange(chosen.size) % count + 1
    seeds[tuple(slice(n // 2, n // 2 + 2) for n in shape)] = -1
    colours = rng.random((*shape, 2)).astype(np.float32)
    ours = found(seeds, colours, count, spacing)
    within = seeds >= 0
    assert ours[:, within] == pytest.approx(solved_directly(seeds, colours, count, spacing)[:, within], abs=2e-3)
    assert ours.sum(axis=0) == pytest.approx(np.ones(shape), abs=1e-5)


def test_on_a_line_it_is_linear_at_any_size():
    for width in (11, 101, 1001):
        seeds = np.zeros((3, width), np.int32)
        seeds[:, 0], seeds[:, -1] = 1, 2
        h = found(seeds, np.zeros((3, width, 1), np.float32), 2, (1.0, 1.0))
        assert h[1, 1] == pytest.approx(np.linspace(0, 1, width), abs=0.02)


def test_behind_a_line_with_a_gap_it_is_small():
    seeds = np.zeros((60, 60), np.int32)
    seeds[10:50, 30] = 1
    seeds[28:32, 10:20] = 2
    h = found(seeds, np.zeros((60, 60, 1), np.float32), 2, (1.0, 1.0))[1]
    assert h[30, 22] > 0.5
    assert h[20:40, 40].max() < 0.1


def test_an_object_costs_more_behind_strokes_of_the_background(rng):
    """A curve of background strokes that is not closed, in noise, which says nothing."""
    scribbles = np.zeros((80, 80), int)
    scribbles[35:45, 10:20] = 2
    scribbles[8:38, 40] = scribbles[42:72, 40] = 1
    scribbles[8, 10:40] = scribbles[72, 10:40] = 1
    scene = prepare(rng.normal(0.5, 0.05, scribbles.shape), scribbles)
    plain, ours = (NieuwenhuisCremersLikelihood(detour=detour, clip=None).costs(scene) for detour in (0.0, 2.0))
    more = (ours[1] - ours[0]) - (plain[1] - plain[0])
    assert more[20:60, 60:].min() > 2
    assert more[30:50, 5:25].max() < 1e-4
    with pytest.raises(InvalidParameterError, match="detour"):
        NieuwenhuisCremersLikelihood(detour=-1.0)
