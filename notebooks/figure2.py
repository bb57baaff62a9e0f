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
# # A network, a shape, and the two together
#
# The paper's Figure 2 on one image. A small network is trained on the scribbles of this one image, and sees the
# colour and a few filter responses of a pixel, but not where it is:
#
# $$N_\theta(f) \in [0, 1]^{H \times W}, \qquad \theta = \operatorname{argmin} \ \mathrm{CE}(\text{scribbles}).$$
#
# Its answer is scattered. **Sequential** unification projects it onto the convex sets; **joint** unification also lets
# the network learn from the convex set, in turns, while one objective falls.
#
# **Good at** telling objects by colour and texture. **Bad at** what needs meaning: the responses know edges, not
# things.

# %%
import numpy as np
from scipy.ndimage import gaussian_filter

from varconvex import segment
from varconvex.metrics import iou
from varconvex.plots import few_colours, outline, sheet, strokes
from varconvex.predictors import FcnPredictor

# A striped balloon before clouds and a meadow, in which its colours come back as flowers.
rng = np.random.default_rng(4)
rows, columns = np.mgrid[:180, :240]
balloon = ((rows - 75) / 62) ** 2 + ((columns - 125) / 50) ** 2 < 1
colours = np.array([(0.85, 0.2, 0.15), (0.95, 0.75, 0.2), (0.45, 0.3, 0.6)])
clouds = gaussian_filter(rng.normal(size=(180, 240)), 10)[..., None]
image = np.array([0.45, 0.65, 0.9]) + 2.5 * clouds
image = np.where((rows > 140)[..., None], (0.3, 0.5, 0.2), image)
flowers = gaussian_filter(rng.normal(size=(180, 240)), 2) > np.where(rows > 140, 0.16, 0.27)
image[flowers] = colours[rng.integers(3, size=flowers.sum())]
image[balloon] = colours[(columns - 75) // 17 % 3][balloon]
image = (np.clip(image + rng.normal(scale=0.07, size=image.shape), 0, 1) * 255).astype(np.uint8)
scribbles = {
    "object": [[(50, 84), (70, 100)], [(95, 84), (110, 102)]],  # the third colour is not touched
    "background": [[(20, 20), (150, 25)], [(15, 210), (120, 215)], [(165, 40), (165, 200)]],
}
network = FcnPredictor(inputs="rgb+features", members=2, steps=300)

# %% [markdown]
# ## (a) Scribbles, (b) the network alone, (c) its projection
#
# `alpha=0` leaves out the total variation that would smooth the network's answer: this is the paper's setting.

# %%
scattered = segment(image, scribbles, 0.0, predictor=network, shape="convex", unify="sequential", random_state=0)
print(scattered.certificate)
print(f"intersection over union: network {iou(scattered.unconstrained == 2, balloon):.3f}", end=", ")
print(f"projection {iou(scattered.mask, balloon):.3f}")

# %% [markdown]
# ## (d) Joint
#
# The network learns from both sides of the convex set, and the set is fitted again. Each step has to lower the
# objective, or is refused.

# %%
joint = segment(image, scribbles, 0.0, predictor=network, shape="convex", random_state=0)
print(f"intersection over union: network {iou(joint.unconstrained == 2, balloon):.3f}", end=", ")
print(f"joint {iou(joint.mask, balloon):.3f}")
print("objective:", " ".join(f"{value:,.0f}" for value in joint.objective))


# %%
def cut_out(mask):
    return np.where(mask[..., None], image, image // 4)


page = sheet(
    [
        ("(a) scribbles", strokes(image, scattered.seeds, (1, 2))),
        ("(b) the network alone", cut_out(scattered.unconstrained == 2)),
        ("(c) its projection", outline(image, scattered.mask, (255, 64, 64))),
        ("(d) joint", outline(image, joint.mask, (255, 64, 64))),
    ],
    columns=2,
)
few_colours(page)

# %% [markdown]
# What has the network learnt from the shape? Its own answer, before and after:

# %%
few_colours(
    sheet([("before", cut_out(scattered.unconstrained == 2)), ("after", cut_out(joint.unconstrained == 2))], columns=2)
)

# %% [markdown]
# ## One parameter to play with
#
# `noise` is the jitter of what the network sees while it learns. Without it the strokes are learnt by heart.

# %%
panels = []
for noise in (0.0, 0.4, 1.0):
    jittered = FcnPredictor(inputs="rgb+features", members=2, steps=300, noise=noise)
    tried = segment(image, scribbles, 0.0, predictor=jittered, components="all")
    panels.append((f"noise {noise}", cut_out(tried.mask)))
few_colours(sheet(panels, columns=3))

# %% [markdown]
# ## Exercise
#
# Give the network the pixel's place, too (`inputs="rgb+xy+features"`), and then the energy (leave out the `0.0`). How
# much is left for the convex shape to do, and for joint unification?
