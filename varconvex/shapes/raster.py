"""The pixels of {G <= 0} for a convex network G, with G evaluated at few of them.

G is convex. So a block of pixels lies inside {G <= 0} if its corners do, and outside if at one of them

    G(c) + min over the block of <grad G(c), x - c>  >  0,

because a convex function is nowhere below its tangents. G is evaluated pixel by pixel in the other blocks, a thin band.
"""

import itertools

import numpy as np

from ..backends import ArrayBackend, get_backend
from ..geometry.raster import grid_points
from .icnn import ICNN


def rasterize(network: ICNN, shape: tuple[int, ...], block: int = 0, backend: ArrayBackend | None = None) -> np.ndarray:
    """{G <= 0} at the integer points of a grid of `shape`, equal to evaluating G at every pixel: bool.

    `block` is the side of a block, 0 for one that suits the size of the grid; it changes the time only. `backend`
    evaluates G, NumPy by default; `network` is in its arrays.
    """
    dim = len(shape)
    backend = backend or get_backend("numpy")
    block = block or (4 if dim == 3 else 8 if np.prod(shape) <= 1024**2 else 16)
    blocks = tuple(-(-size // block) for size in shape)
    corners = block * grid_points(tuple(n + 1 for n in blocks))
    g, slope = map(backend.to_numpy, backend.network_slope(network, backend.asarray(corners, network.dtype)))
    g = g.reshape([n + 1 for n in blocks])
    slope = slope.reshape(*g.shape, dim)

    inside = np.ones(blocks, bool)
    possible = np.ones(blocks, bool)
    for side in itertools.product((0, 1), repeat=dim):
        at = tuple(slice(s, n + s) for s, n in zip(side, blocks, strict=True))
        inside &= g[at] <= 0
        # Seen from this corner, the block lies towards smaller rows if it is a lower one, and so on.
        away = slope[at] * (1 - 2 * np.array(side))
        possible &= g[at] + block * np.minimum(away, 0).sum(axis=-1) <= 0
    mask = np.zeros((*blocks, *(block,) * dim), bool)
    mask[:] = inside.reshape(*blocks, *(1,) * dim)
    where = np.nonzero(possible & ~inside)
    points = block * np.stack(where, axis=-1)[:, None] + grid_points((block,) * dim)
    near = backend.network_value(network, backend.asarray(points.reshape(-1, dim), network.dtype))
    mask[where] = backend.to_numpy(near).reshape(-1, *(block,) * dim) <= 0
    paired = mask.transpose([i for k in range(dim) for i in (k, dim + k)])
    padded = paired.reshape([n * block for n in blocks])
    return np.ascontiguousarray(padded[tuple(slice(size) for size in shape)])
