"""Several energies at once: the same guarantee as one at a time, on every backend."""

import numpy as np
import pytest

from varconvex import Potts, TwoPhase, get_backend, pdhg, pdhg_batch
from varconvex.backends.numpy_ import NumpyBackend
from varconvex.errors import ConvergenceWarning, InvalidParameterError


class TogetherBackend(NumpyBackend):
    """The specification, told to take several problems at once."""

    many = True


@pytest.fixture
def together(backend):
    """Every backend; the specification takes the path of those that solve several at once."""
    return TogetherBackend() if backend.name == "numpy" else backend


def mixture(rng):
    """Energies of two kinds and three shapes, easy ones and hard ones among them, in no order."""
    rows, columns = np.mgrid[:80, :72]
    disc = np.where(np.hypot(rows - 40, columns - 30) < 20, -1.0, 1.0)
    return [
        TwoPhase(disc, 1.0),
        TwoPhase(disc + rng.normal(size=disc.shape), 3.0, weight=rng.uniform(0.1, 1, disc.shape)),
        Potts(rng.random((3, 20, 30)), 0.2),
        TwoPhase(1e6 * disc[::-1] + 5, 1e6, lower=(rows < 3).astype(float)),
        TwoPhase(rng.normal(size=(9, 11)), 0.0),
        TwoPhase(disc, 1.0, quadratic_weight=0.5, target=np.full(disc.shape, 0.3)),
        TwoPhase(rng.normal(size=(5, 6, 7)), 0.5, tv="anisotropic"),
        TwoPhase(disc, 1.0),
    ]


def test_each_is_certified_like_alone(together, rng):
    energies = mixture(rng)
    found = pdhg_batch(energies, backend=together, tol=1e-3)
    for energy, solution in zip(energies, found, strict=True):
        alone = pdhg(energy, tol=1e-3)
        assert solution.converged
        assert solution.status == "converged"
        assert solution.relative_gap <= 1e-3
        slack = 1e-9 * abs(alone.primal)
        assert solution.dual <= alone.primal + slack
        assert alone.dual <= solution.primal + slack
        assert solution.u.shape == alone.u.shape
        assert solution.p.shape == alone.p.shape
        assert solution.energy == pytest.approx(alone.energy, rel=5e-3)
        assert all(primal >= dual for _, _, primal, dual in solution.history)
    np.testing.assert_array_equal(together.to_numpy(found[0].u), together.to_numpy(found[-1].u))


def test_an_image_that_is_done_takes_part_no_longer(together, rng):
    energies = mixture(rng)[:2]
    easy, hard = pdhg_batch(energies, backend=together, tol=2e-4)
    assert easy.iterations < hard.iterations
    alone = pdhg_batch(energies[:1], backend=together, tol=2e-4)[0]
    np.testing.assert_array_equal(together.to_numpy(easy.u), together.to_numpy(alone.u))
    assert easy.history[-1][2:] == alone.history[-1][2:]


def test_one_launch_is_for_all(fake_cupy, rng):
    costs = rng.normal(size=(5, 40, 30))
    backend = get_backend("cupy")
    with pytest.warns(ConvergenceWarning):
        pdhg_batch((TwoPhase(cost, 1.0) for cost in costs), backend=backend, tol=0, max_iter=64)
    iterations = [name for name in fake_cupy.launches if name.startswith("tile")]
    assert len(iterations) == 8


@pytest.mark.parametrize(("options", "status"), [({"max_iter": 1}, "max_iter"), ({"time_limit": 0.0}, "time_limit")])
def test_out_of_patience_is_said_once(options, status, rng):
    energies = [TwoPhase(rng.normal(size=(70, 80)), 3.0) for _ in range(3)]
    with pytest.warns(ConvergenceWarning, match="3 of 3 energies did not meet the relative gap of 1e-09") as caught:
        found = pdhg_batch(energies, backend=TogetherBackend(), tol=1e-9, **options)
    assert len(caught) == 1
    for solution in found:
        assert (solution.status, solution.converged) == (status, False)
        assert solution.gap >= 0


def test_no_iterations_evaluate_the_starts(together, rng):
    energies = mixture(rng)
    for energy, solution in zip(energies, pdhg_batch(energies, max_iter=0, backend=together), strict=True):
        alone = pdhg(energy, max_iter=0, backend=together)
        assert (solution.iterations, solution.converged) == (0, alone.converged)
        assert solution.status == ("converged" if solution.converged else "max_iter")
        assert solution.dual <= pdhg(energy).primal


def test_a_callback_gets_the_position_and_stops_one_energy(together, rng):
    energies = [TwoPhase(rng.normal(size=(20, 30)), 3.0) for _ in range(3)]
    seen = []

    def callback(progress):
        seen.append((progress.index, progress.iteration))
        progress.u[...] = np.nan
        return progress.index == 1

    found = pdhg_batch(energies, tol=1e-4, backend=together, callback=callback)
    assert [solution.status for solution in found] == ["converged", "stopped", "converged"]
    for b, solution in enumerate(found):
        assert [i for k, i in seen if k == b] == [entry[0] for entry in solution.history]
    np.testing.assert_array_equal(
        together.to_numpy(found[0].u), together.to_numpy(pdhg_batch(energies, tol=1e-4, backend=together)[0].u)
    )


def test_an_empty_batch_has_no_solutions():
    assert pdhg_batch([]) == []


def test_what_is_no_energy_is_named(rng):
    with pytest.raises(InvalidParameterError, match=r"each of energies must be an energy .* got array"):
        pdhg_batch([TwoPhase(rng.normal(size=(4, 5)), 1.0), np.zeros((4, 5))])
