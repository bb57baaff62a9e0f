"""What an energy answers, so that a solver can minimise it without knowing what it means.

    min over u in C   F(u) + sum_x radius(x) |grad u(x)|

An energy holds its numbers as the user gave them and writes itself down, for a backend, as a `Problem` problem. A new
energy is one new file in this folder. Solvers never see an image; energies never see a scribble.
"""

from typing import Any, Protocol

from ..backends import ArrayBackend, Problem


class Energy(Protocol):
    """An energy over u : (L, *spatial), L labels (1 for two regions)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of u."""

    @property
    def alpha(self) -> float:
        """Weight of the total variation, in the unit of the cost per unit length."""

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between neighbouring pixels along each spatial axis."""

    def problem(self, backend: ArrayBackend) -> Problem:
        """The energy in the arrays of `backend`, float32."""

    def start(self, backend: ArrayBackend, problem: Problem) -> Any:
        """A feasible u to start from, (L, *spatial) float32."""

    def value(self, backend: ArrayBackend, index: Any) -> float:
        """The energy of an answer: a label image (index of each pixel's label), or an image where u is one."""

    def round(self, backend: ArrayBackend, problem: Problem, u: Any) -> tuple[Any, float]:
        """A binary u no worse than its neighbours, or u if it is an image, and its energy; u may lie anywhere in C."""

    def recall(self, u: Any) -> Any:
        """What `present` made this u of; its grid may be half as large."""

    def present(self, u: Any) -> Any:
        """u in the shape that the user's cost has."""
