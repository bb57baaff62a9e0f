"""The solver's figures under the names that airspeed velocity looks for: time_, peakmem_ and track_.

``asv run`` follows them over the project's history; peakmem_ is then the peak of asv's own process, libraries included.
The comparison with other people's programs, in turns within one run, is `benchmarks.solver`.
"""

import numpy as np

from varconvex import Potts, TwoPhase, get_backend, pdhg

from . import problems
from .timing import BYTES, Ledger, collect, iteration, stream

_N = 48
"""Iterations that are timed together."""


class TwoRegions:
    """The colour-likelihood problem at several sizes, to a gap of 1e-3."""

    params = (256, 1024, 2048)
    param_names = ("side",)

    def setup(self, side: int) -> None:
        """Make the problem, and compile."""
        self.case = problems.segmentation(side)
        self.iterate = iteration(TwoPhase(self.case.cost, self.case.alpha), get_backend("numba"), _N)
        self.iterate()

    def _solve(self, backend: object = None, tol: float = 1e-3) -> float:
        return pdhg(TwoPhase(self.case.cost, self.case.alpha), backend=backend, tol=tol).relative_gap

    def time_solve(self, side: int) -> None:
        """To 1e-3."""
        self._solve()

    def time_solve_finely(self, side: int) -> None:
        """To 1e-4."""
        self._solve(tol=1e-4)

    def time_iterations(self, side: int) -> None:
        """48 iterations."""
        self.iterate()

    def peakmem_solve(self, side: int) -> None:
        """To 1e-3."""
        self._solve()

    def track_bytes(self, side: int) -> float:
        """Moved by a pass in place for every iteration, all grids."""
        ledger = Ledger("numba")
        self._solve(ledger.backend)
        return BYTES * ledger.pixel_iterations

    track_bytes.unit = "bytes"  # type: ignore[attr-defined]

    def track_share_of_stream(self, side: int) -> float:
        """Of the in-place stream's bandwidth."""
        found = collect({"iteration": self.iterate, "stream": stream(side, _N)}, 5)
        return BYTES * self.case.pixels / float(np.median(found["iteration"]) * np.median(found["stream"]))

    track_share_of_stream.unit = "share"  # type: ignore[attr-defined]


class FiveLabels:
    """Five labels, to a gap of 1e-3."""

    params = (512,)
    param_names = ("side",)

    def setup(self, side: int) -> None:
        """Make the problem, and compile."""
        case = problems.labels(side)
        self.solve = lambda: pdhg(Potts(case.cost, case.alpha))
        pdhg(Potts(case.cost[:, :64, :64], case.alpha))

    def time_solve(self, side: int) -> None:
        """To 1e-3."""
        self.solve()

    def track_integrality_gap(self, side: int) -> float:
        """How far the labelling lies above the bound."""
        solution = self.solve()
        return (solution.energy - solution.dual) / abs(solution.dual)

    track_integrality_gap.unit = "share"  # type: ignore[attr-defined]


class Denoising:
    """Rudin, Osher and Fatemi's problem."""

    params = (512,)
    param_names = ("side",)

    def setup(self, side: int) -> None:
        """Make the problem, and compile."""
        self.noisy = problems.denoising(side)
        self.time_solve(side)

    def time_solve(self, side: int) -> None:
        """To 1e-4 of the energy without its constant."""
        pdhg(TwoPhase(np.zeros_like(self.noisy), 0.1, quadratic_weight=1.0, target=self.noisy), tol=1e-4)
