"""``python -m varconvex`` is the command ``varconvex``."""

from .cli import command

command()
