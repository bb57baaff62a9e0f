"""Every energy's lower bound holds although its fields are rounded to float32, judged by exact rational arithmetic.

Each case is an energy of a few pixels in a row and its exact minimum: by enumeration where a minimiser takes only
values among the bounds and the data (linear and L1 data terms with a sum of absolute differences), else in closed form.
"""

import importlib
import itertools
import warnings
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import varconvex
from varconvex import ROF, TVL1, ChanVese, GeodesicContours, Potts, TwoPhase, get_backend, pdhg
from varconvex.errors import ConvergenceWarning

WITHOUT_A_BOUND = {"MumfordShah"}

ODD = np.array([[0.1, -0.7, 16777217.0, -16777219.0]]) / 3
"""Numbers between two float32s."""


def exact(array, like=None):
    """The numbers of an array as fractions, in one list."""
    array = np.asarray(array, np.float64)
    return [Fraction(float(x)) for x in np.ravel(array if like is None else np.broadcast_to(array, np.shape(like)))]


def variation(u):
    return [abs(b - a) for a, b in itertools.pairwise(u)]


def two_phase(cost, alpha, *, weight=None, lower=0.0, upper=1.0, kind=TwoPhase, **options):
    """An energy on a row, and its minimum over all u with values among the bounds."""
    energy = kind(cost, alpha, weight=weight, lower=lower, upper=upper, tv="anisotropic", **options)
    low, high = exact(lower, cost), exact(upper, cost)
    weights = exact(1.0 if weight is None else weight, cost)
    costs = [c - Fraction(options.get("balloon", 0.0)) for c in exact(cost)]
    levels = sorted({*low, *high})
    values = (
        sum(c * v for c, v in zip(costs, u, strict=True))
        + Fraction(alpha) * sum(w * d for w, d in zip(weights, variation(u), strict=False))
        for u in itertools.product(levels, repeat=len(costs))
        if all(a <= v <= b for a, v, b in zip(low, u, high, strict=True))
    )
    return energy, min(values)


def near_a_target(cost, weight, target, lower, upper):
    """A single pixel with a quadratic term, whose minimiser is clipped."""
    c, q, t, low, high = (Fraction(x) for x in (cost, weight, target, lower, upper))
    u = min(max(t - c / q, low), high)
    energy = TwoPhase([[cost]], 0.0, quadratic_weight=weight, target=[[target]], lower=lower, upper=upper)
    return energy, c * u + q / 2 * (u - t) ** 2


def potts(cost, alpha, lower=0.0, **options):
    """An energy on a row: the remainder above the lower bounds goes to one label at each pixel."""
    cost = np.asarray(cost)
    low = np.array(exact(lower, cost), object).reshape(cost.shape[0], -1)
    costs, best = np.array(exact(cost), object).reshape(low.shape), None
    for choice in itertools.product(range(len(low)), repeat=low.shape[1]):
        u = low.copy()
        for x, k in enumerate(choice):
            u[k, x] += 1 - low[:, x].sum()
        value = (costs * u).sum() + Fraction(alpha) / 2 * sum(sum(variation(layer)) for layer in u)
        best = value if best is None else min(best, value)
    return Potts(cost, alpha, lower=lower, tv="anisotropic", **options), best


def chan_vese(image, means, alpha):
    """An energy on a row, and its minimum over all labellings."""
    pixels, colours = exact(image), exact(means)
    values = (
        sum((x - colours[k]) ** 2 for x, k in zip(pixels, labels, strict=True))
        + Fraction(alpha) * sum(a != b for a, b in itertools.pairwise(labels))
        for labels in itertools.product(range(len(colours)), repeat=len(pixels))
    )
    return ChanVese(image, means, alpha, tv="anisotropic"), min(values)


