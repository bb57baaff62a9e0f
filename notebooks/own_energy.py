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
# $$\min_{u} \; \alpha \sum_x h\big(|\nabla u(x)|\big) \qquad \text{subject to} \qquad u(x) = f(x) \;\text{ where } f
# \text{ is known}, \qquad h(t) = \min_{s} \; |s| + \frac{(t - s)^2}{2 \varepsilon}$$
#
# Pixels of an image are lost: scratches, text, a sensor's holes. Take the image of least variation that agrees with what is left
# (Shen and Chan 2002, [doi:10.1137/S0036139900368844](https://doi.org/10.1137/S0036139900368844)). $h$ is Huber's: a square for
# slopes below $\varepsilon$, a length beyond.
#
# **Good at** thin holes and scattered ones; nothing comes out brighter or darker than what was there. **Bad at** wide holes, which
# it closes by the shortest edge, and at texture, which it cannot know.
#
# The package has no such energy. Everything it needs is there, though: bounds for $u$, and Huber's total variation. So the energy
# only says so: it holds no loop and no step size. From the solver it gets compiled kernels, coarse grids, a gap, a time limit.

# %%
from dataclasses import dataclass
from typing import Any

import numpy as np

from varconvex.backends import ArrayBackend, Problem


@dataclass(frozen=True)
class Inpainting:
    """Energy of the images that agree with `image` where it is known."""

    image: Any  # (H, W) float in [0, 1]
    known: Any  # (H, W) bool
    huber: float = 0.1  # slope per pixel below which gradients are charged quadratically
    alpha: float = 1.0  # scales the energy, and changes no answer
    spacing: tuple[float, float] = (1.0, 1.0)

    @property
    def shape(self):
        """Shape of u: one label."""
        return (1, *self.image.shape)

    def problem(self, backend: ArrayBackend) -> Problem:
        """The whole model: no cost, two equal bounds where a pixel is known, Huber's total variation."""
        image = backend.asarray(self.image, np.float32)[None]
        known = backend.asarray(self.known)
        return Problem(
            cost=backend.xp.zeros_like(image),
            dual_radius=backend.xp.full((1, 1), self.alpha, np.float32),
            lower=backend.xp.where(known, image, np.float32(0)),
            upper=backend.xp.where(known, image, np.float32(1)),
            steps=tuple(1 / h for h in self.spacing),
            huber=self.huber,
        )

    def start(self, backend, problem):
        """Grey where nothing is known."""
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


# %%
# %config InlineBackend.figure_formats = ["jpeg"]
import matplotlib.pyplot as plt
from skimage import data

from varconvex import pdhg

scene = data.camera() / 255
known = np.random.default_rng(0).random(scene.shape) > 0.7  # 30 % of the pixels are left
known[:, 250:254] = False  # and a scratch
solution = pdhg(Inpainting(scene * known, known))


def decibels(image):
    """How near an image is to the scene where it was lost; more is nearer."""
    return -10 * np.log10(np.mean((image - scene)[~known] ** 2))


def show(panels, window=np.s_[:]):
    """Grey pictures (title, array) side by side."""
    figure, axes = plt.subplots(1, len(panels), figsize=(11, 0.4 + 11 / len(panels)), dpi=90, layout="constrained")
    for axis, (title, picture) in zip(axes, panels, strict=True):
        axis.imshow(picture[window], cmap="gray", vmin=0, vmax=1)
        axis.set_title(title, fontsize=9)
        axis.axis("off")
    plt.show()


head = np.s_[60:260, 130:330]
title = f"Least variation, {decibels(solution.u):.1f} dB, gap {solution.relative_gap:.0e}"
show([("What is left", scene * known), (title, solution.u), ("The scene", scene)], head)

# %% [markdown]
# ## Trust comes from laws
#
# The gap is one: it is computed by the backend from the `Problem`, not by the energy. Further laws cost a line each. The last one is
# a closed form: between two flat halves, $J$ apart, a lost stripe costs the total variation $J$ in each row, however it is filled.

# %%
from varconvex import get_backend

rng = np.random.default_rng(0)
small, kept = rng.random((20, 30)), rng.random((20, 30)) < 0.6
energy = Inpainting(small * kept, kept)
solved = pdhg(energy, backend="numpy", tol=1e-4)
assert np.array_equal(solved.u[kept], small[kept].astype(np.float32))  # what is known stays
assert solved.u.min() >= small[kept].min() - 1e-3  # nothing darker than what was there
for _ in range(100):  # weak duality: no image that agrees is below the bound
    other = np.where(kept, small, rng.random(small.shape))
    assert energy.value(get_backend("numpy"), other) >= solved.dual
again = pdhg(energy, backend="numba", tol=1e-4)
assert abs(again.primal - solved.primal) <= 1e-3 * solved.primal  # the fast kernels agree with the specification

halves = np.zeros((20, 30))
halves[:, 15:] = 0.5
stripe = np.ones(halves.shape, bool)
stripe[:, 10:20] = False
found = pdhg(Inpainting(halves, stripe, huber=0.0), tol=1e-5)
print(f"closed form {20 * 0.5:.6f}, found between {found.dual:.6f} and {found.primal:.6f}")
assert found.dual <= 20 * 0.5 <= found.primal + 1e-6

# %% [markdown]
# In the package the class would be the file `varconvex/energies/inpainting.py`, these laws its test, and one line in
# `varconvex/__init__.py` its public name. An energy whose $u$ is an image or labels even inherits most of the above; the
# contributors' page says how.

# %% [markdown]
# ## One parameter to play with
#
# `huber`: with 0, total variation itself, slopes become stairs. Bigger makes them smooth, until edges are smeared as well.

# %%
panels = []
for huber in [0.0, 0.02, 0.1, 1.0]:
    tried = pdhg(Inpainting(scene * known, known, huber=huber))
    panels.append((f"huber = {huber:g}, {decibels(tried.u):.1f} dB", tried.u))
show(panels, head)

# %% [markdown]
# ## Beside OpenCV and scikit-image
#
# `cv2.inpaint` marches inwards from the rim of a hole; `inpaint_biharmonic` solves a linear equation of fourth order, which keeps
# slopes better, and may overshoot.

# %%
import time

import cv2
from skimage.restoration import inpaint_biharmonic

whole = np.rint(scene * known * 255).astype(np.uint8)
contenders = {
    "pdhg": lambda: pdhg(Inpainting(scene * known, known)).u,
    "cv2.inpaint, Telea": lambda: cv2.inpaint(whole, (~known).astype(np.uint8), 3, cv2.INPAINT_TELEA) / 255,
    "cv2.inpaint, Navier-Stokes": lambda: cv2.inpaint(whole, (~known).astype(np.uint8), 3, cv2.INPAINT_NS) / 255,
    "inpaint_biharmonic": lambda: inpaint_biharmonic(scene * known, ~known),
}
panels, unit = [], None
for name, run in contenders.items():
    begin = time.perf_counter()
    filled = run()
    seconds = time.perf_counter() - begin
    unit = unit or seconds
    print(f"{name:27s} {decibels(filled):5.1f} dB, {seconds / unit:5.1f} times pdhg's time")
    panels.append((f"{name}, {decibels(filled):.1f} dB", filled))
show(panels, head)

# %% [markdown]
# ## Exercise
#
# Lose a disc of 40 pixels across instead: what does least variation put there, and what would you have put? Then let noise be in
# what is left: bounds a little apart, `image - 0.05` and `image + 0.05`, in place of equal ones. Which line of `problem` changes, and
# which law no longer holds?
