"""The paper's regulariser (eq. 4) as a loss of PyTorch, and the projection onto convex sets as a layer.

    loss(N) = min over nu of ||N - sigma(-G_nu)||^2,        its gradient 2 (N - sigma(-G_nu)) at the minimiser

By the envelope theorem the network G need not be differentiated. `ConvexShape.distance` fits it in NumPy, on the CPU;
maps on another device travel there and back.
"""

from collections.abc import Hashable, Iterable
from typing import Any, Literal

import numpy as np
import torch

from .. import checks
from ..errors import InvalidImageError, InvalidParameterError
from ..keywords import known_keywords
from ..shapes.convex import ConvexShape
from ..shapes.icnn import ICNN
from ..shapes.soft import ConvexDistance
from ..threads import run

Reduction = Literal["mean", "sum", "none"]
"""One number for the batch: the mean over its maps and pixels, or the sum; or a number for each map."""


@known_keywords
class ConvexityLoss(torch.nn.Module):
    """Squared distance of maps of probabilities to the soft convex sets (eq. 4), to be added to a loss with a weight.

    A training with few labels learns from images without any that what it finds is convex. Each image has a network G
    of its own, from which the next step with this image begins: pass ``keys``. In evaluation mode networks are not
    replaced, so that the loss is a function of the maps.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers of G, the first at least 4. Wider ones fit corners better, and take longer.
    max_iter : int, at least 1
        Most steps that G makes towards the minimiser in a call. More come nearer; few suffice with `keys`.
    reduction : {"mean", "sum", "none"}
        The mean over maps and pixels; the sum, which is the paper's; or the sum over pixels of each map.

    Attributes
    ----------
    networks : dict
        The network of each key, in pixels. No part of the state dict; `clear` it where keys mean other images.

    Raises
    ------
    InvalidParameterError
        If a parameter is out of its range.

    Examples
    --------
    >>> convexity = ConvexityLoss()  # doctest: +SKIP
    >>> maps = torch.sigmoid(model(images))  # doctest: +SKIP
    >>> loss = data_term + 0.5 * convexity(maps, keys=indices)  # doctest: +SKIP
    """

    def __init__(self, hidden: tuple[int, ...] = (16, 8), *, max_iter: int = 3, reduction: Reduction = "mean"):
        super().__init__()
        self.shape = ConvexShape(hidden)
        self.max_iter = checks.whole_number("max_iter", max_iter, least=1)
        self.reduction = checks.one_of("reduction", reduction, Reduction)
        self.networks: dict[Hashable, ICNN] = {}

    def forward(self, maps: torch.Tensor, keys: Iterable[Hashable] | None = None) -> torch.Tensor:
        """The loss of a batch.

        Parameters
        ----------
        maps : (B, H, W), (B, 1, H, W) or (B, 1, D, H, W) float tensor in [0, 1]
            Probabilities of the object: ``torch.sigmoid(logits)``.
        keys : B hashable objects or a tensor of B integers, optional
            What each map's image is called, such as its index in the data set. Without them every call begins anew.

        Returns
        -------
        () or, without reduction, (B,) tensor

        Raises
        ------
        InvalidImageError
            If the maps have another form, are not finite, or leave [0, 1].
        InvalidParameterError
            If there is not one key for each map.
        """
        values = _values(maps)
        names = _names(keys, len(values))
        starts = [None if name is None else self.networks.get(name) for name in names]
        starts = [start if start is not None and start.dim == values.ndim - 1 else None for start in starts]

        def fitted(value: np.ndarray, start: ICNN | None) -> ConvexDistance:
            return self.shape.distance(value, start=start, max_iter=self.max_iter)

        found = _in_threads(fitted, list(zip(values, starts, strict=True)))
        if self.training:
            self.networks.update(
                {name: one.network for name, one in zip(names, found, strict=True) if name is not None}
            )
        squared = np.array([one.squared for one in found])
        gradient = np.stack([one.gradient for one in found]).reshape(tuple(maps.shape))
        each: torch.Tensor = _Envelope.apply(maps, squared, gradient)
        if self.reduction == "none":
            return each
        return each.sum() / (maps.numel() if self.reduction == "mean" else 1)


