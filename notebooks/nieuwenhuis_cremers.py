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
# # Scribbles and several labels: colours that depend on the place
#
# $$\min_{u} \; \sum_k \langle c_k, u_k \rangle + \frac{\alpha}{2} \sum_k \sum_x g(x)\, |\nabla u_k(x)|,
# \qquad u_k \geq 0, \quad \sum_k u_k = 1$$
#
# $$c_k(x) = -\log \frac{1}{m_k} \sum_j \mathcal{N}\big(x;\, x_{kj},\, \rho_k(x)^2\big)\;
# \mathcal{N}\big(I(x);\, I_{kj},\, \sigma^2\big)$$
#
# Each pixel $x_{kj}$ of a stroke of label $k$ votes for its own colour, loudest in its own neighbourhood: $\rho_k$ grows with
# the distance to the label's nearest stroke (Nieuwenhuis and Cremers 2013,
# [doi:10.1109/TPAMI.2012.183](https://doi.org/10.1109/TPAMI.2012.183)).
#
# **Good at** several things at once, and at things whose colour changes across the image: a sky that pales towards the
# horizon, a roof of many colours. **Bad at** colours that no stroke touches, and at telling things apart that share both
# colour and place.

# %%
# %config InlineBackend.figure_formats = ["jpeg"]
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from varconvex import segment
from varconvex.plots import evidence, photograph, segmented, strokes


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


image = load_sample_image("china.jpg")
scribbles = {
    1: [[(60, 60), (40, 120)], [(50, 400), (90, 600)], [(190, 360), (193, 540)]],  # sky, the background
    2: [[(40, 205), (110, 210), (250, 210), (330, 200)], [(130, 150), (130, 270)], [(380, 250), (380, 300)]],  # pagoda
    3: [[(390, 40), (400, 180)], [(350, 480), (390, 420)], [(190, 610), (400, 610)], [(215, 15), (240, 40)]],  # trees
    4: [[(250, 400), (270, 540)], [(300, 20), (290, 50)], [(300, 400), (290, 440)]],  # water
}
everywhere = {"components": "all"}  # labels are kinds of things here: not every tree needs a stroke
result = segment(image, scribbles, **everywhere)
panels = [
    ("Strokes: sky, pagoda, trees, water", strokes(photograph(result.image), result.seeds, result.label_ids)),
    ("Cheapest label at each pixel", evidence(result.costs)),
    (f"Four labels together, relative gap {result.relative_gap:.0e}", segmented(result, result.labels)),
]
show(panels)

# %% [markdown]
# All labels are solved together, and each boundary is paid for once. With more than two labels the relaxation is not
# tight: the integrality gap says how much, at most, the labels cost above the best there is.

# %%
for label, name in zip(result.label_ids, ["sky", "pagoda", "trees", "water"], strict=True):
    print(f"{name:8s} {np.mean(result.labels == label):6.1%} of the image")
gap = result.integrality_gap
print(f"integrality gap {gap:,.0f} nats, {gap / result.energy:.2%} of the labels' energy")

# %% [markdown]
# ## What the place is worth
#
# With a very large `rho_factor` every stroke speaks for the whole image, as in a model of colours alone; `"gaussian_mixture"`
# is the usual one of those (grabCut's).

# %%
from varconvex.likelihoods import NieuwenhuisCremersLikelihood

panels = [("rho_factor = 5, the default", evidence(result.costs))]
for name, likelihood in [
    ("rho_factor = 1000", NieuwenhuisCremersLikelihood(rho_factor=1000)),
    ("Gaussian mixtures of colours", "gaussian_mixture"),
]:
    other = segment(image, scribbles, likelihood=likelihood, **everywhere)
    differs = np.mean(other.labels != result.labels)
    panels.append((f"{name}: {differs:.1%} of labels change", evidence(other.costs)))
show(panels)

# %% [markdown]
# ## One parameter to play with
#
# `alpha` weighs the boundaries, in nats per pixel of their length. Bigger is smoother: windows and railings go first, then whole
# things.

# %%
panels = []
for alpha in [0, 20, 500, 3000]:
    tried = segment(image, scribbles, alpha, **everywhere)
    panels.append((f"alpha = {alpha}", segmented(tried, tried.labels)))
show(panels)

# %% [markdown]
# ## Beside scikit-image
#
# `random_walker` takes the same strokes (as a label image, `result.seeds`) and looks at the edges between them alone: it has no
# idea of a label's colours, and no cost of a boundary. Which answer is better is for your eyes; which energy is lower is not the
# question, since the walker minimises another one.

# %%
import time

from skimage.segmentation import random_walker

begin = time.perf_counter()
walked = random_walker(image / 255, result.seeds, beta=130, mode="bf", channel_axis=-1)
theirs = time.perf_counter() - begin
begin = time.perf_counter()
segment(image, scribbles, **everywhere)
ours = time.perf_counter() - begin
print(f"random_walker takes {theirs / ours:.1f} times as long as segment, here and now")
panels = [("random_walker, beta = 130", segmented(result, walked)), ("segment", segmented(result, result.labels))]
show(panels)

# %% [markdown]
# ## Exercise
#
# Take the stroke along the horizon away from the sky: who gets the mist, and why? Then give the boats and the island in the water
# a label 5 of their own. Does `relaxation="ccp"` lower the integrality gap, and is it worth its time?
