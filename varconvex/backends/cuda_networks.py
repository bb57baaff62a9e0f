"""A convex network on the device: that of `base.py` in the kernels of `network.cu`, launched and not waited for.

A step of Adam takes two launches: each block's share of the gradient; and their sum, with the step. Their arguments are
one struct in the device's memory, so that steps that were recorded in a CUDA graph are replayed with other points. A
kernel whose argument it is writes it there: a copy from the host would wait for all that was launched before. No GPU
has run these kernels yet; the tests run them on the host.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from .base import STEEPEST, Array, ArrayBackend

_POINTS, _THREADS, _SHARED = 32, 256, 48 * 1024
"""Points of a block, as in network.cu; its threads; bytes of shared memory it has by default."""

_FEWEST_BLOCKS, _MOST_SHARES, _MOST_PLANS = 64, 2**26, 8
"""Least blocks of a recorded step; most numbers that all blocks may write together; most architectures in the cache."""

_KINDS = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}

_ADDRESSES = ("x", "cost", "theta", "m", "v", "g", "slope", "shares", "sum", "widths", "nonnegative")
_NUMBERS = ("sharpness", "steepest", "rate", "beta1", "beta2")
_COUNTS = ("points", "dim", "layers", "parameters", "t")


class Training(ctypes.Structure):
    """`Training` of network.cu."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in _ADDRESSES),
        *((name, ctypes.c_double) for name in _NUMBERS),
        *((name, ctypes.c_int) for name in _COUNTS),
    )


class Graphs:
    """CUDA graphs: launches that are repeated at the same addresses are recorded once, by a key, and then replayed."""

    def __init__(self, xp: Any) -> None:
        self._xp = xp
        self._recorded: dict[Any, Any] = {}

    def play(self, key: Any, launch: Callable[[], None]) -> None:
        """Launch; the second launch with a key is recorded in a CUDA graph, later ones replay it."""
        if key not in self._recorded:
            self._recorded[key] = None
            launch()
            return
        if self._recorded[key] is None:
            with self._xp.cuda.Stream(non_blocking=True) as stream:
                stream.begin_capture()
                launch()
                self._recorded[key] = stream.end_capture()
        self._recorded[key].launch()


