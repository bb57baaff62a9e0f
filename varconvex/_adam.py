"""Adam: steps of about one rate in every direction, whatever the gradient's scale.

m += (1 - beta1) (g - m),   v += (1 - beta2) (g^2 - v),   step = (m / (1 - beta1^t)) / sqrt(v / (1 - beta2^t))
"""

from typing import Any

import numpy as np


class Adam:
    """Kingma and Ba, ICLR 2015, arXiv:1412.6980; arrays of NumPy or, with `xp`, of CuPy."""

    def __init__(self, size: int, beta1: float = 0.9, beta2: float = 0.99, xp: Any = np, dtype: Any = np.float32):
        self.beta1, self.beta2, self.t = beta1, beta2, 0
        self.m, self.v = xp.zeros(size, dtype), xp.zeros(size, dtype)

    def step(self, gradient: Any) -> Any:
        """What to subtract, times the rate."""
        self.t += 1
        self.m += (1 - self.beta1) * (gradient - self.m)
        self.v += (1 - self.beta2) * (gradient * gradient - self.v)
        m = self.m / (1 - self.beta1**self.t)
        v = self.v / (1 - self.beta2**self.t)
        return m / (v**0.5 + 1e-10)
