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
# # Chan and Vese: regions of one colour each
#
# $$\min_{\text{labels},\, c} \; \sum_k \sum_{x \text{ labelled } k} |f(x) - c_k|^2 + \alpha \cdot \text{length of the
# boundaries}$$
#
# Chan and Vese (2001, [doi:10.1109/83.902291](https://doi.org/10.1109/83.902291)) moved a contour downhill. For given
# colours $c$ nothing has to move: two regions are a convex problem (Chan, Esedoglu, Nikolova 2006,
# [doi:10.1137/040615286](https://doi.org/10.1137/040615286)), solved to its global minimum. Colours and labels are
# fitted in turns.
#
# **Good at** things that differ from their surroundings in brightness or colour, even with blurred edges. **Bad at**
# uneven light, texture, and things of two colours. The colours are a local optimum, as in K-means.

# %%
import matplotlib.pyplot as plt
import numpy as np
from skimage import data

from varconvex import segment_chan_vese

camera, coins = data.camera(), data.coins()


def show(panels, width=10):
    """Pictures (name, image, mask) side by side, with the mask's outline."""
    height = panels[0][1].shape[0] / panels[0][1].shape[1]
    _, axes = plt.subplots(
        1, len(panels), figsize=(width, 0.4 + width / len(panels) * height), dpi=80, layout="constrained"
    )
    for axis, (name, image, mask) in zip(axes, panels, strict=True):
        axis.imshow(image, cmap="gray")
        if mask is not None:
            axis.contour(mask, [0.5], colors="red", linewidths=1)
        axis.set_title(name)
        axis.axis("off")
    plt.show()


show(
    [
        ("good: dark on bright", camera, segment_chan_vese(camera)),
        ("bad: uneven light", coins, segment_chan_vese(coins)),
    ],
    width=5.4,
)

# %% [markdown]
# ## One parameter to play with
#
# `alpha` weighs the boundary. Bigger is smoother; 0 is K-means, and asks each pixel alone.

# %%
# %config InlineBackend.figure_formats = ["jpeg"]
alphas = [0, 0.25, 2, 10]
show([(f"alpha = {alpha}", camera, segment_chan_vese(camera, alpha=alpha)) for alpha in alphas])

# %% [markdown]
# ## More regions, in colour

# %%
coffee = data.coffee()[::2, ::2]
panels = [("coffee", coffee, None)]
for n_regions in (2, 3, 5):
    labels = segment_chan_vese(coffee, n_regions, alpha=0.1, channel_axis=-1)
    means = np.stack([coffee[labels == k].mean(axis=0) for k in range(n_regions)])
    panels.append((f"{n_regions} regions", means.astype(np.uint8)[labels], None))
show(panels)

# %% [markdown]
# ## When to stop
#
# For given colours the labels come with a *gap* between their relaxed energy and a lower bound. The mask is $u$ cut at
# one half. It is finished long before $u$ is:

# %%
from varconvex import ChanVese, pdhg

records = []
energy = ChanVese(camera / 255, means=(0.1, 0.6), alpha=2.0)
solution = pdhg(energy, tol=1e-5, callback=lambda now: records.append((now.iteration, now.relative_gap, now.u > 0.5)))
iterations, gaps, masks = zip(*records, strict=True)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), dpi=80, layout="constrained")
left.semilogy(iterations[1:], gaps[1:], ".-")
left.set(xlabel="iterations", ylabel="relative gap", title="how far from the best energy, at most")
right.semilogx(gaps, [(mask != solution.mask).mean() * 100 for mask in masks], ".-")
right.invert_xaxis()
right.set(xlabel="relative gap", ylabel="% of all pixels", title="how far from the last mask")
print(f"relaxed energy   {solution.primal:10.2f}")
print(f"lower bound      {solution.dual:10.2f}")
print(f"the mask's       {solution.energy:10.2f}   {solution.energy / solution.dual - 1:.2%} above the bound")
plt.show()

# %% [markdown]
# What is left between mask and bound is the cost of rounding, and no iteration will lower it: on the grid a slanted
# boundary is a little longer as a staircase of whole pixels than as a blur. A gap smaller than 0.001, the default,
# does not improve a mask. The notebook on the gap has more.
#
# ## Beside scikit-image
#
# `skimage.segmentation.chan_vese` moves a level set, for which `mu` is our `alpha`, and takes grey images and two
# regions. Both answers are held against the formula above, with the means of their own regions.

# %%
import time

from skimage.segmentation import chan_vese

f = camera / 255


def value(mask, alpha):
    down, right = np.zeros_like(f), np.zeros_like(f)
    down[:-1], right[:, :-1] = np.diff(mask.astype(float), axis=0), np.diff(mask.astype(float), axis=1)
    squares = sum(((f[part] - f[part].mean()) ** 2).sum() for part in (mask, ~mask) if part.any())
    return squares + alpha * np.sqrt(down**2 + right**2).sum()


found, table = [], []
for alpha in (0.25, 2):
    for name, method in {
        "segment_chan_vese": lambda alpha=alpha: segment_chan_vese(f, alpha=alpha) == 1,
        "skimage chan_vese": lambda alpha=alpha: chan_vese(f, mu=alpha),
    }.items():
        start = time.perf_counter()
        mask = method()
        took = time.perf_counter() - start
        table.append(f"alpha = {alpha:<4}  {name}  {took:6.2f} s  energy {value(mask, alpha):9.1f}")
        found.append((f"{name}, {alpha}", camera, mask))
print("\n".join(table))
show(found)

# %% [markdown]
# Seconds of one run each on the machine that made this page, compiled before, with defaults otherwise; scikit-image
# uses one core. It stops when its contour has moved little, which can be far from its stationary point.
#
# ## Exercise
#
# Rescue the coins: subtract from `coins` what is large and slow in it (a wide Gaussian blur, or `denoise_tv_l1` with an
# `alpha` above the coins' radius) and segment the difference. Or give up on two regions: from which `n_regions` on can
# you put the coins together from labels?
