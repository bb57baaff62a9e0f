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
# # Choosing a solver
#
# $$\min_{u \in [0, 1]} \; \langle c, u \rangle + \alpha \sum_x |\nabla u(x)|$$
#
# One problem, several ways: a primal-dual iteration, which can stop at any gap; a graph cut, which is exact when it ends, for
# lengths along a grid; level sets and walkers, which minimise something else and are used for the same.
#
# Iterations with a gap are **good at** large images and volumes, at running on a GPU, and at lengths as Euclid measures them. They
# are **bad at** the last digit: where a mask has to be *the* minimum to the last pixel and the image is small, a graph cut is as
# good.
#
# What follows is measured twice: here and now on one photograph, and in the project's benchmarks, whose figures are read from
# `benchmarks/results`.

# %%
# %config InlineBackend.figure_formats = ["jpeg"]
import time

import matplotlib.pyplot as plt
import numpy as np

from varconvex import TwoPhase, demo, get_backend, pdhg, segment, warm_up
from varconvex.plots import gap_curve, outline

image = demo.photograph()
learnt = segment(image, demo.SCRIBBLES)
cost = learnt.costs[1] - learnt.costs[0]
energy = TwoPhase(cost, alpha=20.0)
warm_up()  # compile before timing

solution = pdhg(energy, tol=1e-5)
curve = gap_curve(solution.history, cost.shape)
mask = outline(image, solution.mask, (255, 64, 64))
figure, axes = plt.subplots(1, 2, figsize=(11, 4), dpi=90, layout="constrained")
for axis, title, picture in zip(
    axes, ("The mask", f"Relative gap over {solution.iterations} iterations"), (mask, curve), strict=True
):
    axis.imshow(picture)
    axis.set_title(title)
    axis.axis("off")
plt.show()

# %% [markdown]
# ## Here and now
#
# The same cost for each length and tolerance, and masks of other libraries from the same strokes, all measured by the isotropic
# energy above. Seconds are relative to `tol=1e-3`, this package's default: only ratios travel between machines.

# %%
import cv2
from skimage.segmentation import random_walker


def grabcut():
    """OpenCV's answer to the strokes: it learns colours by itself."""
    given = np.full(cost.shape, cv2.GC_PR_BGD, np.uint8)
    given[learnt.seeds == 2], given[learnt.seeds == 1] = cv2.GC_FGD, cv2.GC_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image[..., ::-1].copy(), given, None, *models, 5, cv2.GC_INIT_WITH_MASK)
    return (given == cv2.GC_FGD) | (given == cv2.GC_PR_FGD)


contenders = {
    f"pdhg {tv}, tol={tol:g}": lambda tv=tv, tol=tol: pdhg(TwoPhase(cost, 20.0, tv=tv), tol=tol).mask
    for tv, tol in [
        ("isotropic", 1e-3),
        ("isotropic", 1e-2),
        ("isotropic", 1e-4),
        ("octagonal", 1e-3),
        ("anisotropic", 1e-3),
    ]
}
contenders["cv2.grabCut, 5 iterations"] = grabcut
contenders["random_walker, beta=130"] = lambda: (
    random_walker(image / 255, learnt.seeds, beta=130, mode="bf", channel_axis=-1) == 2
)
seconds, above = {}, {}
for name, run in contenders.items():
    begin = time.perf_counter()
    found = run()
    seconds[name] = time.perf_counter() - begin
    above[name] = (energy.value(get_backend(), found) - solution.dual) / abs(solution.dual)
unit = next(iter(seconds.values()))
print("                               time   above the bound")
for name in contenders:
    print(f"{name:27s} {seconds[name] / unit:7.1f} {above[name]:15.2%}")

# %% [markdown]
# The first five answer one question; the last two answer others, which is why their masks cost more by this energy.
#
# ## In the benchmarks
#
# `python -m benchmarks.solver --peers --output benchmarks/results` measures all of it side by side and writes `solver.json`.

# %%
import json
from pathlib import Path


def measured(name):
    """A file of benchmarks/results, or None and a sentence on how to get it."""
    for folder in (Path("..", "benchmarks", "results"), Path("benchmarks", "results")):
        if (folder / name).exists():
            return json.loads((folder / name).read_text(encoding="utf-8"))
    print(f"{name} has not been measured in this copy of the project; the benchmarks write it to benchmarks/results.")
    return None


kernels = measured("backends.json")
if kernels:
    for row in kernels["iterations"]:
        print(f"an iteration at {row['size']}²: {row['ratio']:.0f} times as fast compiled as in NumPy")
solver = measured("solver.json")
if solver:
    where = solver["environment"]
    print(
        f"solver.json: {where['processor']}, {where['threads']} threads, Python {where['python']}, numba {where['numba']}"
    )

# %% [markdown]
# Time over pixels: full lines to a certified gap, dashed lines other people's solvers on the same costs.

# %%
ALPHA = 8  # the weight of the boundary in most of the cases
cases = [case for case in solver["masks"] if case["alpha"] == ALPHA] if solver else []
if cases:
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for name in dict.fromkeys(name for case in cases for name in case["contenders"]):
        if name.startswith(("anisotropic", "octagonal")):
            continue  # other lengths, at about the isotropic one's speed
        points = [(case["side"], case["contenders"][name]["seconds"]) for case in cases if name in case["contenders"]]
        ours = name.startswith("isotropic")
        label = name.replace("isotropic", "pdhg to")
        axes.plot(*zip(*points, strict=True), "o-" if ours else "o--", linewidth=2 if ours else 1, label=label)
    sides = [case["side"] for case in cases]
    axes.set(xscale="log", yscale="log", ylabel="seconds", xlabel="pixels", title="Time to the mask")
    axes.set_xticks(sides, [f"{side}²" for side in sides])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    plt.show()
else:
    print("Without solver.json there is no curve to draw.")

# %% [markdown]
# ## One parameter to play with
#
# `SIDE`: the size of the image. How far each mask lies above the bound of each length tells which energy it is the answer to.

# %%
SIDE = 512
shown = [case for case in cases if case["side"] == SIDE] or cases[:1]
for case in shown:
    fastest = case["contenders"]["isotropic 0.001"]["seconds"]
    print(f"{case['name']}: how often the time of isotropic 0.001, and % above the bounds")
    print(f"{'':22s} {'time':>7s} " + "".join(f"{tv:>14s}" for tv in case["bounds"]))
    for name, row in case["contenders"].items():
        shares = "".join(f"{row['above'][tv]:14.2%}" for tv in case["bounds"])
        print(f"{name:22s} {row['seconds'] / fastest:7.1f} {shares}")
if not shown:
    print("Without solver.json there is no table to print.")

# %% [markdown]
# ## So
#
# | you want | take |
# |---|---|
# | a mask of known quality, soon | `TwoPhase(cost, alpha)`, `tol=1e-3` |
# | a mask that *is* the minimum up to the gap, without blocky edges | `tv="octagonal"` |
# | the minimum of the 4-neighbour energy | `tv="anisotropic"`, or a graph cut |
# | many problems that are nearly alike (video, sliders) | `pdhg(energy, start=solution)` |
# | K labels with a bound | `Potts(cost, alpha)` |
# | strokes and a photograph, no model of your own | `segment(image, scribbles)` |
# | what is not convex | `stationary`, which has no gap to show |
#
# ## Exercise
#
# At which `tol` does the isotropic mask stop changing on your own images? Compare masks, not gaps. Then run the benchmark on your
# machine, `python -m benchmarks.solver --sizes 256 512 --output .`, and read its `solver.json` here.
