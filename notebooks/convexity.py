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
# # Convexity: a set that cannot be otherwise
#
# $$G(x) = W_z\, \mathrm{relu}(W_0 x + b_0) + W_x x + b, \quad W_z \geq 0 \;\Longrightarrow\;
# \{x : G(x) \leq 0\} \text{ is convex}$$
#
# $$\text{sequential: } \min_{C \text{ convex}} \; \sum_{x \in C} \big(1 - 2 u(x)\big), \qquad
# \text{joint: } \min_{C \text{ convex},\, \theta} \; J(C; \theta)$$
#
# An input convex network (Amos, Xu and Kolter 2017, [arXiv:1609.07152](https://arxiv.org/abs/1609.07152)) is convex in $x$
# whatever its other weights are. So the object is convex by construction, not by a penalty; after rasterisation an exact check in
# integers certifies the mask. For a mask $u$ the sum is the squared distance $|u - 1_C|^2$ up to a constant; for soft $u$ it is
# another one, which noise does not flatten. The set itself is found on pixels, by dynamic programs; the network represents it.
#
# **Good at** objects that are known to be convex and stand beside others of their colour. **Bad at** objects that are not convex:
# it will make them so, and cut off whatever would have to be bridged.

# %%
# %config InlineBackend.figure_formats = ["jpeg"]
import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from varconvex import segment
from varconvex.plots import outline, segmented, strokes


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


image = data.coffee()
scribbles = {
    "object": [[(60, 200), (110, 240), (160, 290)], [(50, 350), (110, 380), (150, 350)], [(30, 250), (28, 330)]],
    "background": [
        [(60, 60), (10, 200)],
        [(10, 250), (8, 350), (60, 440)],
        [(250, 100), (330, 200), (340, 420), (150, 450)],
        [(120, 540), (380, 560)],
        [(240, 250), (280, 300)],
    ],
}
alone = segment(image, scribbles, components="all")
convex = segment(image, scribbles, shape="convex", unify="sequential")
panels = [
    ("Strokes: the inside of the cup, and the rest", strokes(image, alone.seeds, alone.label_ids)),
    ("The energy alone", segmented(alone, alone.labels)),
    ("The nearest convex set, certified", segmented(convex, convex.labels)),
]
show(panels)

# %% [markdown]
# The bright wood in the corner has the cup's colours, and so has the spoon's end: the energy takes both, and no stroke says that it
# may not; `components="all"` shows them. The projection is that of the part with the stroke.
#
# The integrality gap, the mask's energy minus the lower bound, says what being convex and binary costs at most:

# %%
print(convex.certificate)
print(
    f"integrality gap {convex.integrality_gap:,.0f} nats, {convex.integrality_gap / abs(convex.dual):.1%} of the bound"
)

# %% [markdown]
# ## Sequential and joint
#
# Sequential projects the solved $u$ once. Joint traces the convex outline of least objective $J$ by a dynamic program (length of the
# labels given the image, plus the boundary, which is cheap along edges), fits the colour models $\theta$ to both sides of it, and
# traces again. A step that does not lower $J$ is refused. At the end the outline is refined on the full grid, and one network is
# fitted to it; the last number below is $J$ of that mask.

# %%
joint = segment(image, scribbles, shape="convex")  # unify="joint" is the default with a shape
print("objective, step by step:", ", ".join(f"{value:,.0f}" for value in joint.objective))
panels = [
    (f"Sequential, {int(convex.mask.sum()):,} pixels", segmented(convex, convex.labels)),
    (f"Joint, {int(joint.mask.sum()):,} pixels", segmented(joint, joint.labels)),
]
show(panels)

# %% [markdown]
# ## The shape is a function
#
# Its levels are convex, all of them, and it can be asked anywhere.

# %%
rows, columns = np.mgrid[0:400:4, 0:600:4]
values = joint.shape(np.stack([rows.ravel(), columns.ravel()], axis=1)).reshape(rows.shape)
levels = np.sort(np.append(np.percentile(values, [20, 40, 60, 80]), 0))
figure, axes = plt.subplots(figsize=(6, 4), dpi=80, layout="constrained")
axes.contourf(columns, rows, joint.mask[::4, ::4], levels=[0.5, 1.5], colors=["mistyrose"])
lines = axes.contour(columns, rows, values, levels=levels, cmap="viridis", linewidths=1.5)
axes.clabel(lines, fmt="%.3g")
axes.set(title="Levels of G; the object is where G is at most 0", xticks=[], yticks=[], aspect="equal", ylim=(400, 0))
plt.show()

# %% [markdown]
# Convexity does not come from the fit. A network with random weights is convex, too: no midpoint lies above its chord.

# %%
from varconvex import ICNN

network = ICNN.random(2, (32, 32), random_state=0)
rng = np.random.default_rng(0)
a, b = rng.normal(size=(2, 10_000, 2))
lift = network((a + b) / 2) - (network(a) + network(b)) / 2
print(f"G(midpoint) minus the mean of G at the ends, the largest of 10,000: {lift.max():.1e}")

# %% [markdown]
# ## One parameter to play with
#
# `hidden`: how wide the network is. The mask hardly depends on it, since the outline is refined on pixels after the network has
# been trained, and a network that then differs from the mask is replaced by the exact one: six units do not make a hexagon.

# %%
from varconvex import ConvexShape

panels = []
for width in [6, 12, 48]:
    tried = segment(image, scribbles, shape=ConvexShape(hidden=(width,)), unify="sequential")
    title = (
        f"hidden = ({width},): {int(tried.mask.sum()):,} pixels, {np.sum(tried.mask != convex.mask)} from the default"
    )
    panels.append((title, segmented(tried, tried.labels)))
show(panels)

# %% [markdown]
# ## Beside OpenCV and scikit-image
#
# The usual way: `cv2.grabCut`, then the convex hull. A hull takes every pixel that it is given, stray ones first; `project` finds
# the convex set that differs from the mask at the fewest pixels.

# %%
import cv2
from skimage.morphology import convex_hull_image

from varconvex import project

mask = np.full(alone.seeds.shape, cv2.GC_PR_BGD, np.uint8)
mask[alone.seeds == 2], mask[alone.seeds == 1] = cv2.GC_FGD, cv2.GC_BGD
cv2.setRNGSeed(0)
cv2.grabCut(image[..., ::-1].copy(), mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
cut = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
hull, nearest = convex_hull_image(cut), project(cut)
panels = []
for name, found in [("grabCut", cut), ("its hull", hull), ("its projection", nearest.mask)]:
    panels.append((f"{name}: {np.mean(found != cut):.1%} changed", outline(image, found, (255, 208, 32))))
show(panels)

# %% [markdown]
# ## Exercise
#
# Ask for the saucer: three strokes on its red are enough for the energy. What does `shape="convex"` do with the part that the cup
# hides, and what does the integrality gap say? Which stroke makes it go on behind the cup?
