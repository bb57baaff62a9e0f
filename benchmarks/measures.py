"""The parts of the solver's benchmark: each measures one question and returns what goes into the JSON."""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from varconvex import ROF, Potts, TwoPhase, get_backend, pdhg
from varconvex.errors import ConvergenceWarning, InvalidParameterError

from . import children, problems
from .peers import CHAMBOLLE, EXPANSION, ITERATIVE, MASKS, Peer
from .problems import Case
from .timing import BYTES, Ledger, Timed, collect, interleave, iteration, rest, stream

TOLERANCES = (1e-2, 1e-3, 1e-4)
LENGTHS = ("isotropic", "anisotropic", "octagonal")
"""Ways to measure the boundary; those that the solver refuses are left out."""

_CHECKED = 2048
"""Largest side at which the gap is computed once more by the specification, which takes long and much memory."""

_ALL_LENGTHS = 1024
"""Largest side at which the boundary is measured in other ways than Euclid's, too."""

_BUDGET = 12.0
"""Seconds after which a contender is not called again."""


@dataclass(frozen=True)
class Plan:
    """The options of a run."""

    sizes: Sequence[int]
    backend: str
    peers: Sequence[Peer]
    rounds: int

    def among(self, family: Sequence[Peer], side: int) -> list[Peer]:
        """Those of `family` that are wanted and up to this size."""
        return [p for p in family if p in self.peers and side <= p.largest]


@dataclass(frozen=True)
class Facts:
    """The part of a solution that is kept: the mask, and numbers."""

    mask: Any
    iterations: int
    energy: float
    primal: float
    dual: float
    gap: float
    converged: bool
    history: tuple[tuple[int, float, float, float], ...]


def lengths(family: type = TwoPhase) -> list[str]:
    """The ways to measure a boundary that this version has."""
    cost = np.zeros((8, 8)) if family is TwoPhase else np.zeros((2, 8, 8))
    found = []
    for tv in LENGTHS:
        try:
            family(cost, 1.0, tv=tv)
        except InvalidParameterError:
            continue
        found.append(tv)
    return found


def masks(plan: Plan) -> Iterator[dict[str, Any]]:
    """Two regions: every size at alpha 8 and the hard case, ours to each tolerance beside the peers' masks."""
    two_regions(problems.segmentation(64), replace(plan, rounds=1))  # compiled, and libraries loaded
    for side in plan.sizes:
        yield two_regions(problems.segmentation(side), plan)
        if side == 1024:
            yield two_regions(problems.hard(), plan)


def two_regions(case: Case, plan: Plan) -> dict[str, Any]:
    """One case: seconds, iterations, bytes, gaps, and how far every mask lies above the bounds."""
    side = case.strokes.shape[0]
    kinds = lengths() if side <= _ALL_LENGTHS else ["isotropic"]
    asked = {f"{tv} {tol:g}": (tv, tol) for tv in kinds for tol in TOLERANCES if tv == "isotropic" or tol < 1e-2}
    ours = {name: partial(_solve, TwoPhase, case, plan.backend, *what) for name, what in asked.items()}
    theirs = {p.name: partial(p.run, case) for p in plan.among(MASKS, side)}
    timed = interleave({**ours, **theirs}, plan.rounds, _BUDGET, case.name)
    bounds = {tv: max(timed[n].answer.dual for n, (kind, _) in asked.items() if kind == tv) for tv in kinds}
    energies = {tv: TwoPhase(case.cost, case.alpha, tv=tv) for tv in kinds}
    rows = {}
    for name, of_this in timed.items():
        row = of_this.summary()
        if name in asked:
            row |= _ours(of_this.answer)
            if side <= _CHECKED or name.endswith(" 0.001"):
                row |= _booked(case, plan.backend, *asked[name], check=side <= _CHECKED)
        row["above"] = _above(_mask(of_this), energies, bounds)
        rows[name] = row
    finest = timed[f"isotropic {min(TOLERANCES):g}"].answer
    return {
        "name": case.name, "side": side, "alpha": case.alpha, "pixels": case.pixels, "bounds": bounds,
        "contenders": rows, "curve": _curve(finest),
    }  # fmt: skip


