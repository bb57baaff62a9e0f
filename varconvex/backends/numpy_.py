"""The specification itself, run by NumPy: slow, short, and what every other backend is tested against."""

from .base import ArrayBackend


class NumpyBackend(ArrayBackend):
    """NumPy on the CPU, in any floating dtype and any dimension."""

    name = "numpy"
