"""An input convex neural network, its value and its derivatives, written by hand.

    z_1     = relu(W0 x + b0)
    z_{i+1} = relu(Wz_i z_i + Wx_i x + b_i),      Wz_i >= 0
    G(x)    =      Wz_k z_k + Wx_k x + b_k,       Wz_k >= 0     (linear: under a ReLU, G would never be negative)

A non-negative combination of convex functions is convex, an affine function may be added, and ReLU is convex
and increasing: so G is convex in x whatever the other weights are, and {G <= 0} is a convex set.

Every operation goes through `xp`, so that arrays of CuPy stay on their device.
"""

from contextlib import suppress
from typing import Any

import numpy as np

from .. import checks
from ..errors import InvalidParameterError
from ..geometry.hulls import extreme_points, half_spaces
from ..geometry.raster import checked_points
from ..keywords import known_keywords

_MOST = 10_000
"""Units of a layer: more are a slip of the pen."""

_CHUNK = 4096
"""Points at a time: their activations stay in the cache, which is two to three times faster."""

LARGEST = 40.0
"""|G| at which sigma(-G) is 0 or 1 to the last digit of float64."""


@known_keywords
class ICNN:
    """Input convex network from R^d to R (Amos, Xu and Kolter, ICML 2017, arXiv:1609.07152).

    All parameters are one vector, which `pack` copies and `unpack` sets; `wz`, `wx` and `b` are views of it. `unpack`
    clamps the weights Wz at zero, as do the steps of the backends, so that G is always convex. Copies and pickles hold
    the parameters in NumPy arrays, wherever they were.

    Parameters
    ----------
    dim, hidden : int, tuple of int
        Dimension d of the points, and the width of each hidden layer: (48,), or (130, 130) as in the paper.
    dtype, xp : float32 or float64, module
        Type of the parameters, and NumPy or CuPy.

    Attributes
    ----------
    nonnegative : (P,) bool
        The entries of the parameter vector that are weights Wz.
    """

    def __init__(self, dim: int, hidden: tuple[int, ...] = (48,), dtype: Any = np.float64, xp: Any = np):
        self.dim = checks.whole_number("dim", dim, least=1, most=_MOST)
        self.hidden = whole_numbers("hidden", hidden, least=1)
        self.dtype, self.xp = _float_type(dtype), xp
        widths = list(zip((*self.hidden, 1), (0, *self.hidden), strict=True))
        sizes = [size for n, m in widths for size in (n * m, n * self.dim, n)]
        ends = np.cumsum(sizes).tolist()
        slots = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        # Wz (of no entries in the first layer), Wx and b of each layer.
        self._slots = list(zip(slots[::3], slots[1::3], slots[2::3], strict=True))
        self.nonnegative = np.repeat(np.arange(len(sizes)) % 3 == 0, sizes)
        self._theta = xp.zeros(ends[-1], self.dtype)
        seen = self._theta[:]
        if xp is np:  # CuPy knows no read-only arrays
            seen.flags.writeable = False
        layers = list(zip(self._slots, widths, strict=True))
        self.wz = [seen[z].reshape(n, m) if m else None for (z, _, _), (n, m) in layers]
        self.wx = [seen[x].reshape(n, self.dim) for (_, x, _), (n, _) in layers]
        self.b = [seen[b] for _, _, b in self._slots]

    @classmethod
    def random(
        cls, dim: int, hidden: tuple[int, ...] = (48,), random_state: Any = None, dtype: Any = np.float64
    ) -> "ICNN":
        """A random network: W ~ N(0, 1 / d), Wz ~ |N(0, 1)| / fan-in, b ~ U(-1, 1)."""
        rng, network = checks.generator(random_state), cls(dim, hidden, dtype)
        theta = rng.uniform(-1, 1, network.nonnegative.size)
        for (z, x, _), weights in zip(network._slots, network.wz, strict=True):
            theta[x] = rng.standard_normal(x.stop - x.start) / np.sqrt(dim)
            if weights is not None:
                theta[z] = np.abs(rng.standard_normal(z.stop - z.start)) / weights.shape[1]
        network.unpack(theta)
        return network

    @classmethod
    def from_half_spaces(
        cls, normals: Any, offsets: Any, margin: float, hidden: tuple[int, ...] | None = None, dtype: Any = np.float64
    ) -> "ICNN":
        """The network whose set is about {x : normals x <= offsets}, in closed form.

        G(x) = sum_k relu(normals_k . x - offsets_k + margin) - margin

        is convex, equals -margin deep inside, and is positive outside of any of the half-spaces. Corners are cut by
        less than `margin`, and a longer step of the parameters may leave the set empty. Normals ((K, d)) point
        outwards; of the widths `hidden` ((K,) by default) the first is at least K, and later layers pass the sum on.
        """
        normals = _numbers("normals", normals, (None, None))
        n_planes, dim = normals.shape
        offsets, margin = _numbers("offsets", offsets, (n_planes,)), checks.real_number("margin", margin, strict=True)
        if hidden is not None and whole_numbers("hidden", hidden, least=1, shortest=1)[0] < n_planes:
            raise InvalidParameterError(f"hidden must begin with at least {n_planes}, the half-spaces; got {hidden!r}.")
        network = cls(dim, (n_planes,) if hidden is None else hidden, dtype)
        layers = network.copied_layers()
        layers[0][1][:n_planes], layers[0][2][:n_planes] = normals, margin - offsets
        for z, _, _ in layers[1:-1]:
            for column in range(z.shape[1]):
                z[column % z.shape[0] :: z.shape[1], column] = 1
            z /= z.sum(axis=0)
        layers[-1][0][...], layers[-1][2][...] = 1, -margin
        network.unpack(_joined(layers))
        return network

    @classmethod
    def from_layers(cls, layers: Any, dtype: Any = np.float64) -> "ICNN":
        """The network with these (Wz, Wx, b), copied, as `layers` lists them; weights Wz below zero are clamped."""
        try:
            dim, hidden = layers[0][1].shape[1], tuple(len(b) for _, _, b in layers[:-1])
            theta = _joined(layers)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise InvalidParameterError(
                f"layers must be (Wz, Wx, b) of each; got {layers!r:.80} ({error}). Pass those of `copied_layers`."
            ) from error
        return _rebuilt(dim, hidden, theta, dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.dim, self.hidden, checks.host(self._theta))

    def layers(self) -> list[tuple[Any, Any, Any]]:
        """(Wz, Wx, b) of every layer from the input to the output; Wz of the first is None."""
        return list(zip(self.wz, self.wx, self.b, strict=True))

    def copied_layers(self) -> list[list[Any]]:
        """[Wz, Wx, b] of every layer, as arrays of their own that may be changed."""
        return [[z if z is None else z.copy(), x.copy(), b.copy()] for z, x, b in self.layers()]

    def to(self, xp: Any) -> "ICNN":
        """A copy with arrays of another module, whose `asarray` takes those of this one."""
        return _rebuilt(self.dim, self.hidden, xp.asarray(self._theta), self.dtype, xp)

    @property
    def theta(self) -> Any:
        """The vector of parameters itself, for backends that change it in place and keep Wz >= 0: (P,)."""
        return self._theta

    def pack(self) -> Any:
        """All parameters in one vector, a copy: (P,)."""
        return self._theta.copy()

    def unpack(self, theta: Any) -> None:
        """Set all parameters from one vector, the weights Wz clamped at zero; `theta` is not changed."""
        theta = checks.as_numeric("theta", theta)
        if theta.shape != self._theta.shape:
            raise InvalidParameterError(
                f"theta must hold the {self._theta.size} parameters; got shape {theta.shape}. Pass what `pack` returns."
            )
        self._theta[...] = theta
        for z, _, _ in self._slots[1:]:
            self.xp.maximum(self._theta[z], 0, out=self._theta[z])

    def forward(self, x: Any) -> tuple[Any, list[Any]]:
        """G at the points `x` ((n, d)), and the activations [z_1, ..., z_k] that `backward` asks for."""
        z: list[Any] = []
        for wz, wx, b in self.layers():
            a = x @ wx.T
            a += b
            if wz is not None:
                a += z[-1] @ wz.T
            z.append(a)
            if len(z) <= len(self.hidden):
                self.xp.maximum(a, 0, out=a)
        return z.pop()[:, 0], z

    def backward(self, x: Any, z: list[Any], dg: Any) -> tuple[Any, Any]:
        """Gradients of sum_n dg_n G(x_n): to the parameters, packed ((P,)), and to `x` ((n, d))."""
        xp = self.xp
        dtheta, dx = xp.empty_like(self._theta), xp.zeros_like(x)
        da, ones = dg[:, None], xp.ones(len(x), x.dtype)
        for i in reversed(range(len(self.b))):
            wz, wx, _ = self.wz[i], self.wx[i], self.b[i]
            slot_z, slot_x, slot_b = self._slots[i]
            dtheta[slot_x] = (da.T @ x).ravel()
            dtheta[slot_b] = ones @ da  # a product is faster than a sum down the columns
            dx += da @ wx
            if wz is not None:
                dtheta[slot_z] = (da.T @ z[i - 1]).ravel()
                da = (da @ wz) * (z[i - 1] > 0)
        return dtheta, dx

    def jacobian(self, x: Any, z: list[Any]) -> Any:
        """Derivatives of G at each point by each parameter: (n, P); `x` and `z` as for `backward`."""
        xp, n = self.xp, len(x)
        jacobian, da = xp.empty((n, self._theta.size), self.dtype), xp.ones((n, 1), self.dtype)
        for i in reversed(range(len(self.b))):
            slot_z, slot_x, slot_b = self._slots[i]
            xp.multiply(da[:, :, None], x[:, None], out=jacobian[:, slot_x].reshape(n, *self.wx[i].shape))
            jacobian[:, slot_b] = da
            wz = self.wz[i]
            if wz is not None:
                xp.multiply(da[:, :, None], z[i - 1][:, None], out=jacobian[:, slot_z].reshape(n, *wz.shape))
                da = (da @ wz) * (z[i - 1] > 0)
        return jacobian

    def __call__(self, points: Any) -> Any:
        """G at `points`: (n, d) -> (n,)."""
        points = self.xp.asarray(checked_points(points, self.dim), dtype=self.dtype)
        pieces = [self.forward(points[i : i + _CHUNK])[0] for i in range(0, len(points), _CHUNK)]
        return self.xp.concatenate(pieces) if pieces else self.xp.empty(0, self.dtype)

    def value_and_slope(self, points: Any) -> tuple[Any, Any]:
        """G and its gradient at `points`: (n, d) -> (n,) and (n, d)."""
        points = self.xp.asarray(checked_points(points, self.dim), dtype=self.dtype)
        g, slope = self.xp.empty(len(points), self.dtype), self.xp.empty_like(points)
        for part in (slice(i, i + _CHUNK) for i in range(0, len(points), _CHUNK)):
            g[part], z = self.forward(points[part])
            slope[part] = self.backward(points[part], z, self.xp.ones(len(g[part]), self.dtype))[1]
        return g, slope

    def compose(self, scale: Any, shift: Any, dtype: Any = np.float64) -> "ICNN":
        """The network x -> G(scale * x + shift), for (d,) vectors `scale` and `shift`."""
        scale, shift = _numbers("scale", scale, (self.dim,)), _numbers("shift", shift, (self.dim,))
        theta = self.pack().astype(np.float64)
        for (_, x, b), wx in zip(self._slots, self.wx, strict=True):
            theta[b] += wx.astype(np.float64) @ shift
            theta[x] = (wx * scale).ravel()
        return _rebuilt(self.dim, self.hidden, theta, dtype)


