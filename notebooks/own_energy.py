# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Write your own energy in one file
#
# $$\min_{u} \; \alpha \sum_x h\big(|\nabla u(x)|\big) \qquad \text{subject to} \qquad |u(x) - f(x)| \leq \tfrac{\delta}{2}
# \;\text{ for all } x, \qquad h(t) = \min_{s} \; |s| + \tfrac{(t - s)^2}{2 \varepsilon}$$
#
# An image $f$ that was rounded to a few grey values, $\delta$ apart, shows bands where the scene had slopes. The scene itself lies
# within $\delta / 2$ of $f$, everywhere: take the image of least variation that does. $h$ is Huber's: a square for slopes below
# $\varepsilon$ and a length beyond, so that slopes stay smooth and edges stay edges.
#
# **Good at** bands: nothing is blurred by more than half a step. **Bad at** noise, which the constraint protects as faithfully as
# it does the scene.
#
# The package has no such energy. Everything it needs is there, though: a box for $u$, and Huber's total variation. So the energy
# is what says so, and holds no loop and no step size.

# %%
from dataclasses import dataclass
from typing import Any

import numpy as np

from varconvex.backends import ArrayBackend, Problem


@dataclass(frozen=True)
class Dequantised:
    """Energy of the images that round to `image`, whose grey values are `step` apart."""

    image: Any  # (H, W) float
    step: float
    huber: float = 0.02  # slope per pixel below which gradients are charged quadratically
    alpha: float = 1.0  # scales the energy, and changes no answer
    spacing: tuple[float, float] = (1.0, 1.0)

    @property
    def shape(self):
        """Shape of u: one label."""
        return (1, *self.image.shape)

    def problem(self, backend: ArrayBackend) -> Problem:
        """The whole model: no cost, bounds half a step around the image, Huber's total variation."""
        image = backend.asarray(self.image, np.float32)[None]
        half = np.float32(self.step / 2)
        return Problem(
            cost=backend.xp.zeros_like(image),
            radius=backend.xp.full((1, 1), self.alpha, np.float32),
            lower=image - half,
            upper=image + half,
            steps=tuple(1 / h for h in self.spacing),
            huber=self.huber,
        )

    def start(self, backend, problem):
        """The image itself."""
        return (problem.lower + problem.upper) / np.float32(2)

    def value(self, backend, image):
        """The energy of an image."""
        return backend.primal_value(self.problem(backend), backend.asarray(image, np.float32)[None])

    def round(self, backend, problem, u):
        """An image is not rounded to labels."""
        return u, backend.primal_value(problem, u)

    def recall(self, u):
        """(H, W) -> (1, H, W)."""
        return u[None]

    def present(self, u):
        """(1, H, W) -> (H, W)."""
        return u[0]


# %% [markdown]
# That is all: the solver gives it compiled kernels, coarse grids, a gap and a time limit.

# %%
from sklearn.datasets import load_sample_image

from varconvex import pdhg
from varconvex.plots import sheet

scene = load_sample_image("china.jpg").mean(axis=2) / 255
step = 1 / 7
banded = np.rint(scene / step) * step  # eight grey values
solution = pdhg(Dequantised(banded, step), tol=1e-3)


def grey(image):
    """An array in [0, 1] as a picture."""
    return np.rint(255 * np.clip(image, 0, 1)[..., None].repeat(3, axis=-1)).astype(np.uint8)


def decibels(image):
    """How near an image is to the scene; more is nearer."""
    return -10 * np.log10(np.mean((image - scene) ** 2))


panels = [("The scene", grey(scene)), (f"Eight grey values, {decibels(banded):.1f} dB", grey(banded))]
panels.append((f"Least variation, {decibels(solution.u):.1f} dB", grey(solution.u)))
sheet(panels, columns=3).quantize(64)

# %% [markdown]
# ## Trust comes from laws
#
# The gap is one: it is computed by the backend from the `Problem`, not by the energy. Further laws cost a line each. The last one
# is a closed form: two flat halves, $J$ apart, can come within $J - \delta$ of each other, and along $n$ rows that is the total
# variation.

# %%
rng = np.random.default_rng(0)
small = np.rint(rng.random((20, 30)) / step) * step
energy = Dequantised(small, step)
solved = pdhg(energy, backend="numpy", tol=1e-4)
assert np.abs(solved.u - small).max() <= step / 2 + 1e-6  # the constraint
from varconvex import get_backend

for _ in range(100):  # weak duality: no feasible image is below the bound
    feasible = small + step * (rng.random(small.shape) - 0.5)
    assert energy.value(get_backend("numpy"), feasible) >= solved.dual
again = pdhg(energy, backend="numba", tol=1e-4)
assert abs(again.primal - solved.primal) <= 1e-3 * solved.primal  # the fast kernels agree with the specification

halves = np.zeros((20, 30))
halves[:, 15:] = 3 * step
exact = 20 * (3 * step - step)
found = pdhg(Dequantised(halves, step, huber=0.0), tol=1e-6)
print(f"closed form {exact:.6f}, found between {found.dual:.6f} and {found.primal:.6f}")
assert found.dual <= exact * (1 + 1e-6)
assert exact <= found.primal * (1 + 1e-6)

# %% [markdown]
# In the package the class would be the file `varconvex/energies/dequantised.py`, these laws its test, and one line in
# `varconvex/__init__.py` its public name. An energy whose $u$ is an image or a label even inherits most of the above from
# `ImageEnergy` or `LinearEnergy`; the contributors' page says how.

# %% [markdown]
# ## One parameter to play with
#
# `huber`: with 0, total variation itself, slopes become stairs again. Bigger makes slopes smoother, until even edges are spread as
# far as the bounds allow.

# %%
corner = np.s_[:200, 250:550]
panels = []
for huber in [0.0, 0.002, 0.02, 1.0]:
    tried = pdhg(Dequantised(banded, step, huber=huber), tol=1e-3)
    panels.append((f"huber = {huber:g}, {decibels(tried.u):.1f} dB", grey(tried.u)[corner]))
sheet(panels, columns=4).quantize(64)

# %% [markdown]
# ## Beside OpenCV and scikit-image
#
# The filters people reach for do not know that the error is bounded. Each gets the best of several strengths, chosen with the
# scene at hand, which nobody has in earnest.

# %%
import cv2
from skimage.restoration import denoise_tv_chambolle

single = banded.astype(np.float32)
candidates = {
    "cv2.bilateralFilter": [cv2.bilateralFilter(single, -1, s, 5) for s in (0.05, 0.1, 0.2, 0.4)],
    "denoise_tv_chambolle": [denoise_tv_chambolle(banded, weight=w) for w in (0.02, 0.05, 0.1, 0.2)],
}
panels = []
for name, tries in candidates.items():
    best = max(tries, key=decibels)
    outside = np.mean(np.abs(best - banded) > step / 2 + 1e-6)
    panels.append((f"{name}, {decibels(best):.1f} dB, {outside:.0%} out of bounds", grey(best)[corner]))
panels.append((f"least variation, {decibels(solution.u):.1f} dB, 0% out of bounds", grey(solution.u)[corner]))
sheet(panels, columns=3).quantize(64)

# %% [markdown]
# ## Exercise
#
# Some pixels are lost: give them the bounds 0 and 1 (a mask field, one `where` in `problem`). The same energy then fills holes.
# How large a hole can it fill before you see it? And what does `tol` have to be?
