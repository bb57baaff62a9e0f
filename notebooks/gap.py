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
# # What the gap certifies, and what rounding costs
#
# $$E(u) = \langle c, u \rangle + \alpha \sum_x |\nabla u(x)| \;\;\geq\;\; \min_{v \in [0, 1]} E(v) \;\;\geq\;\;
# E^*(p) = \sum_x \min\big(0,\, c(x) - \operatorname{div} p(x)\big), \qquad |p(x)| \leq \alpha$$
#
# The solver carries two things along: $u$, which is the answer, and $p$, which is the proof. Any $p$ that is no longer than $\alpha$
# gives a lower bound of the energy of *every* segmentation, so $E(u) - E^*(p)$, the gap, is at least as large as what $u$ lacks
# (Chambolle and Pock 2011, [doi:10.1007/s10851-010-0251-1](https://doi.org/10.1007/s10851-010-0251-1)).
#
# **Good at** saying when to stop, and how good a mask from anywhere can be at best. **Bad at** saying whether the energy was
# the right one to ask: a perfect gap on a bad likelihood is a perfect answer to the wrong question.

# %%
# %config InlineBackend.figure_formats = ["jpeg"]
import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from varconvex import TwoPhase, pdhg
from varconvex.plots import gap_curve, outline


def show(panels):
    """Pictures (title, array) side by side."""
    height, width = panels[0][1].shape[:2]
    figure, axes = plt.subplots(
        1, len(panels), figsize=(11, 0.4 + 11 / len(panels) * height / width), dpi=90, layout="constrained"
    )
    for axis, (title, picture) in zip(axes, panels, strict=True):
        axis.imshow(picture)
        axis.set_title(title, fontsize=9)
        axis.axis("off")
    plt.show()


image = data.camera() / 255
dark, bright = 0.1, 0.7
cost = (image - dark) ** 2 - (image - bright) ** 2  # Chan and Vese's, for two known grey values: the object is dark
solution = pdhg(TwoPhase(cost, alpha=0.3), tol=1e-5)


def grey(values):
    """An array in [0, 1] as a picture."""
    return np.rint(255 * np.asarray(values)[..., None].repeat(3, axis=-1)).astype(np.uint8)


panels = [
    ("The relaxed answer u: grey along edges", grey(solution.u)),
    ("Its mask, outlined", outline(grey(image), solution.mask, (255, 64, 64))),
    (f"Relative gap, down to {solution.relative_gap:.0e}", gap_curve(solution.history, image.shape)),
]
show(panels)

# %% [markdown]
# Three numbers. The lower bound is below the other two, whatever $u$ is. Between the first two lies what *rounding* u to a mask
# costs (while $u$ is far from solved its mask can even be the better of the two); between the last two what is not *solved*
# yet, which a smaller `tol` shrinks. Only rounding is left here.

# %%
print(f"energy of the mask    {solution.energy:12.3f}")
print(f"energy of u           {solution.primal:12.3f}   rounding: {solution.energy - solution.primal:9.4f}")
print(f"lower bound           {solution.dual:12.3f}   gap:      {solution.primal - solution.dual:9.4f}")

# %% [markdown]
# ## Which length you ask for decides what rounding costs
#
# In the continuum, every level of a minimiser $u$ is a minimiser, too: rounding is free (Chan, Esedoglu and Nikolova 2006,
# [doi:10.1137/040615286](https://doi.org/10.1137/040615286)). On a grid that holds when the length is a sum over directions: along
# the grid (`"anisotropic"`, which pays 1.41 times for a diagonal) or along the diagonals as well (`"octagonal"`, right within
# 5 %). The Euclidean length (`"isotropic"`) is not such a sum, its levels are not minimisers, and rounding costs something.

# %%
lengths = ("isotropic", "anisotropic", "octagonal")
solved = {tv: pdhg(TwoPhase(cost, alpha=0.3, tv=tv), tol=1e-5) for tv in lengths}
print("length        iterations   relative gap   integrality gap     pixels of u that are grey")
for tv, found in solved.items():
    above = (found.energy - found.dual) / abs(found.dual)
    mixed = np.mean((found.u > 0.05) & (found.u < 0.95))
    print(f"{tv:12s} {found.iterations:11d} {found.relative_gap:14.1e} {above:17.3%} {mixed:27.2%}")

# %%
window = np.s_[50:190, 180:320]
panels = [(tv, outline(grey(image), found.mask, (255, 64, 64), 1)[window]) for tv, found in solved.items()]
show(panels)

# %% [markdown]
# Every threshold of u, and what its mask costs above the bound: flat where levels are minimisers.

# %%
from varconvex import get_backend

thresholds = np.linspace(0.05, 0.95, 19)
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for tv, found in solved.items():
    energy = TwoPhase(cost, alpha=0.3, tv=tv)
    values = np.array([energy.value(get_backend(), found.u > t) for t in thresholds])
    axes.plot(thresholds, 100 * (values - found.dual) / abs(found.dual), ".-", label=tv)
axes.set(xlabel="threshold", ylabel="% above the bound", title="What the mask {u > threshold} costs")
axes.legend()
axes.grid(alpha=0.3)
plt.show()

# %% [markdown]
# ## One parameter to play with
#
# `tol` is the relative gap to stop at; the start, from coarser grids, may meet it before the first iteration. Count the pixels
# that still change.

# %%
print("tol       iterations   relative gap   pixels that differ from the mask at 1e-5")
for tol in [1e-1, 1e-2, 1e-3, 1e-4, 1e-5]:
    tried = pdhg(TwoPhase(cost, alpha=0.3), tol=tol)
    print(f"{tol:7.0e} {tried.iterations:12d} {tried.relative_gap:14.1e} {np.sum(tried.mask != solution.mask):12d}")

# %% [markdown]
# ## The bound judges any mask
#
# The bound holds for every mask, so it judges scikit-image's as well. `chan_vese` evolves a level set and stops when it stands
# still; what it found is measured here by the same formula, for the grey values and the weight that it ended with.

# %%
import time

from skimage.segmentation import chan_vese

begin = time.perf_counter()
theirs = chan_vese(image, mu=0.25, max_num_iter=200)
their_seconds = time.perf_counter() - begin
scaled = (image - image.min()) / (image.max() - image.min())
inside, outside = scaled[theirs].mean(), scaled[~theirs].mean()
energy = TwoPhase((scaled - inside) ** 2 - (scaled - outside) ** 2, alpha=0.25)
begin = time.perf_counter()
best = pdhg(energy, tol=1e-4)
our_seconds = time.perf_counter() - begin
for name, mask in [("chan_vese, 200 steps", theirs), ("pdhg", best.mask)]:
    above = (energy.value(get_backend(), mask) - best.dual) / abs(best.dual)
    print(f"{name:22s} {above:7.2%} above the bound")
print(f"chan_vese takes {their_seconds / our_seconds:.0f} times as long, here and now")
panels = [
    ("scikit-image's chan_vese", outline(grey(image), theirs, (255, 208, 32))),
    ("The minimiser for the same grey values", outline(grey(image), best.mask, (255, 64, 64))),
]
show(panels)

# %% [markdown]
# ## Exercise
#
# Draw a mask of your own (a rectangle around the man will do) and measure it with `energy.value`. Then let the solver start from the
# answer to a slightly other cost, `pdhg(other, start=solution)`: how many iterations does it save, and why is the gap just as
# certain as before?