def _float_type(dtype: Any) -> np.dtype:
    """float32 or float64, or an InvalidParameterError."""
    with suppress(TypeError, ValueError):
        if (found := np.dtype(dtype)) in (np.float32, np.float64):
            return found
    raise InvalidParameterError(f"dtype must be float32 or float64; got {dtype!r:.80}. Pass one of them.")


def _numbers(name: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """Finite numbers as float64 of this shape, in which None is any length but 0."""
    array = checks.host_array(name, value)
    if array.ndim != len(shape) or not all(
        n == m or (m is None and n) for n, m in zip(array.shape, shape, strict=True)
    ):
        known = ", ".join("n" if n is None else str(n) for n in shape)
        raise InvalidParameterError(f"{name} must have the shape ({known}); got {array.shape}. Reshape it.")
    checks.finite(name, array, "Pass finite numbers.")
    return array.astype(np.float64)


def whole_numbers(name: str, values: Any, *, least: int, shortest: int = 0) -> tuple[int, ...]:
    """`values` as a tuple of at least `shortest` integers of at least `least`, or an InvalidParameterError."""
    if isinstance(values, str) or checks.n_axes(values) != 1 or len(values) < shortest:
        raise InvalidParameterError(f"{name} must be a tuple of whole numbers; got {values!r}: try (48,)")
    return tuple(checks.whole_number(name, value, least=least, most=_MOST) for value in values)


def _joined(layers: Any) -> Any:
    """The vector of the parameters of these layers."""
    return np.concatenate([a.ravel() for layer in layers for a in layer if a is not None])


def _rebuilt(dim: int, hidden: tuple[int, ...], theta: Any, dtype: Any = None, xp: Any = np) -> ICNN:
    network = ICNN(dim, hidden, dtype or theta.dtype, xp)
    network.unpack(theta)
    return network


def widened(network: ICNN, hidden: tuple[int, ...], rng: np.random.Generator | None = None) -> ICNN:
    """The network with more units: halves of the present ones, a little apart, with `rng`, or else without weight.

    Of fewer layers than `hidden` has, the last ones pass on the sum of the units before them.
    """
    layers = network.copied_layers()
    while len(layers) <= len(hidden):
        # One unit, which is G plus a constant that keeps it positive where sigma(-G) is not 1.
        z, x, b = layers[-1]
        layers[-1:] = [[z, x, b + LARGEST], [np.ones((1, 1)), np.zeros_like(x), np.full(1, -LARGEST)]]
    for i, width in enumerate(hidden):
        (z, x, b), after = layers[i], layers[i + 1][0]
        more = width - len(b)
        if rng is None:
            new = [None if z is None else np.zeros((more, z.shape[1])), np.zeros((more, network.dim)), np.zeros(more)]
            columns = np.zeros((len(after), more))
        else:
            split = rng.permutation(len(b))[:more]
            after[:, split] /= 2
            columns = after[:, split]
            near = [1 + 0.1 * rng.standard_normal((len(split), 1)) for _ in range(2)]
            new = [None if z is None else z[split], x[split] * near[0], b[split] * near[1][:, 0]]
        layers[i] = [old if old is None else np.concatenate([old, a]) for old, a in zip((z, x, b), new, strict=True)]
        layers[i + 1][0] = np.concatenate([after, columns], axis=1)
    return ICNN.from_layers(layers)


def without_idle(network: ICNN) -> ICNN:
    """The network without the units that have no weight."""
    layers = network.copied_layers()
    for i in reversed(range(len(network.hidden))):
        used = layers[i + 1][0].any(axis=0)
        used[0] |= not used.any()
        layers[i + 1][0] = layers[i + 1][0][:, used]
        layers[i] = [a if a is None else a[used] for a in layers[i]]
    return ICNN.from_layers(layers)


def exact_network(mask: np.ndarray) -> ICNN:
    """The network whose set on the pixel grid is exactly the digitally convex `mask`, a unit for each side of its hull.

    For a primitive integer normal n_k, a lattice point outside of the half-space n_k . x <= c_k is outside by
    at least one: sum of relu(n_k . x - c_k) is 0 on the mask and at least 1 elsewhere. G is that minus 1/2, in integers
    and halves, which float64 holds without rounding. For an empty mask, G is 1 everywhere.
    """
    if not mask.any():
        return _rebuilt(mask.ndim, (1,), np.eye(1, 2 * mask.ndim + 3, 2 * mask.ndim + 2)[0])
    normals, offsets = half_spaces(extreme_points(mask))
    return ICNN.from_half_spaces(normals, offsets + 0.5, 0.5)
