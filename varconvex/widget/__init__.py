"""The notebook's canvas: ``from varconvex.widget import annotate``; and what the local page shares with it.

Importing this module loads no optional package; `annotate` needs the extra ``widget`` (anywidget).
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtraError

if TYPE_CHECKING:
    from .notebook import Annotation


def annotate(
    image: Any, *, labels: Mapping[int, str] | None = None, height: int = 480, **keywords: Any
) -> "Annotation":
    """Show an image in a notebook, to draw strokes on it and see the answer.

    Each stroke is sent when the pen goes up, and solved in the background: the kernel stays free. A canvas that is
    shown again, or whose page is reloaded, has the strokes and the answer as they are.

    Parameters
    ----------
    image : (*spatial) or (*spatial, C) array, or Session
        2-D or 3-D, as in `segment`, or a session to go on with. Volumes are shown in planes across any axis.
    labels : dict of int to str, optional
        Names of labels by their ids; 1 is the background. By default {1: "background", 2: "object"}; more can be added
        on the canvas.
    height : int
        Largest height of the canvas, in pixels of the screen.
    **keywords
        Those of `segment` besides the scribbles: ``shape="convex"``, ``alpha=...``.

    Returns
    -------
    Annotation
        The widget. Its `result` is the `Segmentation` of the strokes as they are now (None before there are strokes on
        two labels), `scribbles` the strokes as a label image, `session` the session.

    Raises
    ------
    MissingExtraError
        If anywidget is not installed.
    InvalidImageError, InvalidParameterError, UnknownKeywordError
        If the image or a keyword is not what `segment` takes.

    Examples
    --------
    >>> from varconvex import demo
    >>> w = annotate(demo.photograph(), shape="convex")  # doctest: +SKIP
    >>> w  # shows it  # doctest: +SKIP
    >>> w.result.mask  # doctest: +SKIP
    """
    try:
        import anywidget  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            "annotate() needs anywidget, which is not installed. Install it: pip install anywidget, or the extra "
            "widget; or draw on a page of its own: varconvex annotate IMAGE."
        ) from None
    from .notebook import Annotation

    return Annotation(image, labels=labels, height=height, **keywords)


def part(name: str) -> str:
    """The text of ``canvas.js`` or ``canvas.css``, also where the package is in a zip file."""
    return (files(__name__) / name).read_text(encoding="utf-8")
