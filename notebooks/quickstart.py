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
# # Quickstart: one dahlia, not two
#
# $$\min_{u \in [0, 1]} \; \langle c, u \rangle + \alpha \sum_x g(x)\, |\nabla u(x)|$$
#
# The cost $c$ says how much less likely the object's colours are than the background's at each pixel, learnt from a
# few scribbles. The total variation makes boundaries short and, through $g$, draws them to the image's edges.
#
# **Good at** objects that colour and position tell apart. **Bad at** telling apart two things of the same colour,
# unless their shape does: below the dahlia there is part of a second bloom.

# %%
from varconvex import demo, segment

image = demo.photograph()
result = segment(image, demo.SCRIBBLES, components="all")  # by default only parts that hold a stroke are kept
result

# %% [markdown]
# The energy takes both blooms. How good is the answer? The solver stopped at a *gap*: no segmentation whatsoever has
# an energy below `dual`.

# %%
print(f"energy of the mask   {result.energy:12,.1f}")
print(f"lower bound          {result.dual:12,.1f}")
print(f"relative gap of u    {result.relative_gap:12.1e}")
print(f"integrality gap      {result.integrality_gap / abs(result.dual):12.2%}   what rounding u to a mask costs")

# %% [markdown]
# Ask for a convex object. The convex set nearest to the scribbled part of the solved $u$ is found (`unify="sequential"`; the default,
# joint unification, is shown in [convexity](convexity.ipynb)), represented as $\{x : G(x) \leq 0\}$ with
# $G$ an input convex neural network, and the mask is certified in integer arithmetic.

# %% tags=["thumbnail"]
convex = segment(image, demo.SCRIBBLES, shape="convex", unify="sequential")
convex

# %%
print(convex.certificate)
print(f"integrality gap {convex.integrality_gap / abs(convex.dual):.1%} of the bound: the second bloom is left out")

# %% [markdown]
# The whole story on one page: scribbles, likelihood, energy alone, convex object, gap.

# %%
from varconvex.plots import few_colours

few_colours(convex.plot())  # keeps the notebook small

# %% [markdown]
# ## One parameter to play with
#
# `alpha` weighs the boundary, in nats per pixel of its length. Bigger is smoother; 0 believes the likelihood at every
# pixel.

# %%
from varconvex.plots import segmented, sheet

alphas = [0, 20, 100, 1000]
panels = []
for alpha in alphas:
    tried = segment(image, demo.SCRIBBLES, alpha, components="all")
    panels.append((f"alpha = {alpha}, {int(tried.mask.sum()):,} pixels", segmented(tried, tried.labels)))
few_colours(sheet(panels, columns=2))

# %% [markdown]
# ## The shape is a function
#
# It can be asked at any point and drawn at any resolution.

# %%
print("G at the bloom's centre:", convex.shape([[220, 310]]))
print("G at the second bloom:  ", convex.shape([[405, 370]]))
print("pixels at three times the resolution:", int(convex.shape.rasterize((1281, 1920)).sum()))

# %% [markdown]
# ## Exercise
#
# Without a shape and without `components="all"` the second bloom is left out as well. Where do the two answers differ, and
# which one has the lower energy? (Compare `energy` and `mask`.) Then scribble on the second bloom, too: what does
# `shape="convex"` do now, and why?