def rof(image, alpha, huber=0.0):
    """Two pixels: their mean stays, and their difference shrinks."""
    a, b, alpha_, h = (Fraction(x) for x in (*np.ravel(image).tolist(), alpha, huber))
    before = abs(b - a)
    after = max(before - 2 * alpha_, Fraction(0))
    if h and after < h:
        after = before / (1 + 2 * alpha_ / h)
    charge = after**2 / (2 * h) if after < h else after - h / 2
    return ROF(image, alpha, huber=huber), (before - after) ** 2 / 4 + alpha_ * charge


def pixel(kind, value, lower, upper):
    """A single pixel, clipped."""
    far = abs(Fraction(value) - min(max(Fraction(value), Fraction(lower)), Fraction(upper)))
    return kind([[value]], 0.0, lower=lower, upper=upper), far if kind is TVL1 else far**2 / 2


def tv_l1(image, alpha):
    """A row, and its minimum over all u with values of the image."""
    pixels = exact(image)
    values = (
        sum(abs(v - x) for v, x in zip(u, pixels, strict=True)) + Fraction(alpha) * sum(variation(u))
        for u in itertools.product(sorted(set(pixels)), repeat=len(pixels))
    )
    return TVL1(image, alpha, tv="anisotropic"), min(values)


RAMP = np.array([[0.1, 0.7, 0.3]])
CASES = {
    "TwoPhase": [
        two_phase(np.array([[1.0]]), 0.0, lower=0.1),
        two_phase(np.array([[-1.0]]), 0.0, upper=0.7),
        two_phase(ODD, 0.1),
        two_phase(RAMP - 0.5, 0.1, lower=0.1, upper=0.7),
        two_phase(RAMP - 0.5, 3.3, lower=np.array([[0.1, 0.2, 0.1]]), upper=np.array([[0.7, 0.7, 0.9]])),
        two_phase(ODD, 1e6, weight=np.array([[0.1, 0.7, 0.3, 0.0]]), lower=0.1),
        near_a_target(0.1, 0.7, 0.3, 0.1, 0.7),
        near_a_target(-0.9, 0.1, 0.3, 0.1, 0.7),
        near_a_target(0.9, 0.1, 0.3, 0.1, 0.7),
        near_a_target(0.1, 7.0, 0.0, 0.1, 0.7),
    ],
    "GeodesicContours": [
        two_phase(ODD.astype(np.float32), 0.1, weight=np.full((1, 4), 0.3), balloon=0.1, kind=GeodesicContours),
        two_phase(np.ones((1, 3), np.float32), 0.1, weight=RAMP, balloon=-0.7, lower=0.1, kind=GeodesicContours),
        two_phase(np.zeros((1, 3), np.float32), 0.1, weight=RAMP, balloon=0.7, kind=GeodesicContours),
        two_phase(np.full((1, 3), 7), 0.1, weight=RAMP, balloon=0.1, lower=0.1, kind=GeodesicContours),
    ],
    "Potts": [
        potts(np.stack([0 * ODD, ODD, ODD[:, ::-1]]), 0.1),
        potts([[[0.1]], [[0.7]]], 0.0, lower=0.1),
        potts([[[0.1, 0.3]], [[0.7, 0.1]], [[0.3, 0.9]]], 0.1, lower=0.1),
        potts(np.arange(10.0).reshape(10, 1, 1), 0.1, lower=0.1),  # in float32 the lower bounds sum to more than 1
        potts([[[0.1, 0.3]], [[0.7, 0.1]]], 0.1, lower=np.array([[[0.1, 0.2]], [[0.0, 0.7]]]), relaxation="ccp"),
    ],
    "ChanVese": [
        chan_vese(RAMP, (0.1, 0.7), 0.01),
        chan_vese(RAMP.astype(np.float32), (0.2, 0.6), 0.01),
        chan_vese(np.array([[1, 77, 255]], np.uint8), (0.1, 70.7), 0.01),
        chan_vese(np.array([[1, 77, 255]], np.uint8), (0.1, 70.7, 99.9), 0.01),
    ],
    "ROF": [
        rof(np.array([[0.1, 0.7]]), 0.1),
        rof(np.array([[1e4 + 0.1, 0.7]]), 33.3),
        rof(np.array([[0.1, 0.7]]), 0.1, huber=3.3),
        rof(np.array([[0.0, 1.0]]), 0.1, huber=1.1),
        rof(np.array([[0.0, 1.0]]), 0.1, huber=0.2),
        pixel(ROF, 1e6 + 0.1, 0.0, 1.0),
        pixel(ROF, -1e6 - 0.3, 0.0, 1.0),
        pixel(ROF, 9.0, 0.1, 0.7),
    ],
    "TVL1": [
        tv_l1(RAMP, 0.3),
        tv_l1(ODD, 0.7),
        pixel(TVL1, 1e6 + 0.1, 0.0, 1.0),
        pixel(TVL1, 9.0, 0.1, 0.7),
    ],
}


