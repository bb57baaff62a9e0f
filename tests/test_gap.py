"""When a solver stops, and the gap that it reports, from numbers and a clock that are given."""

import itertools
import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from varconvex import ROF, TwoPhase, pdhg
from varconvex.errors import ConvergenceWarning
from varconvex.solvers import solution as room
from varconvex.solvers.solution import GapRecord, Progress, StoppingRules
from varconvex.threads import until


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still: `clock.now` is its time."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(room, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return clock


def test_the_clock_of_a_limit(clock):
    rules = StoppingRules(7, 1e-3, 5.0, None, begin=100.0)
    seen = []
    for clock.now in (100.0, 103.0, 105.0, 106.0):
        seen.append((rules.elapsed(), rules.seconds_left(), rules.out_of_time()))
    assert seen == [(0.0, 5.0, False), (3.0, 2.0, False), (5.0, 0.0, True), (6.0, 0.0, True)]
    assert rules.deadline == 105.0
    free = StoppingRules(7, 1e-3, math.inf, None, begin=100.0)
    assert (free.seconds_left(), free.out_of_time()) == (None, False)


def test_a_limit_ends_with_that_of_the_thread(clock):
    assert StoppingRules.checked(3, 0.1, None, None).seconds == math.inf
    assert StoppingRules.checked(3, 0.1, 4.0, None).seconds == 4.0
    for moment, limit, seconds in ((103.0, None, 3.0), (103.0, 4.0, 3.0), (103.0, 2.0, 2.0), (90.0, None, 0.0)):
        with until(moment):
            assert StoppingRules.checked(3, 0.1, limit, None).seconds == seconds


def test_the_order_of_what_stops(clock):
    def status(iteration, criterion, answer=None, now=100.0):
        clock.now = now
        rules = StoppingRules(7, 1e-3, 5.0, None if answer is None else lambda progress: answer, begin=100.0)
        return rules.status(iteration, criterion, lambda: None)

    assert status(6, 2e-3) is None
    assert status(7, 2e-3) == status(8, 2e-3) == status(7, 2e-3, now=105.0) == "max_iter"
    assert status(6, 2e-3, now=105.0) == "time_limit"
    assert status(7, 1e-3, now=105.0) == status(0, 0.0) == "converged"
    assert status(7, 1e-3, True) == status(0, 1.0, np.True_) == "stopped"
    assert status(0, 1.0, False) is None
    assert status(0, 1.0, 1) is None
    assert status(0, math.nan) is None


def test_who_is_warned():
    for (status, most), warned in zip(
        itertools.product(("converged", "stopped", "max_iter", "time_limit"), (7, 0)),
        (False, False, False, False, True, False, True, False),
        strict=True,
    ):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            StoppingRules(most, 1e-3, 5.0, None).warn(status, "{found} where {tol}", 0.25, "; detail")
        assert [w.category for w in heard] == [ConvergenceWarning] * warned
        assert all("0.25 where 0.001; detail; raise" in str(w.message) for w in heard)


class Two:
    """An energy that rounds to the half of u and presents ten times what it is given."""

    def round(self, backend, problem, u):
        return u / 2, 77.0

    def present(self, u):
        return 10 * u


def record(tol=0.1, **problem):
    given = {"cost_unit": 4.0, "common_cost": 100.0, "rounding_slack": 0.5, "value_scale": 1.0} | problem
    return GapRecord(Two(), None, SimpleNamespace(**given), 3.0, 50, StoppingRules(7, tol, math.inf, None))


def test_the_gap_is_a_share_of_the_energy_that_is_not_common():
    gap = record()
    assert (gap.iteration, gap.dual, gap.relative_gap) == (-1, -math.inf, math.inf)
    gap.note(0, 120.0, 90.0)
    assert (gap.primal, gap.dual, gap.relative_gap) == (120.0, 90.0, 30 / 20)
    gap.note(10, 110.0, 70.0)  # a bound once found stays one
    assert (gap.primal, gap.dual, gap.relative_gap) == (110.0, 90.0, 20 / 10)
    gap.note(10, 105.0, 60.0)  # another pair after as many iterations
    assert (gap.primal, gap.dual, gap.relative_gap) == (105.0, 90.0, 15 / 10)
    gap.note(20, 104.0, 104.5)  # rounded
    assert (gap.primal, gap.dual, gap.relative_gap) == (104.0, 104.0, 0.0)
    assert [(n, primal, dual) for n, _, primal, dual in gap.history] == [(0, 120, 90), (10, 105, 90), (20, 104, 104)]
    assert gap.iteration == 20


def test_the_gap_of_what_cancels_is_a_share_of_the_data():
    gap = record()
    gap.note(5, 100.25, 99.75)
    assert gap.relative_gap == pytest.approx(0.5 / (1e-3 * 4 * 3 * 50), rel=1e-12)
    nothing = GapRecord(Two(), None, SimpleNamespace(cost_unit=1.0, common_cost=0.0), 0.0, 50, gap.rules)
    nothing.note(0, 0.0, 0.0)
    assert nothing.relative_gap == 0


@pytest.mark.parametrize(("gap", "converged"), [(2.5, True), (2.75, False)])
def test_what_a_solution_says(gap, converged):
    known = record(tol=0.1, value_scale=2.0)
    known.note(9, 125.0, 125.0 - gap)
    u, p = np.full((1, 2, 2), 0.5, np.float32), np.ones((2, 1, 2, 2), np.float32)
    found = known.solution(u, p, "max_iter")
    assert (found.primal, found.dual) == (125.0 + 4 * 0.5, 125.0 - gap)
    assert (found.gap, found.relative_gap) == (found.primal - found.dual, gap / 25)
    assert (found.energy, found.iterations, found.status, found.converged) == (77.0, 9, "max_iter", converged)
    assert (found.u == 5).all()
    assert (found.binary == 2.5).all()
    assert (found.p == 2).all()
    assert (p == 1).all()


@pytest.mark.parametrize("factor", [2.0**-40, 2.0**40])
def test_the_dual_variable_is_in_the_users_units(rng, factor):
    image = rng.normal(size=(9, 11))
    for make in (lambda a: TwoPhase(a * image, a), lambda a: ROF(a * image, a * 0.3)):
        one, other = (pdhg(make(a), tol=1e-3, max_iter=400).p for a in (1.0, factor))
        np.testing.assert_allclose(other, factor * one, rtol=1e-4, atol=1e-3 * factor)
        assert abs(one).max() > 0.1


def test_callbacks_see_the_state_of_the_evaluation():
    known = record()
    known.note(4, 120.0, 90.0)
    seen = []
    known.rules = StoppingRules(7, 0.1, math.inf, seen.append, begin=0.0)
    assert known.status(np.ones((1, 2, 2)), index=3) is None
    assert known.status(np.ones((1, 2, 2))) is None
    progress, other = seen
    assert other.index == Progress(0, 0.0, 1.0, 0.0, 1.0, None).index == 0
    assert (progress.iteration, progress.primal, progress.dual) == (4, 120.0, 90.0)
    assert (progress.relative_gap, progress.index) == (1.5, 3)
    assert (progress.u == 10).all()
