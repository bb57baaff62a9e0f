"""A small convolutional network, its value and its derivative, written by hand.

    z_0 = x,      z_{i+1} = tanh(W_i * z_i + b_i),      n(x) = W_k * z_k + b_k      (linear: the log-odds of the object)

Each layer is a k x k correlation without padding: with k = 1 a network that sees one pixel at a time (the paper's
FCN), with k = 3 its CNN. The paper's have max(., 0) for tanh. Every operation goes through `xp`: arrays of CuPy stay on
their device.
"""

from typing import Any

import numpy as np

_CHUNK = 1 << 13
"""Pixels at a time for a whole image: their activations stay in the cache."""


class ConvNet:
    """A network from (n, h, w, channels) to log-odds (n, h - 2 reach, w - 2 reach).

    All parameters live in the one vector that `pack` returns and `unpack` sets. `hidden` are the widths of the hidden
    layers, `kernel` is the side k of the windows, odd, `dtype` float32 or float64, and `xp` NumPy or CuPy. A
    `rectified` one has max(., 0) for tanh.
    """

    def __init__(
        self, channels: int, hidden: tuple[int, ...], kernel: int, dtype: Any = np.float32, xp: Any = np,
        rectified: bool = False,
    ):  # fmt: skip
        self.rectified = rectified
        self.channels, self.hidden, self.kernel = int(channels), tuple(hidden), int(kernel)
        self.dtype, self.xp = np.dtype(dtype), xp
        self.reach = (kernel // 2) * (len(hidden) + 1)
        self._slots: list[tuple[slice, slice]] = []
        start, below = 0, self.channels
        for width in (*self.hidden, 1):
            middle = start + kernel * kernel * below * width
            self._slots.append((slice(start, middle), slice(middle, middle + width)))
            start, below = middle + width, width
        self._buffers: dict[Any, Any] = {}
        self.unpack(xp.zeros(start, self.dtype))

    @classmethod
    def random(cls, channels: int, hidden: tuple[int, ...], kernel: int, rng: Any, **options: Any) -> "ConvNet":
        """A random network: W ~ N(0, 1 / fan-in), b ~ N(0, 1/4), so that units are non-linear at different places."""
        network = cls(channels, hidden, kernel, **options)
        theta = np.empty(network._slots[-1][1].stop)
        for (w, b), below in zip(network._slots, (channels, *hidden), strict=True):
            theta[w] = rng.standard_normal(w.stop - w.start) / np.sqrt(kernel * kernel * below)
            theta[b] = 0.5 * rng.standard_normal(b.stop - b.start)
        theta[network._slots[-1][1]] = 0
        network.unpack(network.xp.asarray(theta, dtype=network.dtype))
        return network

    def pack(self) -> Any:
        """All parameters in one vector, a copy: (P,)."""
        return self._theta.copy()

    def unpack(self, theta: Any) -> None:
        """Set all parameters from one vector; `theta` is not changed."""
        self._theta = self.xp.array(theta, dtype=self.dtype)
        self.w = [
            self._theta[w].reshape(-1, width) for (w, _), width in zip(self._slots, (*self.hidden, 1), strict=True)
        ]
        self.b = [self._theta[b] for _, b in self._slots]

    def forward(self, x: Any) -> tuple[Any, list[tuple[Any, Any]]]:
        """Log-odds of `x` ((n, h, w, channels)), and what `backward` takes: each layer's input and its windows.

        The latter are in buffers that the next call of `forward` overwrites.
        """
        seen, z = [], x
        for i, (w, b) in enumerate(zip(self.w, self.b, strict=True)):
            windows = self._windows(z, i)
            seen.append((z, windows))
            z = self._buffer(("z", i), (*windows.shape[:-1], w.shape[1]))
            # One product of all windows: a stack of narrow ones takes several times as long.
            self.xp.matmul(windows.reshape(-1, len(w)), w, out=z.reshape(-1, w.shape[1]))
            z += b
            if i < len(self.hidden):
                if self.rectified:
                    self.xp.maximum(z, 0, out=z)
                else:
                    self.xp.tanh(z, out=z)
        return z[..., 0].copy(), seen

    def backward(self, seen: list[tuple[Any, Any]], dn: Any) -> Any:
        """Gradient of sum(dn * n) to the parameters, packed: (P,)."""
        dtheta = self.xp.empty_like(self._theta)
        da = dn[..., None]
        for i in reversed(range(len(self.w))):
            z, windows = seen[i]
            rows, flat = windows.reshape(-1, windows.shape[-1]), da.reshape(-1, da.shape[-1])
            slot_w, slot_b = self._slots[i]
            dtheta[slot_w] = (rows.T @ flat).ravel()
            dtheta[slot_b] = flat.sum(axis=0)
            if i:
                dwindows = self._buffer(("dwindows", i), windows.shape)
                self.xp.matmul(flat, self.w[i].T, out=dwindows.reshape(rows.shape))
                da = self._windows_adjoint(dwindows, z, i)
                if self.rectified:
                    da *= z > 0
                    continue
                slope = self.xp.multiply(z, z, out=self._buffer(("slope", i), z.shape))
                da *= self.xp.subtract(1, slope, out=slope)
        return dtheta

    def __call__(self, x: Any) -> Any:
        """Log-odds of an image (h, w, channels) at every pixel whose window it holds: (h - 2 reach, w - 2 reach)."""
        rows = x.shape[0] - 2 * self.reach
        step = max(1, _CHUNK // x.shape[1])
        strips = [x[None, i : min(i + step, rows) + 2 * self.reach] for i in range(0, rows, step)]
        return self.xp.concatenate([self.forward(strip)[0][0] for strip in strips])

    def _windows(self, z: Any, layer: int) -> Any:
        """The k x k neighbours of each pixel side by side: (n, h, w, c) -> (n, h - k + 1, w - k + 1, k k c)."""
        k, (n, height, width, c) = self.kernel, z.shape
        if k == 1:
            return z
        # First the columns, then the rows: the longer the runs, the faster they are copied.
        columns = self._buffer(("columns", layer), (n, height, width - k + 1, k * c))
        self.xp.concatenate([z[:, :, j : width - k + 1 + j] for j in range(k)], axis=-1, out=columns)
        windows = self._buffer(("windows", layer), (n, height - k + 1, width - k + 1, k * k * c))
        return self.xp.concatenate([columns[:, i : height - k + 1 + i] for i in range(k)], axis=-1, out=windows)

    def _windows_adjoint(self, windows: Any, z: Any, layer: int) -> Any:
        """The adjoint of `_windows`, in the shape of `z`."""
        if self.kernel == 1:
            return windows
        total = self._buffer(("dz", layer), z.shape)
        total[:] = 0
        k, (height, width, c) = self.kernel, z.shape[1:]
        for i in range(k):
            for j in range(k):
                at = (k * i + j) * c
                total[:, i : height - k + 1 + i, j : width - k + 1 + j] += windows[..., at : at + c]
        return total

    def _buffer(self, name: tuple[str, int], shape: tuple[int, ...]) -> Any:
        """An array that is reused: allocating fresh memory takes longer than the arithmetic on it."""
        kept = self._buffers.get(name)
        if kept is None or kept.shape != shape:
            kept = self._buffers[name] = self.xp.empty(shape, self.dtype)
        return kept
