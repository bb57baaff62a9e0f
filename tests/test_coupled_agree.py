"""Problems with coupled labels, targets and truncation: every backend agrees with the specification."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from varconvex.backends import Problem, get_backend
from varconvex.backends.numpy_ import NumpyBackend

OCTAGON = ((1, 0), (0, 1), (1, 1), (1, -1))
GRIDS = [((53, 41), None), ((7, 9), OCTAGON), ((230, 12), OCTAGON), ((5, 6, 7), None), ((1, 9), None), ((9, 1), None)]
TERMS = [{}, {"huber": 0.3}, {"huber": 0.3, "truncated": True}, {"quadratic_weight": 0.8}, {"l1_weight": 0.6}]
KINDS = [
    *(("joint", *kind) for kind in itertools.product((True, False), (1, 3), TERMS)),
    ("joint", True, 2, {"l1_weight": 0.6, "quadratic_weight": 0.5}),
    *(("separate", *kind) for kind in itertools.product((True, False), (2,), TERMS[2::2])),
    *(("pairwise", True, labels, {"simplex": True}) for labels in (2, 3, 5)),
]  # fmt: skip
FIELDS = ("cost", "dual_radius", "lower", "upper", "target")


def problem_of(rng, shape, offsets, coupling, isotropic, labels, terms):
    f = np.float32
    return Problem(
        cost=rng.normal(size=(labels, *shape)).astype(f),
        dual_radius=rng.uniform(0, 2, shape).astype(f),
        lower=np.zeros((1,) * (len(shape) + 1), f),
        upper=np.ones((1,) * (len(shape) + 1), f),
        target=rng.uniform(0, 1, (labels, *shape)).astype(f),
        steps=tuple(rng.uniform(0.5, 1, len(offsets or shape)).tolist()),
        offsets=offsets, coupling=coupling, isotropic=isotropic, **terms,
    )  # fmt: skip


@pytest.mark.parametrize(("shape", "offsets"), GRIDS)
def test_iterations_and_values_agree_with_the_specification(backend, rng, shape, offsets):
    for coupling, isotropic, labels, terms in KINDS:
        problem = problem_of(rng, shape, offsets, coupling, isotropic, labels, terms)
        for gamma in (0.0, 0.5):
            rho = 1.0 if gamma or "truncated" in terms else 1.8
            answers = []
            for one in (NumpyBackend(), backend):
                here = replace(problem, **{name: one.asarray(getattr(problem, name)) for name in FIELDS})
                u = one.asarray(np.full((labels, *shape), 1 / labels, np.float32))
                p = one.asarray(np.zeros((len(problem.steps), labels, *shape), np.float32))
                one.iterate(here, u, p, n=21, tau=0.3, sigma=0.3, rho=rho, finish=True, gamma=gamma)
                answers.append((one.to_numpy(u), one.to_numpy(p), one.values(here, u, p)))
            (u0, p0, v0), (u1, p1, v1) = answers
            what = str((coupling, isotropic, labels, terms, gamma))
            np.testing.assert_allclose(u1, u0, atol=3e-5, err_msg=what)
            np.testing.assert_allclose(p1, p0, atol=3e-5, err_msg=what)
            np.testing.assert_allclose(v1, v0, rtol=1e-5, atol=1e-3, err_msg=what)


@pytest.mark.parametrize("n", [5, 20])
def test_any_number_of_threads_gives_the_same_bits(set_threads, rng, n):
    backend = get_backend("numba")
    for coupling, terms in (("joint", TERMS[2]), ("pairwise", {"simplex": True})):
        problem = problem_of(rng, (331, 20), None, coupling, True, 3, terms)
        answers = []
        for threads in (1, 2, 4):
            set_threads(threads)
            u, p = np.full((3, 331, 20), 1 / 3, np.float32), np.zeros((2, 3, 331, 20), np.float32)
            backend.iterate(problem, u, p, n=n, tau=0.3, sigma=0.3, rho=1.0, finish=True, gamma=0.2)
            answers.append((u, p))
        for u, p in answers[1:]:
            np.testing.assert_array_equal(u, answers[0][0])
            np.testing.assert_array_equal(p, answers[0][1])


def test_along_the_grid_pairs_are_left_to_the_specification(rng):
    problem = problem_of(rng, (6, 7), None, "pairwise", False, 3, {"simplex": True})
    answers = []
    for backend in (get_backend("numpy"), get_backend("numba")):
        u, p = np.full((3, 6, 7), 1 / 3, np.float32), np.zeros((2, 3, 6, 7), np.float32)
        backend.iterate(problem, u, p, n=9, tau=0.3, sigma=0.3, rho=1.8, finish=True)
        answers.append((u, backend.values(problem, u, p)))
    np.testing.assert_allclose(answers[0][0], answers[1][0], atol=1e-6)
    np.testing.assert_allclose(answers[0][1], answers[1][1], rtol=1e-6)
