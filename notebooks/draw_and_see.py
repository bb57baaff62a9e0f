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
# # Draw and see
#
# `annotate` shows an image in the notebook. Each stroke on it is answered at once, and corrected by the next one.
#
# **Good at** images that need a person: few of them, or the first of many. **Bad at** thousands of images without one;
# what the strokes of one have taught can be applied to others (below).
#
# This notebook also runs where nobody draws: its strokes are added from Python, and reach the same session as those of
# the canvas.

# %% tags=["thumbnail"]
from IPython.display import Image

Image(
    "site/_static/jupyterlab-none.jpg", alt="the canvas: strokes on a dahlia and on the leaves, and the outline found"
)

# %% [markdown]
# In your own notebook, write `w` in a cell of its own to show the canvas.

# %%
from varconvex import demo
from varconvex.widget import annotate

image = demo.photograph()
w = annotate(image, labels={2: "bloom"}, unify="sequential")  # every keyword of segment
w.labels, w.result

# %% [markdown]
# ## Strokes
#
# What the pen does on the canvas, in code. A stroke is a polyline of (row, column); `width` is the diameter of the brush in
# pixels.

# %%
w.session.add([(150, 230), (200, 300), (270, 350)], 2, width=8)
w.session.add([(40, 60), (200, 70), (380, 60)], 1, width=8)
w.refresh()  # a canvas that is shown now has these strokes, too
w.result

# %% [markdown]
# Look, and draw where it is wrong, or where it might be.

# %%
w.session.add([(60, 560), (200, 580), (330, 560)], 1, width=8)
w.session.add([(30, 150), (25, 480)], 1, width=8)
w.session.add([(250, 230), (170, 370)], 2, width=8)
w.result

# %%
print(w.result.status, f"at a gap of {w.result.relative_gap:.1e};", "strokes on", (w.scribbles > 0).sum(), "pixels")

# %% [markdown]
# Undo goes back to the former answer without solving; so does redo.

# %%
last = w.result
w.session.undo()
print("pixels that the last stroke changed:", (w.result.labels != last.labels).sum())
w.session.redo()
print("the same answer as before:", w.result is last)

# %% [markdown]
# ## A shape
#
# The menu on the canvas gives each object a shape. Strokes stay. With `unify="sequential"` the convex set is the one nearest
# to the answer above.

# %%
w.session.shape = {2: "convex"}
w.result

# %%
w.result.certificate

# %% [markdown]
# ## Another image
#
# `transfer` makes a session for another image, which knows the colours of these strokes. Here the other image is the same
# photograph, darker and mirrored. It gets no stroke, so both blooms are taken: nothing says which one is meant.

# %%
w.session.shape = None
other = w.session.transfer((image[:, ::-1] * 0.6).astype(image.dtype))
other.result

# %% [markdown]
# `annotate(other)` shows it on a canvas, for corrections. `w.session.save("strokes.npz")` keeps strokes and settings,
# `Session.load` brings them back.
#
# ## Exercise
#
# Show `w` and erase one of the strokes on the leaves. Which part of the outline was held by it? Then choose "certainty": are
# those the pixels that were uncertain before?
