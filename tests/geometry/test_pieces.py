"""Connected sets of least cost against all that there are; paths and trees against SciPy's."""

import numpy as np
import pytest
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree

from benchmarks._judges import has_holes, is_connected, subsets
from varconvex.geometry.paths import bottlenecks, cheapest_paths, spanning_tree
from varconvex.geometry.pieces import best_piece, hole_pixels, neighbours, stray_pixels


@pytest.fixture(scope="module")
def pieces():
    """All connected subsets of a grid of 4 x 4."""
    return np.array([chosen for chosen in subsets(16) if is_connected(chosen.reshape(4, 4))])


@pytest.mark.slow
@pytest.mark.parametrize("held", [0, 2])
@pytest.mark.parametrize("binary", [False, True])
def test_tiny_pieces_are_nearly_always_the_best(pieces, held, binary):
    rng, equal, tried = np.random.default_rng(0), 0, 0
    for _ in range(150):
        cost = np.where(rng.random(16) < 0.4, -1.0, 1.0) if binary else rng.standard_normal(16)
        inside = np.zeros(16, bool)
        inside[rng.integers(16, size=held)] = True
        allowed = pieces[pieces[:, inside].all(axis=1)]
        least = (allowed @ cost).min()
        found = best_piece(cost.reshape(4, 4), inside.reshape(4, 4), np.zeros((4, 4), bool))
        value = cost.reshape(4, 4)[found].sum()
        assert is_connected(found)
        assert found.ravel()[inside].all()
        assert value > least - 1e-9
        equal, tried = equal + (value < least + 1e-9), tried + 1
    assert equal >= 0.94 * tried


def test_pixels_that_stray_are_those_that_paths_do_not_reach():
    for seed in range(40):
        mask = np.random.default_rng(seed).random((5, 6)) < 0.7
        assert (len(stray_pixels(mask)) == 0) == is_connected(mask)
        assert hole_pixels(mask).any() == has_holes(mask)


def grid_graph(weight, shape):
    """Edges between neighbours, dense, with the weight of the pixel that is entered."""
    n = weight.size
    graph = np.full((n, n), np.inf)
    for p in range(n):
        for step in neighbours(shape):
            if 0 <= p + step < n:
                graph[p, p + step] = weight[p + step]
    return graph


def test_paths_and_trees_are_scipys():
    rng = np.random.default_rng(3)
    shape = (9, 10)
    blocked = np.ones(shape, bool)
    blocked[1:-1, 1:-1] = rng.random((7, 8)) < 0.1
    parts = np.zeros(shape, np.int64)
    parts[2, 2], parts[6, 7], parts[2, 7], parts[6, 2] = 1, 2, 3, 4
    blocked[parts > 0] = False
    weight = np.where(blocked, 1e9, rng.random(shape) + 0.01)
    weight[parts > 0] = 0
    owner, back, length = cheapest_paths(weight.ravel(), parts.ravel(), blocked.ravel(), neighbours(shape))
    graph = grid_graph(weight.ravel(), shape) + 1e-6
    wanted = dijkstra(np.where(np.isinf(graph), 0, graph), indices=np.flatnonzero(parts.ravel()))
    free = ~blocked.ravel()
    np.testing.assert_allclose(length[free], wanted.min(axis=0)[free], atol=1e-4)
    sources = np.flatnonzero(parts.ravel())
    ends, costs = spanning_tree(owner, length, neighbours(shape), 4)
    # The cost of a path between parts does not count the part's own pixels.
    between = wanted[:, sources]
    assert costs.sum() == pytest.approx(minimum_spanning_tree(between).sum(), abs=1e-3)
    assert len(ends) == 3
    p = ends[0, 0]
    while parts.ravel()[p] == 0:
        assert length[back[p]] < length[p]
        p = back[p]


def test_bottlenecks_are_the_deepest_common_components():
    from scipy.ndimage import label

    depth = np.random.default_rng(0).integers(0, 5, (8, 9))
    depth[3, 3] = 6
    padded = np.pad(depth, 1)
    root = int(padded.argmax())
    found = bottlenecks(padded.ravel(), root, neighbours(padded.shape)).reshape(padded.shape)
    for t in range(1, 7):
        labels, _ = label(padded >= t)
        joined = (labels == labels.ravel()[root]) & (labels > 0)
        np.testing.assert_array_equal(found >= t, joined)
