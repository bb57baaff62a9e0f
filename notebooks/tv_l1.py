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
# # TV-L1: sorting by size, not by contrast
#
# $$\min_u \; \sum_x |u(x) - f(x)| + \alpha \sum_x |\nabla u(x)|$$
#
# Only one letter differs from ROF: the distance to the image $f$ is counted by its size, not its square. Chan and
# Esedoglu (2005, [doi:10.1137/040604297](https://doi.org/10.1137/040604297)) showed what that does: a disc of radius
# $r$ in the continuum stays *exactly* as it is while $r > 2\alpha$, and vanishes *without trace* while $r < 2\alpha$, whatever its
# contrast.
#
# **Good at** outliers, as salt and pepper, and at taking a picture apart by size. **Bad at** Gaussian noise; it rounds
# corners and cuts thin lines; and the best $u$ need not be unique.

# %%
import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from varconvex import denoise_tv_l1

page = data.page() / 255
paper = denoise_tv_l1(page, alpha=8)  # letters are of strokes thinner than 16 pixels, shadows are not
letters = 0.8 + page - paper


def show(panels, columns):
    """Pictures (name, u) on a page, row by row."""
    rows = -(-len(panels) // columns)
    height, width = panels[0][1].shape
    _, axes = plt.subplots(
        rows, columns, figsize=(10, rows * (0.35 + 10 / columns * height / width)), dpi=80, layout="constrained"
    )
    for axis, (name, u) in zip(axes.flat, panels, strict=True):
        axis.imshow(u, cmap="gray", vmin=0, vmax=1)
        axis.set_title(name)
        axis.axis("off")
    plt.show()


show([("page", page), ("what is large", paper), ("the rest: evenly lit", letters)], 3)

# %% [markdown]
# ## One parameter to play with
#
# `alpha`, a length in pixels. Letters are strokes, about 3 pixels wide, so they go early; the shadow stays.

# %%
# %config InlineBackend.figure_formats = ["jpeg"]
alphas = [0.5, 1, 1.5, 4]
show([(f"alpha = {alpha}", denoise_tv_l1(page, alpha)) for alpha in alphas], 2)

# %% [markdown]
# The theorem, on discs of four sizes and three contrasts. With `alpha = 4` the limit is a radius of 8 pixels in the
# continuum; a disc of pixels needs a little more (8.5 still vanishes, 9 keeps 96 % of its contrast, the rest goes with
# its corners). The contrast does not matter.

# %%
rows, columns = np.mgrid[:150, :240]
discs = np.full(rows.shape, 0.2)
for row, contrast in zip((25, 75, 125), (0.15, 0.4, 0.8), strict=True):
    for column, radius in zip((25, 75, 135, 205), (4, 7, 10, 20), strict=True):
        discs[np.hypot(rows - row, columns - column) < radius] += contrast

show(
    [("radius 4, 7, 10, 20", discs), ("alpha = 4", denoise_tv_l1(discs, 4)), ("alpha = 6", denoise_tv_l1(discs, 6))], 3
)

# %% [markdown]
# ## When to stop
#
# TV-L1 takes more iterations than ROF: nothing in it is curved, so the method has only corners to go by. The gap tells
# when it is near. Here $u$ at each gap evaluation is also compared with the last one.

# %%
from varconvex import TVL1, pdhg

records = []
solution = pdhg(TVL1(page, 2), tol=1e-4, callback=lambda now: records.append((now.seconds, now.relative_gap, now.u)))
seconds, gaps, pictures = zip(*records, strict=True)
changes = [255 * abs(u - solution.u).mean() for u in pictures]

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), dpi=80, layout="constrained")
left.semilogy(seconds, gaps, ".-")
left.set(xlabel="seconds, coarse grids included", ylabel="relative gap", title="how far from the best energy, at most")
right.loglog(gaps[:-1], changes[:-1], ".-")
right.invert_xaxis()
right.set(xlabel="relative gap", ylabel="grey values of 255", title="how far from the last picture, in the mean")
plt.show()

# %% [markdown]
# ## Beside OpenCV
#
# `cv2.denoise_TVL1` minimises the same energy (its `lambda` is our $1/\alpha$) in a given number of iterations, 30 if
# not told, and returns bytes. The usual remedy for salt and pepper is no energy at all but `cv2.medianBlur`.

# %%
import time

import cv2

clean = data.camera()
dice = np.random.default_rng(0).random(clean.shape)
spoilt = np.where(dice < 0.1, 0, np.where(dice > 0.9, 255, clean)).astype(np.uint8)
f, alpha = spoilt / 255, 0.7


def energy(u):
    down, right = np.zeros_like(f), np.zeros_like(f)
    down[:-1], right[:, :-1] = np.diff(u.astype(float), axis=0), np.diff(u.astype(float), axis=1)
    return abs(u - f).sum() + alpha * np.sqrt(down**2 + right**2).sum()


def opencv(niters):
    u = spoilt.copy()
    cv2.denoise_TVL1([spoilt], u, 1 / alpha, niters)
    return u / 255


methods = {
    "denoise_tv_l1": lambda: denoise_tv_l1(f, alpha),
    "denoise_tv_l1, tol=0.01": lambda: denoise_tv_l1(f, alpha, tol=0.01),
    "cv2.denoise_TVL1, 30": lambda: opencv(30),
    "cv2.denoise_TVL1, 300": lambda: opencv(300),
    "cv2.medianBlur, 3 x 3": lambda: cv2.medianBlur(spoilt, 3) / 255,
    "cv2.medianBlur, 5 x 5": lambda: cv2.medianBlur(spoilt, 5) / 255,
}
bound, found = pdhg(TVL1(f, alpha), tol=3e-4).dual, {}
table = [f"{'512 x 512, alpha = 0.7':24}  seconds  energy above the bound     PSNR"]
for name, method in methods.items():
    method()  # once unmeasured
    start = time.perf_counter()
    u = found[name] = method()
    took = time.perf_counter() - start
    psnr = -10 * np.log10(((u - clean / 255) ** 2).mean())
    table.append(f"{name:24} {took:8.2f}  {energy(u) / bound - 1:22.2%}  {psnr:4.1f} dB")
print("\n".join(table))

# %%
zoom = (slice(60, 260), slice(140, 340))
show([("spoilt", f[zoom]), *((name, found[name][zoom]) for name in list(methods)[:1] + list(methods)[3:])], 5)

# %% [markdown]
# Seconds of one run each on the machine that made this page, with all its cores where the method can use them. The
# median is far faster, and sees nothing but its window: 3 x 3 leaves neighbouring outliers, 5 x 5 takes fine things.
#
# ## Exercise
#
# `data.hubble_deep_field()` is full of stars and galaxies of all sizes. Take the difference of `denoise_tv_l1` at two
# values of `alpha`: which objects are in it? Sort the sky into four drawers by size. Why do bright and faint stars of
# the same size land in the same drawer?
