"""`ScribbleClassifier`: `segment` as a classifier of scikit-learn, with an image as X and its scribbles as y."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Self

import numpy as np
from scipy.ndimage import label
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from . import checks
from .api import segment
from .errors import InvalidImageError, InvalidParameterError
from .families import find
from .keywords import known_keywords
from .scribbles import label_image


@known_keywords
class ScribbleClassifier(ClassifierMixin, BaseEstimator):
    """Segmentation from scribbles in scikit-learn's form: `fit`, `predict`, `predict_proba`, `clone`, `GridSearchCV`.

    X is an image and y the label image of its scribbles (0 unlabelled, 1 background, 2.. objects); or, for
    cross-validation, X and y are the pixels of one image as rows, which `pixel_table` makes: then folds hold pixels out
    of one image. Pixels that `predict` sees and `fit` did not are added to the image without a label, and all is solved
    again; another image is put below the one that was scribbled on.

    Parameters
    ----------
    alpha, shape, unify, predictor, likelihood, edge_weight, tv, components, tol, random_state
        As in `segment`.
    sigma, rho_factor : float, optional
        Widths of the likelihood's kernels in colour and position (see `NieuwenhuisCremersLikelihood`), in place of the
        likelihood's own.
    options : dict, optional
        Further keywords of `segment`.

    Attributes
    ----------
    classes_ : (K,) int array
        Labels, ascending.
    result_ : Segmentation or None
        Of the image that was passed to `fit`; None if its pixels were not all there.

    Examples
    --------
    >>> import numpy as np
    >>> from varconvex import ScribbleClassifier
    >>> image = (np.hypot(*np.mgrid[-30:31, -30:31]) < 15).astype(float)
    >>> scribbles = np.zeros(image.shape, int)
    >>> scribbles[28:33, 30], scribbles[2, 2:58] = 2, 1
    >>> classifier = ScribbleClassifier(sigma=0.2).fit(image, scribbles)
    >>> classifier.predict_proba(image).shape
    (61, 61, 2)

    The widths that predict held-out strokes best:

    >>> from sklearn.model_selection import GridSearchCV, GroupKFold
    >>> from varconvex import pixel_table
    >>> X, y, strokes = pixel_table(image, scribbles)
    >>> search = GridSearchCV(ScribbleClassifier(), {"sigma": [0.05, 0.2]}, cv=GroupKFold(2))
    >>> search.fit(X, y, groups=strokes).best_params_  # doctest: +SKIP
    """

    def __init__(
        self,
        alpha: float | None = None,
        *,
        shape: Any = None,
        unify: Any = None,
        predictor: Any = "energy",
        likelihood: Any = "nieuwenhuis_cremers",
        sigma: float | None = None,
        rho_factor: float | None = None,
        edge_weight: Any = "contrast",
        tv: Any = "isotropic",
        components: Any = "scribbled",
        tol: float = 1e-3,
        random_state: Any = None,
        options: Mapping[str, Any] | None = None,
    ):
        self.alpha = alpha
        self.shape = shape
        self.unify = unify
        self.predictor = predictor
        self.likelihood = likelihood
        self.sigma = sigma
        self.rho_factor = rho_factor
        self.edge_weight = edge_weight
        self.tv = tv
        self.components = components
        self.tol = tol
        self.random_state = random_state
        self.options = options

    def fit(self, X: Any, y: Any) -> Self:
        """Segment an image with scribbles.

        Parameters
        ----------
        X : (*spatial) or (*spatial, C) array, or (n, 2 + C) array
            The image; or rows of pixels, row and column first, as from `pixel_table`.
        y : (*spatial) or (n,) int array
            Labels of the scribbles; 0 is not labelled. Of an image also a pair of masks or polylines, as in `segment`.

        Returns
        -------
        self

        Raises
        ------
        InvalidImageError, InvalidScribblesError, InvalidParameterError
            As `segment`.
        """
        image = checks.host_array("X", X)
        options = checks.mapping("options", self.options)
        if isinstance(y, Mapping | tuple):
            seeds = label_image(y, image, options.get("channel_axis", -1), False)
        else:
            seeds = checks.host_array("y", y)
        self._by_rows = seeds.ndim == 1
        if self._by_rows:
            image, seeds = _canvas([(image, seeds)])
        self._image, self._seeds = image, seeds
        self.classes_ = np.unique(seeds[seeds > 0])
        whole = not self._by_rows or not np.isnan(image).all(axis=-1).any()
        self.result_ = self._solve(image, seeds) if whole else None
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Labels of the pixels of X: (*spatial) of an image, (n,) of rows."""
        result, where = self._result(X)
        return result.labels[where]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The relaxed minimiser u of each label, before any shape: (*spatial, K) of an image, (n, K) of rows."""
        result, where = self._result(X)
        u = result.probability
        if u.ndim == result.labels.ndim:
            u = np.stack([1 - u, u])
        found = np.moveaxis(u, 0, -1)[where].astype(np.float64)
        return found / found.sum(axis=-1, keepdims=True)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of the labelled pixels of y (above 0) that are predicted so; NaN if there are none."""
        labels = np.asarray(y)
        known = labels > 0
        if not known.any():
            return float("nan")
        weights = None if sample_weight is None else np.asarray(sample_weight)[known]
        return float(np.average(self.predict(X)[known] == labels[known], weights=weights))

    def _result(self, X: Any) -> tuple[Any, Any]:
        """The segmentation that has the pixels of X, and where they are in it."""
        check_is_fitted(self)
        given = checks.host_array("X", X)
        if self._by_rows:
            return self._among_rows(given)
        if self.result_ is not None and np.array_equal(given, self._image, equal_nan=given.dtype.kind == "f"):
            return self.result_, ...
        return self._below(given)

    def _among_rows(self, rows: np.ndarray) -> tuple[Any, Any]:
        """The segmentation of the rows of `fit` and those of X; row and column of the latter."""
        where = tuple(rows[:, :2].astype(np.int64).T)
        image, seeds = self._image, self._seeds
        inside = rows.size and (np.max(where, axis=1) < seeds.shape).all()
        if self.result_ is not None and inside and np.array_equal(image[where], rows[:, 2:]):
            return self.result_, where
        places = np.argwhere(~np.isnan(image).all(axis=-1))
        at = tuple(places.T)
        known = np.column_stack([places, image[at]])
        image, seeds = _canvas([(rows, np.zeros(len(rows), seeds.dtype)), (known, seeds[at])])
        return self._solve(image, seeds), where

    def _below(self, image: np.ndarray) -> tuple[Any, Any]:
        """The segmentation of the image of `fit` with another one below it; where the latter is."""
        first, ndim = self._image, self._seeds.ndim
        if image.ndim != first.ndim or image.shape[ndim:] != first.shape[ndim:]:
            raise InvalidImageError(
                f"X must be an image with the axes of the one that was scribbled on, {first.shape}; got {image.shape}. "
                "Convert it alike."
            )
        size = np.maximum(first.shape, image.shape)
        size[0] = first.shape[0] + image.shape[0]
        canvas = np.zeros(size, np.result_type(first, image))
        seeds = np.full(size[:ndim], -1, np.int64)
        one = tuple(slice(n) for n in first.shape[:ndim])
        other = (slice(first.shape[0], None), *(slice(n) for n in image.shape[1:ndim]))
        canvas[one], canvas[other] = first, image
        seeds[one], seeds[other] = self._seeds, 0
        return self._solve(canvas, seeds), other

    def _solve(self, image: np.ndarray, seeds: np.ndarray) -> Any:
        """`segment` with the parameters."""
        own = ("sigma", "rho_factor", "options", "likelihood")
        chosen = {name: value for name, value in self.get_params(deep=False).items() if name not in own}
        if self._by_rows:
            chosen["nan_policy"] = "mask"
        return segment(image, seeds, likelihood=self._likelihood(), **{**chosen, **(self.options or {})})

    def _likelihood(self) -> Any:
        """The likelihood with the widths that are given."""
        widths = {name: value for name in ("sigma", "rho_factor") if (value := getattr(self, name)) is not None}
        if not widths:
            return self.likelihood
        made = find("likelihoods", self.likelihood)() if isinstance(self.likelihood, str) else self.likelihood
        missing = widths.keys() - {field.name for field in fields(made)}
        if missing:
            raise InvalidParameterError(
                f"{', '.join(sorted(missing))} must be a parameter of the likelihood; {type(made).__name__} has none. "
                "Leave it out."
            )
        return replace(made, **widths)


