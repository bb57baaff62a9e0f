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
# # One object, six shapes
#
# $$\min_{C \text{ of the shape}} \; \sum_{x \in C} \big(1 - 2 u(x)\big), \qquad C = \{x : G(x) \leq 0\}$$
#
# A shape is a promise about the mask. Each has its own $G$, whose levels $\{x : G(x) \leq t\}$ have the shape as well, and an exact
# certificate in integers that knows nothing of the fit. Star-shaped sets, symmetric sets and unions of convex parts as implicit
# functions: the authors of the paper have networks for some of them; here each set is found on pixels, for the same $u$.
#
# **Good at** objects of which the promise is true, in noise, at weak edges, beside others alike. **Bad at** all others: a shape
# makes its object of whatever it is given.

# %%
# %config InlineBackend.figure_formats = ["jpeg"]
import matplotlib.pyplot as plt
import numpy as np

from varconvex import segment

rows, columns = np.mgrid[:110, :130]
down, right = rows - 54, columns - 60
angle, far = np.arctan2(down, right) - 0.4, np.hypot(down, right)
flower = far < 30 * (1 + 0.3 * np.cos(5 * angle))
noise = np.random.default_rng(0).normal(scale=0.3, size=flower.shape)
image = np.clip(0.3 + 0.4 * flower + noise, 0, 1)
strokes = {"object": [(46, 52), (54, 60), (62, 68)], "background": "border"}

names = ["convex", "star", "symmetric", "connected", "convex:3", "ellipse"]
alone = segment(image, strokes, components="all")
results = {name: segment(image, strokes, shape=name, unify="sequential") for name in names}


# %% [markdown]
# A flower of five petals in noise. The object is drawn by one stroke, the background by the border. Gold: the mask, which is
# $\{G \leq 0\}$ on every pixel. Thin: other levels of $G$, from inside (green) to outside (brown).


# %%
def level_picture(axis, result, title):
    """The image, levels of G, and the outline of the mask."""
    axis.imshow(image, cmap="gray", vmin=-0.2, vmax=1.2)
    if result.shape is not None:
        fine = np.mgrid[0:110:0.5, 0:130:0.5]
        values = result.shape(fine.reshape(2, -1).T).reshape(fine.shape[1:])
        span = np.percentile(np.abs(values), 80)
        levels = span * np.array([-1, -0.6, -0.3, 0.3, 0.6, 1])
        axis.contour(fine[1], fine[0], values, levels=levels, cmap="BrBG_r", linewidths=1.0)
    axis.contour(columns, rows, result.mask, levels=[0.5], colors="gold", linewidths=2.0)
    axis.set_title(title, fontsize=9)
    axis.axis("off")


def share(mask):
    """Intersection over union with the flower."""
    return np.count_nonzero(mask & flower) / np.count_nonzero(mask | flower)


figure, axes = plt.subplots(2, 4, figsize=(11, 5.2), dpi=90, layout="constrained")
for axis, (name, result) in zip(axes.flat, {"no shape": alone, **results}.items(), strict=False):
    level_picture(axis, result, f"{name}: {share(result.mask):.3f}")
axes.flat[-1].imshow(flower, cmap="gray")
axes.flat[-1].set_title("the flower", fontsize=9)
axes.flat[-1].axis("off")
plt.show()

# %% [markdown]
# The numbers are intersections over union with the flower. It is star-shaped, symmetric and in one piece, and nearly three convex
# parts; convex sets and ellipses take what is between the petals, or leave the petals out.
#
# ## Each with its proof
#
# The certificate is computed from the mask and from what the shape says of itself: a centre, an axis, the parts, six integers.

# %%
for name, result in results.items():
    print(f"{name:<10} {result.certificate}")

# %% [markdown]
# Refuted is what is not so, with the pixels that say no. The mask that was found without a shape is no star about the centre of
# the star:

# %%
from varconvex import certify

refuted = certify(alone.mask, "star", centre=results["star"].shape.centre)
print(refuted)
print("such pixels:", [tuple(int(n) for n in pixel) for pixel in refuted.pixels[:3]], "...")

# %% [markdown]
# ## The numbers of a shape

# %%
print("star:      centre", results["star"].shape.centre)
print("symmetric: line  ", results["symmetric"].shape.line)
print("ellipse:         ", results["ellipse"].shape.parameters)
print("convex:3:  pixels of the parts", [int(part.sum()) for part in results["convex:3"].shape.parts])

# %% [markdown]
# ## Which shape?
#
# `describe()` says which shapes a mask nearly has: how much of it and of the nearest set of each shape is common to both. So a first
# answer, or a mask from elsewhere, tells which shape to ask for.

# %%
found = results["star"].describe()[0]
print("nearly:", ", ".join(found["nearly"]))
figure, axis = plt.subplots(figsize=(6, 2.4), dpi=80, layout="constrained")
shares = dict(sorted(found["shares"].items(), key=lambda item: item[1]))
axis.barh(list(shares), list(shares.values()), color=["#2b6cb0" if s >= 0.97 else "#a0aec0" for s in shares.values()])
axis.axvline(0.97, color="black", linewidth=1)
axis.set(xlim=(0.5, 1), title="Share of the star's mask that agrees with the nearest set of each shape")
plt.show()

# %% [markdown]
# ## Less noise
#
# The promise matters less, the more the image says. With a third of the noise the four that can be the flower are:

# %%
clear = np.clip(0.3 + 0.4 * flower + noise / 3, 0, 1)
for name in names:
    result = segment(clear, strokes, shape=name, unify="sequential")
    print(f"{name:<10} {share(results[name].mask):.3f} -> {share(result.mask):.3f}   gap {result.relative_gap:.1e}")

# %% [markdown]
# ## Exercise
#
# Draw a background stroke between two petals, and an object stroke in each of them. Ask for `"convex"`: what is said, and when?
# Which of the six still have an answer? Then `StarShape(centre=...)` with a centre in a petal: what does the certificate say, and
# what became of the flower?