def energies():
    """Names of the package's energies."""
    for path in sorted((Path(varconvex.__file__).parent / "energies").glob("[!_]*.py")):
        module = importlib.import_module(f"varconvex.energies.{path.stem}")
        for name, value in vars(module).items():
            if (
                getattr(value, "__module__", "") == module.__name__
                and hasattr(value, "problem")
                and path.stem != "base"
            ):
                yield name


@pytest.mark.parametrize("name", sorted(set(energies()) - WITHOUT_A_BOUND))
def test_the_bound_is_below_the_exact_minimum(backend, name):
    needed = False
    for energy, minimum in CASES[name]:
        problem = energy.problem(backend)
        # Sums in float64 have a rounding of their own.
        noise = Fraction(1e-15) * (abs(minimum) + Fraction(float(abs(problem.cost).sum() * problem.cost_unit)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            solution = pdhg(energy, tol=0, max_iter=600, backend=backend)
        assert Fraction(solution.dual) <= minimum + noise, (name, energy, float(Fraction(solution.dual) - minimum))
        assert Fraction(solution.primal) >= Fraction(solution.dual)
        assert float(minimum) == pytest.approx(solution.dual, rel=1e-4, abs=1e-4 * problem.cost_unit)
        slack = Fraction(problem.rounding_slack) * Fraction(problem.cost_unit)
        needed |= Fraction(solution.dual) + slack > minimum + noise
    assert needed, "no case has values whose rounding lifts the bound"


@pytest.mark.parametrize("alpha", [0.25, 1024.0])
@pytest.mark.parametrize("inward", [1.0, -1.0])
@pytest.mark.parametrize("quadratic_weight", [0.0, 8.0])
def test_the_slack_of_rounded_bounds_is_met_and_never_exceeded(alpha, inward, quadratic_weight):
    # All flow meets in the middle, whose bound alone lies between two float32s and is rounded inwards.
    backend, middle = get_backend("numpy"), (2, 2)
    lower, upper = np.zeros((5, 5)), np.ones((5, 5))
    lower[middle], upper[middle] = (0.1, 1) if inward > 0 else (0, 0.7)
    options = {"quadratic_weight": quadratic_weight, "target": np.zeros((5, 5))} if quadratic_weight else {}
    energy = TwoPhase(np.zeros((5, 5)), alpha, lower=lower, upper=upper, tv="anisotropic", **options)
    problem = replace(energy.problem(backend), rounding_slack=0.0)
    exact = replace(problem, lower=lower[None], upper=upper[None])
    slack = energy.problem(backend).rounding_slack * problem.cost_unit
    p = np.zeros((2, 1, 5, 5), np.float32)
    p[0, 0, 2, 2], p[0, 0, 1, 2], p[1, 0, 2, 2], p[1, 0, 2, 1] = np.array([-1, 1, -1, 1]) * alpha * inward
    added = backend.dual_value(problem, p) - backend.dual_value(exact, p)
    assert added <= slack
    assert added > 0.99 * slack or quadratic_weight
    rng = np.random.default_rng(0)
    for _ in range(20):
        p = rng.choice(np.array([-alpha, alpha], np.float32), p.shape)
        assert backend.dual_value(problem, p) - backend.dual_value(exact, p) <= slack
