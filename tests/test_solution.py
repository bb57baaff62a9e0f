"""Results of the solvers leave the process: pickle, copies, spawned processes and joblib; labels are small."""

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from varconvex import MumfordShah, Potts, TwoPhase, pdhg, pdhg_batch, stationary
from varconvex.solvers.solution import Progress

COST = np.random.default_rng(0).normal(size=(12, 15))


def two():
    return pdhg(TwoPhase(COST, 1.0))


def many():
    return pdhg(Potts(np.stack([COST, -COST, 0 * COST]), 1.0))


def batch():
    return pdhg_batch([TwoPhase(COST, 1.0)] * 2)[1]


def rest():
    return stationary(MumfordShah(COST))


def progress():
    seen = []
    pdhg(TwoPhase(COST, 1.0), callback=seen.append)
    return seen[-1]


def in_a_process(make):
    """The result comes back from a process that imports everything anew."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(make).result()


def by_joblib(make):
    joblib = pytest.importorskip("joblib")
    return joblib.Parallel(2)(joblib.delayed(make)() for _ in range(2))[1]


@pytest.mark.parametrize(
    "journey",
    [
        lambda make: pickle.loads(pickle.dumps(make())),
        lambda make: copy.deepcopy(make()),
        in_a_process,
        by_joblib,
    ],
    ids=["pickle", "deepcopy", "spawn", "joblib"],
)
def test_results_travel(journey):
    for make in (two, many, batch, rest, progress):
        here, there = make(), journey(make)
        assert type(there) is type(here)
        for name in vars(here):
            if name not in ("history", "seconds"):
                np.testing.assert_array_equal(getattr(there, name), getattr(here, name), err_msg=name)
        if make in (two, many, batch):
            np.testing.assert_array_equal(there.labels, here.labels)
            assert there.gap == here.gap


def test_a_copy_of_a_result_is_independent():
    here = two()
    there = copy.deepcopy(here)
    there.u[...] = 7
    assert here.u.max() <= 1


def test_equality_and_hash_are_by_identity():
    one, two_ = two(), two()
    assert (one == one, one == two_, one == 2, one != two_) == (True, False, False, True)
    assert len({one, two_, one}) == 2
    a = Progress(0, 0.0, 1.0, 0.0, 1.0, COST)
    assert a == a != Progress(0, 0.0, 1.0, 0.0, 1.0, COST)
    assert len({rest(), a}) == 2


@pytest.mark.parametrize(("count", "dtype"), [(2, np.uint8), (256, np.uint8), (257, np.uint16)])
def test_labels_are_of_the_smallest_type(count, dtype):
    cost = np.zeros((count, 2, 3))
    cost[-1, 0] = -1
    solution = pdhg(Potts(cost, 0.0))
    labels = solution.labels
    np.testing.assert_array_equal(solution.mask, [[True] * 3, [False] * 3])
    assert labels.dtype == dtype
    assert (labels[0] == count - 1).all()
    assert two().labels.dtype == np.uint8
    np.testing.assert_array_equal(two().labels, two().binary == 1)


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (1, 1, 3)])
def test_labels_of_a_single_row(shape):
    solution = pdhg(Potts(-np.eye(3).reshape(3, *shape), 0.0))
    np.testing.assert_array_equal(solution.labels.ravel(), [0, 1, 2])
    np.testing.assert_array_equal(solution.mask.ravel(), [False, True, True])
