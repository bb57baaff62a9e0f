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
# # Potts: K labels, and how tight a relaxation is
#
# $$\min_{u \geq 0,\; \sum_k u_k = 1} \; \sum_k \langle c_k, u_k \rangle + \alpha \, R(\nabla u)$$
#
# Each pixel takes one of $K$ labels, label $k$ costs $c_k(x)$ there, and boundaries cost $\alpha$ a pixel of length.
# For three labels and more that is NP-hard, so $u$ may be anything between labels, and $R$ says what a mixture pays.
# Two answers agree on every label image, but not between them:
#
# * **Zach** et al. (2008; see [doi:10.1007/s11263-013-0619-y](https://doi.org/10.1007/s11263-013-0619-y)): half the
#   total variation of each label, $R = \tfrac12 \sum_k |\nabla u_k|$. Fast.
# * **Chambolle, Cremers and Pock** (2012, [doi:10.1137/110856733](https://doi.org/10.1137/110856733)): the largest
#   convex function of its kind, $R = \max \sum_k p_k \cdot \nabla u_k$ over all $p$ with $|p_i - p_j| \leq 1$. Several
#   times as much work for an iteration.
#
# **Good at** a few labels with short boundaries, and at saying how far from the best they can be. **Bad at** knowing
# what labels cost (that is your part), and at many labels at once: the work grows with $K$, for the second relaxation
# with the number of pairs.

# %%
import cv2
import matplotlib.pyplot as plt
import numpy as np
from skimage import color, data

from varconvex import segment_potts

coffee = data.coffee()[::2, ::2]
colours = color.rgb2lab(coffee).astype(np.float32) / 100
cv2.setRNGSeed(0)
stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
centres = cv2.kmeans(colours.reshape(-1, 3), 5, None, stop, 3, cv2.KMEANS_PP_CENTERS)[2]
cost = ((colours - centres[:, None, None]) ** 2).sum(axis=-1)  # (5, H, W): squared distance to each of five colours


def paint(labels):
    """Each label in its mean colour."""
    means = [coffee[labels == k].mean(axis=0) if (labels == k).any() else (0, 0, 0) for k in range(len(cost))]
    return np.uint8(means)[labels]