def iterations(plan: Plan) -> Iterator[dict[str, Any]]:
    """Milliseconds an iteration beside the in-place stream over arrays of the same size, and iterative peers."""
    for side in plan.sizes:
        case = problems.segmentation(side)
        backend = get_backend(plan.backend)
        # At least as long as a scheduler's time slice, however small the image.
        n = int(np.clip(48 * (1024 / side) ** 2, 48, 1920)) // 48 * 48
        energy = TwoPhase(backend.asarray(case.cost), case.alpha)
        ours = iteration(energy, backend, n)
        ours()  # in memory
        calls = {"varconvex": ours, "varconvex CPU": partial(_of_cpu, ours, n)}
        if plan.backend != "cupy":
            passes = max(n // 8, 4)
            memory = stream(side, passes)
            calls |= {"stream": memory, "stream CPU": partial(_of_cpu, memory, passes)}
        for p in plan.among(ITERATIVE, side):
            calls[p.name] = partial(_peer_iteration, p, case, time.perf_counter)
            calls[f"{p.name} CPU"] = partial(_peer_iteration, p, case, time.process_time)
        found = collect(calls, plan.rounds, f"iterations {side}²")
        medians = {name: float(np.median(values)) for name, values in found.items()}
        wall, cpu = (1e3 * medians[name] for name in ("varconvex", "varconvex CPU"))
        row: dict[str, Any] = {"side": side, "milliseconds": wall, "milliseconds_cpu": cpu}
        if "stream" in found:
            row["stream_bytes_per_second"] = medians["stream"]
            row["share_of_stream"] = BYTES * case.pixels / medians["varconvex"] / medians["stream"]
            # What other processes take shows less in the processors' time than in the clock's.
            row["share_of_stream_cpu"] = medians["stream CPU"] / medians["varconvex CPU"]
        row["peers"] = {p.name: 1e3 * medians[p.name] for p in plan.among(ITERATIVE, side)}
        row["peers_cpu"] = {p.name: 1e3 * medians[f"{p.name} CPU"] for p in plan.among(ITERATIVE, side)}
        row["to_a_thousandth"] = {p.name: _to_suboptimality(p, case) for p in plan.among(ITERATIVE, side)}
        yield row


def rof(plan: Plan, side: int = 512, weight: float = 0.1) -> dict[str, Any]:
    """Denoising until the energy is 1e-2, 1e-3 and 1e-4 above the least one, beside scikit-image's.

    Either is run once before to find what takes it there: ours the tolerance, which is relative to the energy without
    its constant, at which the gap it certifies is small enough; scikit-image's, which certifies nothing, the number of
    iterations, counted with our bound. It works in the type of its image: the same float32 as ours, and float64, which
    is what its `img_as_float` makes of a photograph.
    """
    noisy = problems.denoising(side)
    images = {"": noisy, " float64": noisy.astype(np.float64)}
    best = _solution(ROF(noisy, weight), plan.backend, 1e-7).dual
    specification = get_backend("numpy")
    problem = TwoPhase(np.zeros_like(noisy), weight, quadratic_weight=1.0, target=noisy).problem(specification)

    def excess(u: np.ndarray) -> float:
        return (specification.primal_value(problem, u[None].astype(np.float32)) - best) / best

    calls: dict[str, Callable[[], Any]] = {}
    counts: dict[str, int] = {}
    tols: dict[str, float] = {}
    for wanted in TOLERANCES:
        tol = wanted
        while (s := _solution(ROF(noisy, weight), plan.backend, tol)).gap > wanted * s.dual and tol > 1e-8:
            # What the solver's relative gap is relative to need not be the energy alone.
            tol = min(wanted * s.dual * s.relative_gap / s.gap, 0.9 * tol)
        tols[f"varconvex {wanted:g}"] = tol
        calls[f"varconvex {wanted:g}"] = partial(lambda tol: _solution(ROF(noisy, weight), plan.backend, tol).u, tol)
    for peer, (kind, image) in product(plan.among((CHAMBOLLE,), side), images.items()):
        for tol in TOLERANCES[:2]:
            n = _least(lambda n, run=peer.run, image=image, tol=tol: excess(run(image, weight, n)) <= tol, 1 << 14)
            if n is not None:
                counts[f"{peer.name}{kind} {tol:g}"] = n
                calls[f"{peer.name}{kind} {tol:g}"] = partial(peer.run, image, weight, n)
    timed = interleave(calls, plan.rounds, _BUDGET, "rof")
    host = get_backend(plan.backend).to_numpy
    rows = {name: t.summary() | {"suboptimality": excess(host(t.answer))} for name, t in timed.items()}
    for key, found in (("iterations", counts), ("tol", tols)):
        for name, value in found.items():
            rows[name][key] = value
    return {"side": side, "weight": weight, "contenders": rows}


def labels(plan: Plan, side: int = 1024) -> dict[str, Any]:
    """Five labels to 1e-3: seconds, and how far the rounded labelling lies above the bound, beside alpha-expansion."""
    case = problems.labels(side)
    kinds = lengths(Potts)
    asked = {f"{tv} 0.001": (tv, 1e-3) for tv in kinds}
    calls = {name: partial(_solve, Potts, case, plan.backend, *what) for name, what in asked.items()}
    calls |= {p.name: partial(p.run, case) for p in plan.among((EXPANSION,), side)}
    for tv in kinds:
        _solve(Potts, problems.labels(64), plan.backend, tv, 1e-3)  # compiled
    timed = interleave(calls, plan.rounds, _BUDGET, case.name)
    bounds = {tv: timed[f"{tv} 0.001"].answer.dual for tv in kinds}
    energies = {tv: Potts(case.cost, case.alpha, tv=tv) for tv in kinds}
    rows = {}
    for name, of_this in timed.items():
        rows[name] = of_this.summary() | (_ours(of_this.answer) if name in asked else {})
        rows[name]["above"] = _above(_mask(of_this), energies, bounds)
    return {"name": case.name, "side": side, "alpha": case.alpha, "bounds": bounds, "contenders": rows}


def memory(plan: Plan) -> Iterator[dict[str, Any]]:
    """Peak bytes a pixel beyond the cost array, each in a process of its own."""
    # In small images what the process needs besides is noise; large ones cost as much a pixel.
    for side in [s for s in plan.sizes if 1024 <= s <= 4096] or [max(plan.sizes)]:
        cuts = [p.name for p in plan.among(MASKS, side) if p.name == "maxflow4"]
        # Without a fixed threshold glibc keeps what making the problem freed, and the solve would get it for nothing.
        ask = partial(children.ask, "memory", side, MALLOC_MMAP_THRESHOLD_="131072")
        yield {"side": side} | {name: ask(name) for name in (plan.backend, *cuts)}


def interrupt(plan: Plan, side: int = 2048) -> dict[str, Any]:
    """Seconds until Ctrl-C is answered."""
    return {"side": side} | children.ask("interrupt", side, plan.backend)


def threads(layers: Sequence[str] = ("workqueue", "omp", "tbb"), count: int = 8, solves: int = 100) -> dict[str, Any]:
    """Eight Python threads, a hundred solves each, beside each of Numba's threading layers."""
    found = {name: children.ask("threads", name, count, solves, NUMBA_THREADING_LAYER=name) for name in layers}
    return {"threads": count, "solves": solves, "layers": found}


def _solution(energy: Any, backend: str | Any, tol: float) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # recorded instead
        return pdhg(energy, backend=backend, tol=tol)


def _solve_energy(energy: Any, backend: str | Any, tol: float) -> Facts:
    s = _solution(energy, backend, tol)
    answer = s.labels if s.p.shape[1] > 1 else s.mask
    return Facts(
        answer if isinstance(answer, np.ndarray) else answer.get(), s.iterations, s.energy, s.primal, s.dual,
        s.relative_gap, s.converged, s.history,
    )  # fmt: skip


def _solve(family: Callable[..., Any], case: Case, backend: str, tv: str, tol: float) -> Facts:
    """The timed call: from the cost array to the mask, making the energy and certifying the gap included."""
    return _solve_energy(family(case.cost, case.alpha, tv=tv), backend, tol)


def _ours(facts: Facts) -> dict[str, Any]:
    return {"iterations": facts.iterations, "gap": facts.gap, "converged": facts.converged}


def _booked(case: Case, backend: str, tv: str, tol: float, *, check: bool) -> dict[str, Any]:
    """Bytes and shares of a solve, from one that is booked and not timed; and its gap by the specification."""
    ledger = Ledger(backend)
    rest()
    begin = time.perf_counter()
    solution = _solution(TwoPhase(case.cost, case.alpha, tv=tv), ledger.backend, tol)
    shares = ledger.shares(case.pixels, time.perf_counter() - begin)
    found = {"bytes": BYTES * ledger.pixel_iterations, "shares": shares}
    if check:
        specification = get_backend("numpy")
        problem = TwoPhase(case.cost, case.alpha, tv=tv).problem(specification)
        u, p = (ledger.backend.to_numpy(a) for a in (solution.u, solution.p))
        primal, dual = specification.values(problem, u[None], p / np.float32(problem.cost_unit))
        found["true_gap"] = (primal - dual) / max(abs(primal), abs(dual))
    return found


def _mask(of_this: Timed) -> Any:
    return of_this.answer.mask if isinstance(of_this.answer, Facts) else of_this.answer


def _above(mask: np.ndarray, energies: dict[str, Any], bounds: dict[str, float]) -> dict[str, float]:
    """Excess of a mask's energies over their lower bounds, as shares of these."""
    backend = get_backend("numba")
    values = {tv: energy.value(backend, mask.astype(np.int64)) for tv, energy in energies.items()}
    return {tv: (value - bounds[tv]) / abs(bounds[tv]) for tv, value in values.items()}


def _curve(facts: Facts) -> list[tuple[float, float]]:
    size = max(abs(facts.primal), abs(facts.dual))
    return [(seconds, (primal - dual) / size) for _, seconds, primal, dual in facts.history]


def _of_cpu(call: Callable[[], Any], n: int) -> float:
    """CPU seconds a pass of a call that does `n`."""
    begin = time.process_time()
    call()
    return (time.process_time() - begin) / n


def _peer_iteration(peer: Peer, case: Case, clock: Callable[[], float], n: int = 20) -> float:
    """Median seconds between two iterations of a peer."""
    times: list[float] = []

    def watch(done: int, u: Callable[[], np.ndarray]) -> bool:
        times.append(clock())
        return done > n

    peer.run(case, watch)
    return float(np.median(np.diff(times)))


def _to_suboptimality(peer: Peer, case: Case, tol: float = 1e-3, limit: float = 60.0) -> dict[str, Any]:
    """Iterations and seconds of a peer until its u is `tol` above our bound, looked at for it, clock stopped."""
    energy = TwoPhase(case.cost, case.alpha)
    bound = _solve_energy(energy, None, 1e-5).dual
    backend = get_backend("numba")
    problem = energy.problem(backend)
    found: dict[str, Any] = {"suboptimality": np.inf}
    begin = time.perf_counter()
    looked = 0.0

    def watch(done: int, u: Callable[[], np.ndarray]) -> bool:
        nonlocal looked
        if done % 20:
            return False
        now = time.perf_counter()
        value = backend.primal_value(problem, np.ascontiguousarray(u(), dtype=np.float32)[None])
        found.update(iterations=done, seconds=now - begin - looked, suboptimality=(value - bound) / abs(bound))
        looked += time.perf_counter() - now
        return found["suboptimality"] <= tol or found["seconds"] > limit

    peer.run(case, watch)
    return found


def _least(good: Callable[[int], bool], most: int) -> int | None:
    """The least n, to 5 %, that is good enough; None if even `most` is not."""
    n = 8
    while not good(n):
        if n >= most:
            return None
        n *= 2
    low = n // 2
    while n - low > max(1, n // 20):
        middle = (n + low) // 2
        low, n = (low, middle) if good(middle) else (middle, n)
    return n
