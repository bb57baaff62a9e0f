"""Solvers of other projects on the same costs, whichever are installed; and how their energies differ.

A graph cut's boundary is a sum over pairs of neighbours, alpha * w * |u_i - u_j|: with 4 neighbours and w = 1 that is
anisotropic total variation, solved exactly; with 8 and 16 neighbours and w = angle / (2 length) (Boykov, Kolmogorov
2003, doi:10.1109/ICCV.2003.1238310) it comes nearer to Euclid's length, again solved exactly. Each is a further energy,
so that a mask is judged by all of them. Programs that look at the image instead of the cost are told so in `differs`.
"""

import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from math import atan2, hypot, pi
from typing import Any

import numpy as np
from scipy.sparse import SparseEfficiencyWarning

from .problems import Case

Watch = Callable[[int, Callable[[], np.ndarray]], bool]
"""Told the number of iterations done and how to get u; True stops."""


@dataclass(frozen=True)
class Peer:
    """A solver of another project.

    Attributes
    ----------
    name : str
        What ``--peers`` calls it.
    module, extra : str
        What it imports, and the extra of this project that installs it.
    run : callable
        Case -> label image (two regions: bool mask). Iterative peers: (case, watch) -> nothing.
    differs : str
        How the energy it minimises differs from ours.
    largest : int
        Side from which on it takes too long, or too much memory, to be measured.
    """

    name: str
    module: str
    run: Callable[..., Any]
    differs: str
    largest: int = 1024
    extra: str = "bench"

    def why_missing(self) -> str | None:
        """The reason why it cannot run here, with the remedy, or None."""
        # PyLops takes CuPy on board where it finds it, and then fails without a GPU's libraries.
        os.environ.setdefault("CUPY_PYLOPS", "0")
        try:
            import_module(self.module)
        except ImportError as error:
            return f"{self.name} left out ({str(error).splitlines()[0]}): pip install '.[{self.extra}]' brings it"
        return None


_FOUR = ((0, 1), (1, 0))
_EIGHT = (*_FOUR, (1, 1), (1, -1))
_SIXTEEN = (*_EIGHT, (1, 2), (2, 1), (2, -1), (1, -2))


def edge_weights(directions: tuple[tuple[int, int], ...]) -> dict[tuple[int, int], float]:
    """Weight of each direction's pairs, so that their sum is near to Euclid's length: half the angle to both sides."""
    angles = {d: atan2(*d) % pi for d in directions}
    ordered = sorted(directions, key=angles.__getitem__)
    weights = {}
    for k, d in enumerate(ordered):
        before, after = angles[ordered[k - 1]], angles[ordered[(k + 1) % len(ordered)]]
        between = (after - before) % pi or pi
        weights[d] = between / 2 / (2 * hypot(*d))
    return weights


def maxflow(cost: np.ndarray, weights: dict[tuple[int, int], float]) -> np.ndarray:
    """The mask of least <cost, mask> + sum of weights over the pairs that differ, by maximum flow."""
    from maxflow import GraphFloat

    graph = GraphFloat(cost.size, len(weights) * cost.size)
    nodes = graph.add_grid_nodes(cost.shape)
    for (down, right), weight in weights.items():
        structure = np.zeros((5, 5))
        structure[2 + down, 2 + right] = weight
        graph.add_grid_edges(nodes, 1.0, structure=structure, symmetric=True)
    graph.add_grid_tedges(nodes, np.maximum(cost, 0), np.maximum(-cost, 0))
    graph.maxflow()
    # The sink's side is cut from the source and pays its arcs, cost where that is positive: it is the object.
    return graph.get_grid_segments(nodes)


def cut_length(mask: np.ndarray, weights: dict[tuple[int, int], float]) -> float:
    """Sum of the weights over the pairs of neighbours that differ."""
    total = 0.0
    height, width = mask.shape
    for (down, right), weight in weights.items():
        near = mask[: height - down, max(-right, 0) : width - max(right, 0)]
        far = mask[down:, max(right, 0) : width + min(right, 0)]
        total += weight * int(np.count_nonzero(near != far))
    return total


def neighbourhood(count: int, alpha: float) -> dict[tuple[int, int], float]:
    """Weights of 4 neighbours (anisotropic total variation), or of 8 or 16 (near to Euclid's)."""
    if count == 4:
        return dict.fromkeys(_FOUR, alpha)
    return {d: alpha * w for d, w in edge_weights(_EIGHT if count == 8 else _SIXTEEN).items()}


def _cut(count: int) -> Callable[[Case], np.ndarray]:
    return lambda case: maxflow(case.cost, neighbourhood(count, case.alpha))


def _grabcut(case: Case) -> np.ndarray:
    import cv2

    seeds = np.array([cv2.GC_PR_BGD, cv2.GC_BGD, cv2.GC_FGD], np.uint8)[case.strokes]
    seeds[(case.strokes == 0) & (case.cost < 0)] = cv2.GC_PR_FGD
    cv2.setRNGSeed(0)
    cv2.grabCut(case.image[..., ::-1].copy(), seeds, None, np.zeros((1, 65)), np.zeros((1, 65)), 5)
    return (seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)