class _Envelope(torch.autograd.Function):
    """Values of a function of each map that are known, with their known gradient."""

    @staticmethod
    def forward(ctx: Any, maps: torch.Tensor, values: np.ndarray, gradient: np.ndarray) -> torch.Tensor:
        ctx.save_for_backward(torch.as_tensor(gradient, dtype=maps.dtype, device=maps.device))
        return torch.as_tensor(values, dtype=maps.dtype, device=maps.device)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, outer: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return outer.reshape(-1, *(1,) * (gradient.ndim - 1)) * gradient, None, None


@known_keywords
class ConvexProjection(torch.nn.Module):
    """The nearest digitally convex mask to each map of a batch, as a last layer at test time; it has no gradient.

    Each mask is what `varconvex.project` finds without training a network; `varconvex.certify_convexity` proves it.

    Parameters
    ----------
    shape : ConvexShape, optional
        What is fitted; by default without training a network.

    Examples
    --------
    >>> masks = torch.nn.Sequential(model, torch.nn.Sigmoid(), ConvexProjection())(images)  # doctest: +SKIP
    """

    def __init__(self, shape: ConvexShape | None = None):
        super().__init__()
        if not (shape is None or isinstance(shape, ConvexShape)):
            raise InvalidParameterError(f"shape must be a ConvexShape; got {shape!r}. Leave it out for its defaults.")
        self.shape = ConvexShape(steps=(0,)) if shape is None else shape

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Masks of zeros and ones in the type and form of `maps`, which are as for `ConvexityLoss`.

        A map with no value above one half has an empty mask.
        """
        masks = _in_threads(lambda value: self.shape.fit(value).mask, [(value,) for value in _values(maps)])
        return torch.as_tensor(np.stack(masks), dtype=maps.dtype, device=maps.device).reshape(maps.shape)


def _in_threads(work: Any, calls: list[tuple]) -> list[Any]:
    """`run`, with one thread of BLAS for each of ours: products are narrow."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):  # once around all: those within would restore each other's limits
        return run(work, calls)


def _values(maps: Any) -> np.ndarray:
    """A batch of maps as (B, *spatial) float64, or an InvalidImageError."""
    if not isinstance(maps, torch.Tensor) or not maps.is_floating_point():
        kind = maps.dtype if isinstance(maps, torch.Tensor) else type(maps).__name__
        raise InvalidImageError(f"maps must be a tensor of floats; got {kind}. Pass torch.sigmoid(logits).")
    shape = tuple(maps.shape)
    if maps.ndim == 3 or (maps.ndim in (4, 5) and shape[1] == 1):
        values = maps.detach().cpu().double().numpy()
        values = values if maps.ndim == 3 else values[:, 0]
    else:
        raise InvalidImageError(
            f"maps must be (B, H, W), (B, 1, H, W) or (B, 1, D, H, W); got shape {shape}. Pass one channel, as "
            "maps[:, k : k + 1]."
        )
    if 0 in shape:
        raise InvalidImageError(f"maps must have pixels; got shape {shape}. Is the batch empty?")
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 1):
        raise InvalidImageError(
            f"maps must hold probabilities in [0, 1]; got values from {low:g} to {high:g}. Pass torch.sigmoid(logits); "
            "NaN is a training that has diverged."
        )
    return values


def _names(keys: Any, count: int) -> list[Any]:
    """One key for each map, None where there are none; or an InvalidParameterError."""
    if keys is None:
        return [None] * count
    names = keys.tolist() if isinstance(keys, torch.Tensor | np.ndarray) else list(keys)
    if len(names) != count or not all(isinstance(name, Hashable) for name in names):
        raise InvalidParameterError(
            f"keys must be {count} hashable objects, one for each map; got {len(names)}: {names!r:.80}. Pass the "
            "images' indices in the data set."
        )
    return names
