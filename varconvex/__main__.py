"""``python -m varconvex`` is the command ``varconvex``."""

from .cli import main

raise SystemExit(main())
