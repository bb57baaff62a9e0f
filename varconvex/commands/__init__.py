"""Parts of the command ``varconvex``: its options, what it reads and writes, and what it says meanwhile."""