class CudaNetworks(ArrayBackend):
    """Networks whose activations of a few points fit into shared memory; others as the specification has them."""

    _kernel: Any

    def __init__(self) -> None:
        self._plans: dict[Any, _Plan] = {}

    def network_value(self, network: Any, points: Array) -> Array:
        """As in the specification, in one launch."""
        if not _fits(network, points):
            return super().network_value(network, points)
        g = self.xp.empty(len(points), network.dtype)
        self._evaluate(network, points, g=g)
        return g

    def network_slope(self, network: Any, points: Array) -> tuple[Array, Array]:
        """As in the specification, in one launch."""
        if not _fits(network, points):
            return super().network_slope(network, points)
        g, slope = self.xp.empty(len(points), network.dtype), self.xp.empty_like(points)
        self._evaluate(network, points, g=g, slope=slope)
        return g, slope

    def network_loss(self, network: Any, points: Array, cost: Array, sharpness: float) -> tuple[Array, Array]:
        """As in the specification, in two launches."""
        if not (_fits(network, points, cost) and _few(network, points)):
            return super().network_loss(network, points, cost, sharpness)
        plan = self._plan(network)
        found = self.xp.empty(plan.parameters + 1, network.dtype)
        self._write(plan, network, x=points, cost=cost, sum=found, sharpness=sharpness)
        self._launch(plan, "gradient", plan.blocks)
        self._launch(plan, "sum", -(-found.size // _THREADS))
        return found[-1], found[:-1]

    def network_descend(
        self, network: Any, adam: Any, points: Array, cost: Array, *, n: int, rate: float, sharpness: float
    ) -> None:
        """As in the specification, in two launches a step; from the second time on they are replayed together."""
        if not (_fits(network, points, cost) and _few(network, points) and adam.m.dtype == network.dtype):
            super().network_descend(network, adam, points, cost, n=n, rate=rate, sharpness=sharpness)
            return
        plan = self._plan(network)
        betas = {"beta1": adam.beta1, "beta2": adam.beta2, "t": adam.t}
        self._write(plan, network, x=points, cost=cost, m=adam.m, v=adam.v, sharpness=sharpness, rate=rate, **betas)

        def launch() -> None:
            for k in range(n):
                self._launch(plan, "gradient", plan.blocks)
                self._launch(plan, "step", -(-plan.parameters // _THREADS), np.int32(k))

        plan.graphs.play((n, plan.blocks), launch)
        adam.t += n

    def _evaluate(self, network: Any, points: Array, **out: Array) -> None:
        if len(points):
            plan = self._plan(network)
            self._write(plan, network, x=points, **out)
            self._launch(plan, "values", -(-len(points) // _POINTS))

    def _write(self, plan: "_Plan", network: Any, **what: Any) -> None:
        self._kernel("network_tell")((1,), (1,), (plan.packed(network, **what), plan.training))

    def _launch(self, plan: "_Plan", name: str, blocks: int, *args: Any) -> None:
        shared = plan.shared if name in ("values", "gradient") else 0
        kernel = self._kernel(f"network_{name}_{plan.kind}")
        kernel((blocks,), (_THREADS,), (plan.training, *args), shared_mem=shared)

    def _plan(self, network: Any) -> "_Plan":
        key = (network.dim, network.hidden, network.dtype)
        if key not in self._plans:
            if len(self._plans) == _MOST_PLANS:
                self._plans.clear()
            self._plans[key] = _Plan(self.xp, network)
        return self._plans[key]


class _Plan:
    """Buffers for launches on networks of one architecture, at addresses that stay."""

    def __init__(self, xp: Any, network: Any) -> None:
        self._xp, self.graphs = xp, Graphs(xp)
        self.kind, self.shared = _KINDS[network.dtype], _shared(network)
        self.parameters, self.blocks = len(network.nonnegative), 0
        self._widths = xp.asarray(np.array([*network.hidden, 1], np.int32))
        self._nonnegative = xp.asarray(network.nonnegative.astype(np.uint8))
        self._shares = xp.empty(0, network.dtype)
        self.training = xp.asarray(np.zeros(ctypes.sizeof(Training), np.uint8))

    def packed(self, network: Any, *, x: Array, **rest: Any) -> np.ndarray:
        """`Training` as a struct: arrays by their addresses, numbers by value, everything else 0."""
        blocks = -(-len(x) // _POINTS)
        if "cost" in rest and blocks > self.blocks:
            # Batches of other sizes are then replayed, too: surplus blocks end at once.
            self.blocks = max(_FEWEST_BLOCKS, 2 * self.blocks, blocks)
            self._shares = self._xp.empty(self.blocks * (self.parameters + 1), network.dtype)
        known = {"x": x, "theta": network.theta, "shares": self._shares, **rest}
        known |= {"widths": self._widths, "nonnegative": self._nonnegative}
        addresses = {name: known.pop(name).data.ptr for name in _ADDRESSES if name in known}
        counts = {"points": len(x), "dim": network.dim, "layers": len(network.b), "parameters": self.parameters}
        return np.frombuffer(bytes(Training(steepest=STEEPEST, **addresses, **known, **counts)), Training)


def _fits(network: Any, *arrays: Array) -> bool:
    """Whether the kernels can take it: activations fit into shared memory, arrays are contiguous."""
    alike = all(array.dtype == network.dtype and bool(array.flags.c_contiguous) for array in arrays)
    return alike and network.dtype in _KINDS and _shared(network) <= _SHARED and arrays[0].size < 2**31


def _few(network: Any, points: Array) -> bool:
    """Whether each block's share of the gradient fits into memory."""
    return -(-len(points) // _POINTS) * (len(network.nonnegative) + 1) <= _MOST_SHARES


def _shared(network: Any) -> int:
    """Bytes of shared memory of a block: coordinates, slopes and activations, one row for each unit."""
    return network.dtype.itemsize * (_POINTS + 1) * (2 * network.dim + sum(network.hidden) + 1)