@known_keywords
def pixel_table(image: Any, scribbles: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image and its scribbles as rows for `ScribbleClassifier` in cross-validation.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
    scribbles : (H, W) int array
        0 unlabelled, 1 background, 2.. objects.

    Returns
    -------
    X : (H W, 2 + C) float array
        Row, column and channels of each pixel.
    y : (H W,) int array
        Its label.
    strokes : (H W,) int array
        The stroke that it belongs to, a number from 0 on for each connected piece, and further ones for each pixel
        without a label. As `groups` it keeps folds from parting a stroke.

    Raises
    ------
    InvalidImageError
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> X, y, strokes = pixel_table(np.ones((2, 3)), np.array([[1, 0, 2], [1, 0, 0]]))
    >>> X.shape, strokes.tolist()
    ((6, 3), [0, 2, 1, 0, 3, 4])
    """
    image = checks.host_array("image", image)
    scribbles = checks.host_array("scribbles", scribbles)
    if scribbles.ndim != 2 or image.shape[:2] != scribbles.shape or image.ndim not in (2, 3):
        raise InvalidImageError(
            f"an image (H, W) or (H, W, C) and scribbles (H, W) were expected; got {image.shape} and {scribbles.shape}"
            ". Take slices of a volume."
        )
    strokes, count = np.zeros(scribbles.shape, np.int64), 0
    for value in np.unique(scribbles[scribbles > 0]):
        pieces, found = label(scribbles == value, np.ones((3, 3)))
        strokes += np.where(pieces, pieces + count - 1, 0)
        count += found
    rest = scribbles <= 0
    strokes[rest] = count + np.arange(np.count_nonzero(rest))
    places = np.indices(scribbles.shape).reshape(2, -1).T
    return np.column_stack([places, image.reshape(len(places), -1)]), scribbles.ravel(), strokes.ravel()


def _canvas(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The image (H, W, C), NaN where there is no pixel, and label image of rows and their labels; later ones win."""
    for rows, labels in parts:
        if rows.ndim != 2 or rows.shape[1] < 3 or len(rows) != len(labels):
            raise InvalidImageError(
                f"rows of pixels must be (n, 2 + C) with n labels; got {rows.shape} and {labels.shape}. Make them by "
                "pixel_table."
            )
    places = [rows[:, :2].astype(np.int64) for rows, _ in parts]
    size = np.concatenate(places).max(axis=0) + 1
    image = np.full((*size, parts[0][0].shape[1] - 2), np.nan)
    seeds = np.zeros(size, np.int64)
    for at, (rows, labels) in zip(places, parts, strict=True):
        image[tuple(at.T)], seeds[tuple(at.T)] = rows[:, 2:], labels
    return image, seeds