def _chan_vese(case: Case) -> np.ndarray:
    from skimage.segmentation import chan_vese

    likely = 1 / (1 + np.exp(np.clip(case.cost.astype(np.float64), -30, 30)))
    found = chan_vese(likely, mu=0.25, max_num_iter=200)
    return found if likely[found].mean() >= likely[~found].mean() else ~found


def _random_walker(case: Case) -> np.ndarray:
    from skimage.segmentation import random_walker

    mode = "cg_mg" if find_spec("pyamg") else "cg_j"  # what scikit-image recommends, or else needs nothing more
    data = case.cost.astype(np.float64)
    # Its solver stops early enough for probabilities that leave [0, 1] by a little, of which it would warn.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SparseEfficiencyWarning)  # SciPy before 1.13, of how it builds its system
        return random_walker(data, case.strokes.astype(np.int64), beta=130, mode=mode, tol=1e-3, prob_tol=1) == 2


def _pyproximal(case: Case, watch: Watch) -> None:
    from pylops import Gradient
    from pyproximal import L21, Box
    from pyproximal.optimization.primaldual import PrimalDual

    shape, done = case.cost.shape, 0
    step = 1 / np.sqrt(8)
    ratio = 0.5 * case.alpha

    def after(u: np.ndarray) -> None:
        nonlocal done
        done += 1
        if watch(done, lambda: u.reshape(shape)):
            raise _Enough

    gradient = Gradient(shape, kind="forward", dtype="float32")
    start = (case.cost.ravel() < 0).astype(np.float32)
    try:
        PrimalDual(
            Box(0, 1), L21(ndim=2, sigma=case.alpha), gradient, start, step / ratio, step * ratio,
            z=case.cost.ravel(), niter=100_000, gfirst=False, callback=after,
        )  # fmt: skip
    except _Enough:
        return


def _odl(case: Case, watch: Watch) -> None:
    import odl

    height, width = case.cost.shape
    space = odl.uniform_discr([0, 0], [height, width], (height, width), dtype="float32")
    gradient = odl.Gradient(space, method="forward", pad_mode="symmetric")
    box = odl.functionals.IndicatorBox(space, 0, 1)
    data = odl.functionals.FunctionalQuadraticPerturb(box, linear_term=space.element(case.cost))
    length = case.alpha * odl.functionals.GroupL1Norm(gradient.range, exponent=2)
    step, ratio, done = 1 / np.sqrt(8), 0.5 * case.alpha, 0

    def after(u: Any) -> None:
        nonlocal done
        done += 1
        if watch(done, lambda: u.data):
            raise _Enough

    try:
        odl.solvers.pdhg(
            space.element((case.cost < 0).astype(np.float32)), data, length, gradient,
            niter=100_000, tau=step / ratio, sigma=step * ratio, callback=after,
        )  # fmt: skip
    except _Enough:
        return


class _Enough(Exception):
    """Leaves a loop that has no other way out."""


def _alpha_expansion(case: Case) -> np.ndarray:
    import gco

    scale = 1000  # its energies are integers
    n_labels, height, width = case.cost.shape
    return gco.cut_grid_graph(
        np.ascontiguousarray(np.moveaxis(np.rint(scale * case.cost).astype(np.int32), 0, -1)),
        (1 - np.eye(n_labels)).astype(np.int32),
        np.full((height - 1, width), round(scale * case.alpha), np.int32),
        np.full((height, width - 1), round(scale * case.alpha), np.int32),
    ).reshape(height, width)


def tv_chambolle(noisy: np.ndarray, weight: float, n: int) -> np.ndarray:
    """`n` iterations of scikit-image's, never stopped early."""
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(noisy, weight=weight, eps=0, max_num_iter=n)


MASKS = (
    Peer("maxflow4", "maxflow", _cut(4), "anisotropic length, exact", 4096),
    Peer("maxflow8", "maxflow", _cut(8), "length over 8 neighbours, exact", 2048),
    Peer("maxflow16", "maxflow", _cut(16), "length over 16 neighbours, exact", 1024),
    Peer("grabcut", "cv2", _grabcut, "learns its own colours from image and strokes, edge weights, 5 rounds", 1024),
    Peer("chan_vese", "skimage", _chan_vese, "two mean values of exp(-cost) / (1 + exp(-cost)), 200 iterations", 512),
    Peer("random_walker", "skimage", _random_walker, "diffusion from the strokes over the cost, no length", 1024),
)
ITERATIVE = (
    Peer("pyproximal", "pyproximal", _pyproximal, "the same energy and iteration, not over-relaxed", 512),
    Peer("odl", "odl", _odl, "the same energy and iteration, not over-relaxed", 512, "bench-odl"),
)
EXPANSION = Peer("gco", "gco", _alpha_expansion, "anisotropic Potts energy, local minimum, no bound", 1024)
CHAMBOLLE = Peer("chambolle", "skimage", tv_chambolle, "the same energy, Chambolle's projection of 2004")
ALL = (*MASKS, *ITERATIVE, EXPANSION, CHAMBOLLE)


def installed(names: Iterable[str]) -> tuple[list[Peer], list[str]]:
    """The peers of these names that can run, and a line about each that cannot."""
    wanted = [p for p in ALL if p.name in set(names)]
    reasons = {p.name: p.why_missing() for p in wanted}
    return [p for p in wanted if reasons[p.name] is None], [r for r in reasons.values() if r is not None]
