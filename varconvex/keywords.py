"""Unknown keywords name the nearest one: a decorator for public functions and classes."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import wraps
from typing import Any, TypeVar

from .errors import UnknownKeywordError

F = TypeVar("F", bound=Callable[..., Any])


def known_keywords(public: F) -> F:
    """A function, or a class (changed in place), whose unknown keywords raise an UnknownKeywordError.

    One that passes its keywords on (``**keywords``) does without: whoever gets them knows them.
    """
    if isinstance(public, type):
        constructor = vars(public).get("__init__", public.__init__)  # type: ignore[misc]
        public.__init__ = _checked(constructor, public.__name__, 1)  # type: ignore[misc]
        return public
    return _checked(public, public.__name__, 0)  # type: ignore[return-value]


def _checked(function: Callable[..., Any], name: str, first: int) -> Callable[..., Any]:
    """`function` with a check of its keywords; messages call it `name` and leave out the `first` parameters."""
    known = [] if function is object.__init__ else list(inspect.signature(function).parameters)[first:]

    @wraps(function)
    def checked(*args: Any, **keywords: Any) -> Any:
        check_keywords(name, keywords, known)
        return function(*args, **keywords)

    if function is object.__init__:  # which says of itself that it takes anything
        own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        checked.__signature__ = inspect.Signature([own])  # type: ignore[attr-defined]
    return checked


def check_keywords(function: str, given: Iterable[str], known: Sequence[str]) -> None:
    """An UnknownKeywordError, with the nearest one, for a keyword of a function that it does not know."""
    for name in given:
        if name not in known:
            public = [other for other in known if not other.startswith("_")]
            near = get_close_matches(name, public, 1, 0.5)
            hint = f"Did you mean {near[0]!r}?" if near else f"It takes: {', '.join(public) or 'none'}."
            raise UnknownKeywordError(f"{function}() got an unknown keyword {name!r}. {hint}")
