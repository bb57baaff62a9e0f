"""Choices among named options, as types.

Run-time checks read the names from here: `checks.one_of("tv", value, TV)`; `typing.get_args(TV)` lists them.
"""

from typing import Literal

TV = Literal["isotropic", "anisotropic", "octagonal"]
"""Norm of a gradient in the total variation: Euclidean, a sum over the axes, or over axes and diagonals (2-D only)."""

Relaxation = Literal["zach", "ccp"]
"""Convex relaxation of K regions: Zach et al. 2008, or the tighter one of Chambolle, Cremers, Pock 2012."""

Status = Literal["converged", "max_iter", "time_limit", "stopped"]
"""Why a solver stopped; "stopped" is by the callback."""

Unify = Literal["sequential", "joint"]
"""Shape fitted to the finished prediction, or prediction and shape lowered together."""

Components = Literal["all", "scribbled"]
"""Connected parts of the object that are kept: all, or those that hold one of its scribbles."""

NanPolicy = Literal["raise", "mask"]
"""Pixels that are not finite: an error, or left out as if masked."""

Kind = Literal["probability", "logits"]
"""Unit of a given soft map."""

EdgeWeight = Literal["contrast"]
"""Edge weights computed from the image (None is 1 everywhere; an array holds the weights themselves)."""

Content = Literal["labels", "mask", "probability", "outlines", "table"]
"""What of a result is written to a file."""
Viewer = Literal["napari", "page"]
"""Where `varconvex annotate` shows an image."""
