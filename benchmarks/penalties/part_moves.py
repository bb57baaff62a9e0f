"""An object as the union of k parts that may overlap, each nearly convex, one part recut at a time by a graph cut.

    min over parts P_1 ... P_k   sum over x in their union of (1 - 2 target) + alpha times the lengths of the parts

A move takes all parts but one as they are. Their pixels cost the last one nothing, and it is cut anew: a minimum cut,
whose part is star-shaped about each of its centres, a few pixels that it holds (an edge without limit from each pixel
to the next one towards the centre). A set is convex if it is star-shaped about every pixel of it; m centres on a ring
within it come close. The centres of a new part are chosen from it, and cut again, while the energy falls.

H. Isack, L. Gorelick, K. Ng, O. Veksler, Y. Boykov, "K-convexity shape priors for segmentation", ECCV 2018,
doi:10.1007/978-3-030-01252-6_3; star-shaped cuts: O. Veksler, "Star shape prior for graph-cut image segmentation",
ECCV 2008. The essence of it: one object; moves of whole parts; convexity by stars about several centres instead of
trust regions for triples; parts begin as pieces of the start. Minimum cuts by PyMaxflow (extra bench), and images only.
"""

import numpy as np

from varconvex.shapes.base import Callback

from .rival import LocalSearch

__all__ = ["PartMovesShape"]

_ENDLESS = 1e9


class PartMovesShape(LocalSearch):
    """A union of k parts that are star-shaped about several centres each, by moves of graph cuts. Images only.

    Promised: `inside` and `outside` are held, and the same input gives the same mask. Not promised: that the mask, for
    k = 1, is convex; the certificate may refute it.

    Parameters
    ----------
    k : int
        Number of parts.
    centres : int
        Of each part: its middle and a ring around it. 1 is star-shaped; more are closer to convex, and slower.
    alpha : float
        Weight of a part's length, in a 4-neighbourhood; bigger is smoother.
    rounds : int
        Most moves of each part.

    Examples
    --------
    >>> target = np.zeros((40, 60))
    >>> target[10:30, 10:50] = 1
    >>> PartMovesShape().fit(target).mask[20, 30]
    np.True_
    """

    def __init__(self, k: int = 1, centres: int = 9, alpha: float = 0.1, rounds: int = 5):
        self.k, self.centres, self.alpha, self.rounds = k, centres, alpha, rounds

    def improved(
        self, start: np.ndarray, cost: np.ndarray, inside: np.ndarray, outside: np.ndarray, rng: np.random.Generator,
        callback: Callback,
    ) -> tuple[np.ndarray, float]:  # fmt: skip
        cost[outside], cost[inside] = cost.size, -cost.size
        parts = pieces(start, self.k, rng)
        value = energy(parts, cost, self.alpha)
        for _ in range(self.rounds):
            before = value
            for j in range(self.k):
                others = np.any([p for i, p in enumerate(parts) if i != j] or [np.zeros_like(start)], axis=0)
                part = star_cut(np.where(others, 0.0, cost), centres_of(parts[j], self.centres), self.alpha)
                moved = [part if i == j else p for i, p in enumerate(parts)]
                if energy(moved, cost, self.alpha) < value:
                    parts, value = moved, energy(moved, cost, self.alpha)
                    if callback is not None:
                        callback(np.any(parts, axis=0))
            if value >= before:
                break
        return np.any(parts, axis=0), 0.0


def energy(parts: list[np.ndarray], cost: np.ndarray, alpha: float) -> float:
    """Cost of the union, and alpha times the edges between neighbours that parts cut, image borders not counted."""
    edges = sum(np.count_nonzero(np.diff(part, axis=axis)) for part in parts for axis in (0, 1))
    return float(cost[np.any(parts, axis=0)].sum()) + alpha * edges


def star_cut(cost: np.ndarray, centres: np.ndarray, alpha: float) -> np.ndarray:
    """The set of least energy that holds all centres and is star-shaped about each, along `towards`: (H, W) bool."""
    import maxflow

    price = cost.copy()
    price[tuple(centres.T)] = -_ENDLESS
    graph = maxflow.Graph[float](price.size, 2 * price.size * (2 + len(centres)))
    nodes = graph.add_grid_nodes(price.shape)
    graph.add_grid_edges(nodes, alpha)
    # A node on the side of the source is in the set: being out costs the first capacity, being in the second.
    graph.add_grid_tedges(nodes, np.maximum(-price, 0), np.maximum(price, 0))
    endless, none = np.full(price.size - 1, _ENDLESS), np.zeros(price.size - 1)
    for centre in centres:
        nearer = towards(price.shape, centre)
        others = np.flatnonzero(nearer != np.arange(price.size))
        graph.add_edges(others, nearer[others], endless, none)
    graph.maxflow()
    return np.asarray(~graph.get_grid_segments(nodes))


def towards(shape: tuple[int, ...], centre: np.ndarray) -> np.ndarray:
    """The flat index of each pixel's next one towards the centre, of itself for the centre: (H * W,) int.

    The next one is a neighbour, at the rounded place on the straight line one row or column nearer.
    """
    offset = np.indices(shape).reshape(2, -1).T - centre
    far = np.maximum(np.abs(offset).max(axis=1, keepdims=True), 1)
    nearer = np.sign(offset) * ((2 * np.abs(offset) * (far - 1) + far) // (2 * far))
    return np.asarray(np.ravel_multi_index(tuple((nearer + centre).T), shape))


def centres_of(part: np.ndarray, count: int) -> np.ndarray:
    """The innermost pixel, and pixels of a ring around it, four fifths of the way to where rays leave: (n, 2) int."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1]
    middle = np.array(np.unravel_index(depth.argmax(), part.shape))
    found, reach = [middle], np.arange(max(part.shape) + 1)
    for angle in 2 * np.pi * np.arange(count - 1) / max(count - 1, 1):
        ray = np.rint(middle + np.outer(reach, [np.sin(angle), np.cos(angle)])).astype(int)
        ray = ray[((ray >= 0) & (ray < part.shape)).all(axis=1)]
        left = np.append(np.flatnonzero(~part[tuple(ray.T)]), len(ray))[0]
        found.append(ray[int(0.8 * (left - 1))])
    return np.unique(found, axis=0)


def pieces(mask: np.ndarray, k: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The mask in k pieces, each of the pixels nearest to one of k means."""
    from sklearn.cluster import KMeans

    where = np.argwhere(mask)
    count = min(k, len(where))
    index = np.full(mask.shape, -1)
    index[mask] = KMeans(count, n_init=1, random_state=int(rng.integers(2**31))).fit_predict(where)
    return [index == j % count for j in range(k)]