def show(panels, columns, width=10):
    """Pictures (name, picture) on a page, row by row."""
    rows = -(-len(panels) // columns)
    height = panels[0][1].shape[0] / panels[0][1].shape[1]
    _, axes = plt.subplots(
        rows, columns, figsize=(width, rows * (0.4 + width / columns * height)), dpi=80, layout="constrained"
    )
    for axis, (name, picture) in zip(axes.flat, panels, strict=True):
        axis.imshow(picture)
        axis.set_title(name)
        axis.axis("off")
    plt.show()


nearest = cost.argmin(axis=0)
show(
    [("coffee", coffee), ("nearest of 5 colours", paint(nearest)), ("Potts", paint(segment_potts(cost, 0.1)))],
    3,
    width=6.6,
)

# %% [markdown]
# ## One parameter to play with
#
# `alpha` weighs the boundaries, in the unit of the costs per pixel of length. 0 is the nearest colour; bigger leaves
# fewer and rounder regions, until the cheapest label takes all.

# %%
# %config InlineBackend.figure_formats = ["jpeg"]
alphas = [0.02, 0.1, 0.5, 2]
show([(f"alpha = {alpha}", paint(segment_potts(cost, alpha))) for alpha in alphas], 2)

# %% [markdown]
# ## Where the two relaxations part
#
# Three labels are known outside of a disc and unknown within. The shortest boundaries meet in the middle at angles of
# 120 degrees. Zach's finds a cheaper mixture there, for which no label image stands; the other's bound is higher.
# Red, green and blue are the labels, so that mixed colours are mixed labels.

# %%
from varconvex import Potts, pdhg

rows, columns = np.mgrid[-47.5:48, -47.5:48]
sector = (np.degrees(np.arctan2(rows, columns)) + 30) % 360 // 120
unknown = np.hypot(rows, columns) < 30
hole = np.stack([5.0 * (sector != k) * ~unknown for k in range(3)])

panels, table = [("known outside", np.where(unknown[..., None], 0.8, np.eye(3)[sector.astype(int)]))], []
for relaxation in ("zach", "ccp"):
    solution = pdhg(Potts(hole, 1.0, relaxation=relaxation), tol=1e-4)
    panels.append((f"u by {relaxation!r}", np.clip(solution.u.transpose(1, 2, 0), 0, 1)))
    table.append(
        f"{relaxation:5} bound {solution.dual:6.2f}, labels {solution.energy:6.2f}: "
        f"{solution.energy / solution.dual - 1:.1%} apart; mixed pixels {(solution.u.max(axis=0) < 0.9).sum()}"
    )
print("\n".join(table))
show(panels, 3)

# %% [markdown]
# ## When to stop
#
# On the photograph the two bounds are nearly the same, as junctions are rare there. Once the gap is below 0.001, the
# default, a pixel in a hundred still changes hands, for less than rounding costs anyway: what stays between labels and
# bound, as boundaries of whole pixels are longer than those of $u$, and no relaxation is tight.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), dpi=80, layout="constrained")
bounds, table = {}, [f"{'alpha = 0.5':12} seconds    bound of u    energy   labels above bound   mixed pixels"]
for relaxation in ("zach", "ccp"):
    energy = Potts(cost, 0.5, relaxation=relaxation)
    records = []
    solution = pdhg(
        energy,
        tol=1e-4,
        callback=lambda now, records=records: records.append((now.seconds, now.relative_gap, now.u.argmax(0))),
    )
    seconds, gaps, labels = zip(*records, strict=True)
    left.semilogy(seconds, gaps, ".-", label=relaxation)
    right.semilogx(gaps, [100 * (now != labels[-1]).mean() for now in labels], ".-", label=relaxation)
    bounds[relaxation] = solution.dual
    table.append(
        f"{relaxation:12} {seconds[-1]:7.2f} {solution.dual:13.2f} {solution.primal:9.2f} "
        f"{solution.energy / solution.dual - 1:20.2%} {(solution.u.max(axis=0) < 0.9).mean():14.1%}"
    )
left.set(xlabel="seconds, coarse grids included", ylabel="relative gap", title="how far from the best u, at most")
right.set(xlabel="relative gap", ylabel="% of all pixels", title="how far from the last labels")
right.invert_xaxis()
left.legend()
print("\n".join(table))
plt.show()

# %% [markdown]
# ## Beside OpenCV and scikit-image
#
# Neither minimises this energy for more than two labels. What people do is `cv2.kmeans`, then a vote in a window,
# `skimage.filters.rank.majority`. Labels of both are held against the formula above.

# %%
import time

from skimage.filters.rank import majority
from skimage.morphology import disk


def value(labels, alpha):
    down, right = np.zeros(cost.shape), np.zeros(cost.shape)
    each = (labels == np.arange(len(cost))[:, None, None]).astype(float)
    down[:, :-1], right[:, :, :-1] = np.diff(each, axis=1), np.diff(each, axis=2)
    return np.take_along_axis(cost, labels[None], axis=0).sum() + alpha / 2 * np.sqrt(down**2 + right**2).sum()


methods = {
    "nearest colour": lambda: cost.argmin(axis=0),
    **{
        f"majority, radius {radius}": lambda radius=radius: majority(nearest.astype(np.uint8), disk(radius)).astype(int)
        for radius in (2, 4, 8, 12)
    },
    "Potts, 'zach'": lambda: segment_potts(cost, 0.5),
    "Potts, 'ccp'": lambda: segment_potts(cost, 0.5, relaxation="ccp"),
}
found, table = {}, [f"{'alpha = 0.5':20} seconds   energy   above the bound"]
for name, method in methods.items():
    method()  # once unmeasured
    start = time.perf_counter()
    labels = found[name] = method()
    took = time.perf_counter() - start
    table.append(f"{name:20} {took:7.2f} {value(labels, 0.5):8.1f} {value(labels, 0.5) / bounds['ccp'] - 1:17.1%}")
print("\n".join(table))
show([(name, paint(found[name])) for name in ("nearest colour", "majority, radius 8", "Potts, 'zach'")], 3)

# %% [markdown]
# Seconds of one run each on the machine that made this page. A vote moves boundaries without asking the image;
# the energy moves them where it is cheapest.
#
# ## Exercise
#
# Recompute `cost` from the mean colours of the labels and solve again, until nothing changes: which model have you
# built? (`segment_chan_vese` does this.) Then give `segment_potts` the `weight` that
# `varconvex.contrast_weight(coffee / 255)` makes, and raise `alpha` to match. Which regions come back?
