"""The mean of an iteration's states, which is nearer to the optimum than any of them where the iteration swings.

Where costs leave most of an image undecided, u and p swing around the optimum for thousands of iterations. The mean of
many of them does not, and from there the iteration begins anew (Applegate et al. 2021, arXiv:2106.04756). Both sets of
feasible u and p are convex, so that the mean is feasible too, and its values are a true gap.
"""

from typing import Any


class Mean:
    """The running mean of pairs (u, p).

    Parameters
    ----------
    u, p : array
        The first pair, of which copies are made.
    begun : int
        The iteration of the first pair.
    """

    def __init__(self, u: Any, p: Any, begun: int) -> None:
        self._u, self._p, self._count, self.begun = u.copy(), p.copy(), 1, begun

    def add(self, u: Any, p: Any) -> None:
        """Take one more pair into account."""
        self._u += u
        self._p += p
        self._count += 1

    def pair(self) -> tuple[Any, Any]:
        """The mean u and the mean p."""
        share = self._u.dtype.type(1 / self._count)
        return self._u * share, self._p * share
