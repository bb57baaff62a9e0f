"""Mumford-Shah against enumeration of all sets of jumps, a linear solver, and the refusal of any gap."""

import itertools

import numpy as np
import pytest
from scipy.sparse import eye_array, kron
from scipy.sparse.linalg import spsolve

from varconvex import MumfordShah, TwoPhase, denoise_mumford_shah, get_backend, pdhg, stationary
from varconvex.errors import ConvergenceWarning, InvalidParameterError


def least_energy(signal, alpha, jump):
    """Global minimum for a signal: each set of jumps leaves a linear system."""
    n, best = signal.size, np.inf
    for cuts in itertools.product((0, 1), repeat=n - 1):
        d = np.diff(np.eye(n), axis=0) * (1 - np.array(cuts))[:, None]
        u = np.linalg.solve(np.eye(n) + alpha * d.T @ d, signal)
        best = min(best, ((u - signal) ** 2).sum() + alpha * ((d @ u) ** 2).sum() + jump * sum(cuts))
    return best


@pytest.mark.parametrize("seed", range(4))
def test_a_signal_of_two_parts_reaches_the_global_minimum(backend, seed):
    rng = np.random.default_rng(seed)
    signal = np.repeat([0.0, 1.0], 6) + rng.normal(scale=0.05, size=12)
    found = stationary(MumfordShah(signal[None], 5.0, jump=0.1), tol=1e-7, backend=backend)
    assert found.converged
    assert found.energy == pytest.approx(least_energy(signal, 5.0, 0.1), rel=1e-3)
    edges = backend.to_numpy(found.edges)
    np.testing.assert_array_equal(np.flatnonzero(edges[0]), [5])


@pytest.mark.parametrize("seed", range(4))
def test_of_noise_it_is_never_below_the_global_minimum(seed):
    signal = np.random.default_rng(seed).normal(size=9)
    found = stationary(MumfordShah(signal[None], 1.0, jump=0.4), tol=1e-6)
    least = least_energy(signal, 1.0, 0.4)
    assert least * (1 - 1e-6) <= found.energy <= ((signal - signal.mean()) ** 2).sum() + 8 * 0.4
    assert found.energy <= 0.4 * (np.diff(signal) ** 2 > 0.4).sum() + np.minimum(np.diff(signal) ** 2, 0.4).sum()


@pytest.mark.parametrize("channels", [None, -1])
def test_without_jumps_it_is_a_linear_system(backend, rng, channels):
    # jump so large that no gradient reaches it: (I + alpha grad^T grad) u = image.
    shape = (11, 9) if channels is None else (11, 9, 3)
    image = rng.random(shape)
    found = stationary(MumfordShah(image, 2.0, jump=1e6, channel_axis=channels), tol=2e-7, backend=backend)
    down, right = (np.diff(np.eye(n), axis=0) for n in (11, 9))
    laplacian = kron(down.T @ down, eye_array(9)) + kron(eye_array(11), right.T @ right)
    exact = spsolve((eye_array(99) + 2.0 * laplacian).tocsc(), image.reshape(99, -1))
    np.testing.assert_allclose(backend.to_numpy(found.u), exact.reshape(shape), atol=2e-4)
    assert not backend.to_numpy(found.edges).any()


def test_channels_share_their_edges():
    image = np.zeros((20, 24, 2))
    image[:, 12:, 0] = 0.4  # each channel's step alone is too low for a jump of its own ...
    image[:, 12:, 1] = 0.4
    alone = stationary(MumfordShah(image[..., 0], 4.0, jump=0.2))
    both = stationary(MumfordShah(image, 4.0, jump=0.2, channel_axis=-1))
    assert not alone.edges.any()
    assert both.edges.sum() == 20  # ... together they are not


@pytest.mark.parametrize("jump", [0.03, 0.3, 30.0])
def test_the_energy_of_an_image_is_what_the_formula_says(rng, jump):
    image, other = rng.integers(0, 2, (2, 9, 8)) * 3.0 - 1
    squares = np.zeros(image.shape)
    squares[:-1] += np.diff(other, axis=0) ** 2
    squares[:, :-1] += np.diff(other, axis=1) ** 2
    expected = ((other - image) ** 2).sum() + np.minimum(0.7 * squares, jump).sum()
    found = MumfordShah(image, 0.7, jump=jump).value(get_backend("numpy"), other)
    assert found == pytest.approx(expected, rel=1e-5)


def test_no_bound_is_claimed():
    energy = MumfordShah(np.eye(12))
    with pytest.raises(InvalidParameterError, match=r"energy must be convex; got MumfordShah.*Use stationary"):
        pdhg(energy)
    found = stationary(energy)
    assert not hasattr(found, "gap")
    assert not hasattr(found, "dual")
    backend = get_backend("numpy")
    assert backend.dual_value(energy.problem(backend), np.zeros((2, 1, 12, 12), np.float32)) == -np.inf


def test_patience_and_the_callback(rng):
    energy = MumfordShah(rng.random((30, 30)))
    with pytest.warns(ConvergenceWarning, match=r"u still moves by .* \(max_iter after 7 iterations\)"):
        found = stationary(energy, max_iter=7, tol=1e-9)
    assert (found.iterations, found.status, found.converged) == (7, "max_iter", False)
    seen = []
    stopped = stationary(energy, tol=0, callback=lambda now: seen.append(now) or now.iteration >= 20)
    assert (stopped.status, stopped.iterations, len(seen)) == ("stopped", 20, 2)
    assert stopped.change == seen[-1].change
    assert seen[-1].primal == stopped.energy
    np.testing.assert_array_equal(seen[-1].u, stopped.u)
    assert (seen[-1].dual, seen[-1].relative_gap) == (-np.inf, np.inf)
    with pytest.warns(ConvergenceWarning, match="time_limit"):
        assert stationary(energy, tol=0, time_limit=0).status == "time_limit"


def test_no_iterations_return_the_image(rng):
    image = rng.random((9, 8)).astype(np.float32)
    found = stationary(MumfordShah(image), max_iter=0)
    np.testing.assert_allclose(found.u, image, atol=1e-7)
    assert (found.status, found.iterations, found.converged) == ("max_iter", 0, False)


def test_range_and_offset_do_not_matter(rng):
    image = rng.random((30, 40))
    one = denoise_mumford_shah(image, 5.0, jump=0.1)
    two = denoise_mumford_shah(image * 100 - 7, 5.0, jump=0.1 * 100**2)
    np.testing.assert_allclose((two + 7) / 100, one, atol=1e-3)
    volume = denoise_mumford_shah(rng.random((5, 6, 7)), spacing=(2, 1, 1))
    assert volume.shape == (5, 6, 7)


def test_what_is_refused():
    with pytest.raises(InvalidParameterError, match="jump must be a finite number, more than 0"):
        MumfordShah(np.eye(4), jump=0)
    with pytest.raises(InvalidParameterError, match="alpha must be a finite number, more than 0"):
        MumfordShah(np.eye(4), 0)
    with pytest.raises(InvalidParameterError, match=r"got TwoPhase, which is convex\. Use pdhg"):
        stationary(TwoPhase(np.eye(4), 1.0))
    with pytest.raises(InvalidParameterError, match=r"energy must be an energy such as MumfordShah\(image\)"):
        stationary(np.eye(4))
    with pytest.raises(InvalidParameterError, match="max_iter"):
        stationary(MumfordShah(np.eye(4)), max_iter=-1)
