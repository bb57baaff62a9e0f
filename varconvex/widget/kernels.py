"""Loads what the first answer needs, while the first stroke is being drawn."""

import contextlib
import functools
import threading

import numpy as np

from ..session import Session


@functools.cache
def load_kernels(ndim: int, shape: str | None) -> None:
    """Once in a process, answer two strokes on a small image of this kind in the background: kernels are loaded."""
    threading.Thread(target=_answer, args=(ndim, shape), name="varconvex load kernels", daemon=True).start()


def _answer(ndim: int, shape: str | None) -> None:
    side = {2: 300, 3: 52}[ndim]  # large enough for a preview
    image = np.zeros((*(side,) * ndim, 3), np.float32)
    image[(slice(side // 3, side // 2),) * ndim] = 1
    image += np.linspace(0, 0.1, side, dtype=np.float32)[:, None]
    with contextlib.suppress(Exception):  # whoever draws is told of errors
        session = Session(image, shape)
        session.add([(side // 4,) * ndim, (2,) * ndim], 1)
        session.add([(side // 3 + 3,) * ndim, (side // 2 - 3,) * ndim], 2)
        session.preview()
        session.result  # noqa: B018 - solves
