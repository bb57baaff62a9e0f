"""Operations on a convex network G: values, slopes, and steps of Adam on given points; the specification.

    L(theta) = 1/(s n) sum_i cost_i sigma(-s G(x_i)),        dL/dG(x_i) = -1/n cost_i u_i (1 - u_i),   u = sigma(-s G)

L is <cost, sigma(-s G)> over s n, which does not change Adam's steps. A network is an `ICNN` whose `xp` is the
backend's; points and costs are the backend's arrays of the network's dtype.
"""

from typing import Any

Array = Any

_CHUNK = 2048
"""Points at a time, so that their activations stay in the cache."""

STEEPEST = 20.0
"""|s G| is clipped to this. At 60, denormal numbers slow the products down several times."""


class Networks:
    """The specification. Subclasses set `xp` and override what they make faster."""

    xp: Any

    def network_value(self, network: Any, points: Array) -> Array:
        """G at `points`: (n, d) -> (n,)."""
        return network(points)

    def network_slope(self, network: Any, points: Array) -> tuple[Array, Array]:
        """G and its gradient at `points`: (n,) and (n, d)."""
        return network.value_and_slope(points)

    def network_loss(self, network: Any, points: Array, cost: Array, sharpness: float) -> tuple[Array, Array]:
        """L, a number on the device, and its gradient (P,)."""
        loss, gradient = 0, 0
        for x, c in zip(_pieces(points), _pieces(cost), strict=True):
            u, z = self._share(network, x, sharpness)
            loss = loss + (c * u).sum()
            gradient = gradient + network.backward(x, z, c * u * (u - 1))[0]
        return loss / (sharpness * len(points)), gradient / len(points)

    def network_descend(
        self, network: Any, adam: Any, points: Array, cost: Array, *, n: int, rate: float, sharpness: float
    ) -> None:
        """`n` steps of Adam on L, each `rate` long in every parameter; network and `adam` are changed in place."""
        for _ in range(n):
            gradient = self.network_loss(network, points, cost, sharpness)[1]
            network.unpack(network.pack() - rate * adam.step(gradient))

    def _share(self, network: Any, x: Array, sharpness: float) -> tuple[Array, list[Array]]:
        """sigma(-s G), and the activations."""
        g, z = network.forward(x)
        return 1 / (1 + self.xp.exp(self.xp.clip(sharpness * g, -STEEPEST, STEEPEST))), z


def _pieces(array: Array) -> list[Array]:
    return [array[i : i + _CHUNK] for i in range(0, len(array), _CHUNK)]
