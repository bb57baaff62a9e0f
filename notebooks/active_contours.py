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
# # Geodesic active contours: the shortest way round
#
# $$\min_{A} \; \oint_{\partial A} g \, ds - \nu\, |A| \qquad A \supseteq \text{inside}, \quad
# A \cap \text{outside} = \emptyset$$
#
# A contour pays for its length, and little where the image has edges: $g$ is small there. Caselles, Kimmel and Sapiro
# (1997, [doi:10.1023/A:1007979827043](https://doi.org/10.1023/A:1007979827043)) let a contour shrink until edges held
# it. Written with the total variation the problem is convex (Bresson et al. 2007,
# [doi:10.1007/s10851-007-0002-0](https://doi.org/10.1007/s10851-007-0002-0)), so the answer is the shortest contour of
# all between two seeds, and it does not matter where a contour would have started.
#
# **Good at** one thing with a clear rim, whatever its colours. **Bad at** gaps in the rim, edges inside that are
# shorter, and long thin shapes: nothing but the seeds says what the object looks like.

# %%
import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from varconvex import segment_geodesic_contours

coins = data.coins()
clicks = [
    (43, 335), (51, 155), (51, 215), (52, 277), (55, 44), (56, 100), (119, 271), (124, 45), (124, 205), (124, 336),
    (126, 102), (127, 154), (186, 347), (193, 212), (194, 274), (196, 102), (198, 154), (197, 43), (260, 46),
    (261, 172), (263, 301), (263, 244), (266, 114), (268, 358),
]  # fmt: skip
rows, columns = np.indices(coins.shape)
inside = np.any([np.hypot(rows - r, columns - c) < 8 for r, c in clicks], axis=0)
outside = (rows == 0) | (rows == 302) | (columns == 0) | (columns == 383)
outside |= np.isin(rows, (85, 158, 228)) & (columns < 370)
mask = segment_geodesic_contours(coins, inside, outside, balloon=0.02)


def show(panels, columns, width=10):
    """Pictures (name, mask) row by row, each mask as an outline on the image."""
    rows = -(-len(panels) // columns)
    height = coins.shape[0] / coins.shape[1]
    _, axes = plt.subplots(
        rows, columns, figsize=(width, rows * (0.4 + width / columns * height)), dpi=80, layout="constrained"
    )
    for axis, (name, mask) in zip(axes.flat, panels, strict=True):
        axis.imshow(coins, cmap="gray")
        axis.contour(outside, [0.5], colors="deepskyblue", linewidths=0.7)
        axis.contour(mask, [0.5], colors="red", linewidths=1.2)
        axis.set_title(name)
        axis.axis("off")
    plt.show()


show([("24 clicks, 3 strokes", inside), ("the shortest contours", mask)], 2, width=5.8)

# %% [markdown]
# No colours, no likelihood: the seeds and the edges.
#
# ## One parameter to play with
#
# `balloon`, $\nu$ in the formula, is a reward for each pixel of the object. Without it, two contours prefer the relief
# to the rim. A little, as above, drives them out to the rim; too much, and they burst; a negative one lets them shrink
# to the clicks.

# %%
# %config InlineBackend.figure_formats = ["jpeg"]
balloons = [-0.02, 0, 0.05]
show([(f"balloon = {nu}", segment_geodesic_contours(coins, inside, outside, balloon=nu)) for nu in balloons], 3)

# %% [markdown]
# ## When to stop
#
# The metric $g$ and the bounds are plain arrays, so the energy can be built by hand and given to `pdhg`, which returns
# the lower bound, too.

# %%
from varconvex import GeodesicContours, contrast_weight, pdhg

g = contrast_weight(coins / 255, spacing=(1, 1))
energy = GeodesicContours(np.zeros(coins.shape), 1.0, weight=g, balloon=0.02, lower=inside, upper=~outside)

records = []
solution = pdhg(energy, tol=1e-4, callback=lambda now: records.append((now.seconds, now.relative_gap, now.u > 0.5)))
seconds, gaps, masks = zip(*records, strict=True)

figure, (first, second, third) = plt.subplots(1, 3, figsize=(10, 3), dpi=80, layout="constrained")
first.imshow(g, cmap="gray")
first.set_title("the metric g: black is cheap")
first.axis("off")
second.semilogy(seconds, gaps, ".-")
second.set(xlabel="seconds", ylabel="relative gap", title="how far from the best, at most")
third.semilogx(gaps, [(mask != masks[-1]).sum() for mask in masks], ".-")
third.invert_xaxis()
third.set(xlabel="relative gap", ylabel="pixels", title="how far from the last mask")
plt.show()

# %% [markdown]
# ## Beside scikit-image
#
# `skimage.segmentation.morphological_geodesic_active_contour` moves a mask by morphological steps, with a balloon of
# one pixel a step to drive it, until `threshold` on the metric holds it. It gets the same metric, the same clicks to
# start from, and for each number of steps the best of five thresholds. All are measured by the formula above.

# %%
import time

from skimage.segmentation import morphological_geodesic_active_contour


def value(mask):
    down, right = np.zeros(g.shape), np.zeros(g.shape)
    down[:-1], right[:, :-1] = np.diff(mask.astype(float), axis=0), np.diff(mask.astype(float), axis=1)
    return (g * np.sqrt(down**2 + right**2)).sum() - 0.02 * mask.sum()


def morphological(steps, threshold):
    return morphological_geodesic_active_contour(g, steps, init_level_set=inside, balloon=1, threshold=threshold) > 0


found, table = [], [f"{'':26} seconds  energy"]
methods = {"segment_geodesic_contours": lambda: segment_geodesic_contours(coins, inside, outside, balloon=0.02)}
for steps in (15, 25, 40):
    best = min((0.2, 0.3, 0.4, 0.5, 0.6), key=lambda threshold: value(morphological(steps, threshold)))
    methods[f"scikit-image, {steps} steps"] = lambda steps=steps, best=best: morphological(steps, best)
for name, method in methods.items():
    method()  # once unmeasured
    start = time.perf_counter()
    contour = method()
    table.append(f"{name:26} {time.perf_counter() - start:7.2f} {value(contour):7.1f}")
    found.append((name, contour))
print("\n".join(table))
print(f"{'no mask is below':34} {solution.dual:7.1f}")
show(found, 4)

# %% [markdown]
# Seconds of one run each on the machine that made this page. A moving contour has to be told when to stop: small coins
# are full after 15 steps, large ones after 25, and by then the faint rims have leaked.
#
# ## Exercise
#
# Keep one click, and make its disc larger and smaller, with `balloon=0` and the border as the outside. From which
# radius on does the contour jump to the coin's rim, and why? (Compare the length of the disc's circle in the metric
# with that of the rim.) Then make `outside` a ring around that coin: how small may the click be now?
