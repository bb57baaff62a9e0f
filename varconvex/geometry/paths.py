"""Cheapest paths between parts of a grid, minimum spanning trees of them, best subtrees: what `pieces` is made of.

A path costs the sum of the weights of the pixels that it passes between two parts. Grids are flat arrays with a border
that is blocked; neighbours are steps in them.
"""

import numpy as np

from ..compiling import compiled

Array = np.ndarray

_compiled = compiled(nogil=True, error_model="numpy")


@_compiled
def _push(keys: Array, places: Array, size: int, key: float, place: int) -> None:
    """Add to a binary heap of `size` entries."""
    at = size
    while at > 0 and keys[(at - 1) // 2] > key:
        keys[at], places[at] = keys[(at - 1) // 2], places[(at - 1) // 2]
        at = (at - 1) // 2
    keys[at], places[at] = key, place


@_compiled
def _pop(keys: Array, places: Array, size: int) -> None:
    """Remove the first of a binary heap of `size` entries."""
    key, place = keys[size - 1], places[size - 1]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size - 1:
            break
        if child + 1 < size - 1 and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[at], places[at] = keys[child], places[child]
        at = child
    keys[at], places[at] = key, place


@_compiled
def cheapest_paths(weight: Array, parts: Array, blocked: Array, steps: Array) -> tuple[Array, Array, Array]:
    """From each pixel to the part that is nearest: its number (0: none), the next pixel on the way, and the cost.

    `weight` (n,) is at least 0, `parts` (n,) int is 0 between parts. The cost of a pixel is included, those of the
    parts' own are 0. This is Dijkstra's algorithm from all parts at once.
    """
    n = weight.size
    owner, back, length = np.zeros(n, np.int64), np.arange(n), np.full(n, np.inf)
    keys, places = np.empty(n * 2 + 16), np.empty(n * 2 + 16, np.int64)
    size = 0
    for p in range(n):
        if parts[p] > 0 and not blocked[p]:
            owner[p], length[p] = parts[p], 0.0
            for step in steps:
                if parts[p + step] == 0 and not blocked[p + step]:
                    # Only the rim of a part has neighbours to be reached.
                    _push(keys, places, size, 0.0, p)
                    size += 1
                    break
    while size:
        key, p = keys[0], places[0]
        _pop(keys, places, size)
        size -= 1
        if key > length[p]:
            continue
        for step in steps:
            q = p + step
            if blocked[q] or parts[q] > 0 or length[q] <= key + weight[q]:
                continue
            length[q], owner[q], back[q] = key + weight[q], owner[p], p
            if size == keys.size:
                keys, places = np.append(keys, np.empty(n)), np.append(places, np.empty(n, np.int64))
            _push(keys, places, size, length[q], q)
            size += 1
    return owner, back, length


def spanning_tree(owner: Array, length: Array, steps: Array, count: int) -> tuple[Array, Array]:
    """The links of a minimum spanning tree of the parts: pairs of touching pixels ((k, 2) int), and costs (k,).

    From either pixel of a pair the way leads back to a part of its own. A forest, where parts cannot be reached.
    """
    pairs, prices = _meetings(owner, length, steps[steps > 0])
    order = np.argsort(prices, kind="stable")
    kept = order[_kruskal(owner, pairs[order], count)]
    return pairs[kept], prices[kept]


@_compiled
def _meetings(owner: Array, length: Array, steps: Array) -> tuple[Array, Array]:
    """Touching pixels of different parts ((k, 2) int), and the cost of the path through them (k,)."""
    n = 0
    for p in range(owner.size):
        for step in steps:
            n += owner[p] > 0 and owner[p + step] > 0 and owner[p + step] != owner[p]
    pairs, prices = np.empty((n, 2), np.int64), np.empty(n)
    n = 0
    for p in range(owner.size):
        for step in steps:
            if owner[p] > 0 and owner[p + step] > 0 and owner[p + step] != owner[p]:
                pairs[n, 0], pairs[n, 1], prices[n] = p, p + step, length[p] + length[p + step]
                n += 1
    return pairs, prices


@_compiled
def root_of(root: Array, a: int) -> int:
    """The representative of a's set in a forest `root` of disjoint sets, whose paths are halved."""
    while root[a] != a:
        root[a] = root[root[a]]
        a = root[a]
    return a


@_compiled
def _kruskal(owner: Array, pairs: Array, count: int) -> Array:
    """Which of the pairs, in order of cost, join two trees: (n,) bool."""
    root = np.arange(count + 1)
    kept = np.zeros(len(pairs), np.bool_)
    for k in range(len(pairs)):
        a, b = root_of(root, owner[pairs[k, 0]]), root_of(root, owner[pairs[k, 1]])
        if a != b:
            root[a] = b
            kept[k] = True
    return kept


def best_subtree(gains: Array, forced: Array, ends: Array, costs: Array, owner: Array) -> tuple[Array, list[int]]:
    """The subtree of greatest gain: which parts it has ((count + 1,) bool), and which links.

    `gains` and `forced` are by part, (count + 1,) with 0 unused: what a part adds, and whether the tree must hold it.
    One that is forced at least holds all others that can be reached from it.
    """
    nodes = owner[ends] if len(ends) else np.zeros((0, 2), np.int64)
    count = len(gains)
    gains = gains.copy()
    gains[forced] += 1 + 2 * np.abs(gains).sum() + 2 * costs.sum()
    order = np.argsort(np.concatenate([nodes[:, 0], nodes[:, 1]]), kind="stable")
    first = np.searchsorted(np.concatenate([nodes[:, 0], nodes[:, 1]])[order], np.arange(count + 1))
    chosen, links = np.zeros(count, bool), np.zeros(len(ends), bool)
    start = int(np.flatnonzero(forced)[0]) if forced.any() else 0
    _subtree(gains, nodes, costs, order % max(len(ends), 1), first, start, chosen, links)
    return chosen, np.flatnonzero(links).tolist()


@_compiled
def _subtree(
    gains: Array, nodes: Array, costs: Array, order: Array, first: Array, start: int, chosen: Array, links: Array
) -> None:
    """Write the best subtree: that of `start`, or of any part if it is 0."""
    count = gains.size
    best, via, above = gains.copy(), np.full(count, -1), np.zeros(count, np.int64)
    queue, seen, end = np.empty(count, np.int64), np.zeros(count, np.bool_), 0
    for turn in range(count):
        # The tree of `start` first; others only if any tree will do.
        root = start if turn == 0 else turn
        if root == 0 or seen[root] or (start > 0 and turn > 0):
            continue
        seen[root], queue[end] = True, root
        at, end = end, end + 1
        while at < end:
            a = queue[at]
            at += 1
            for k in order[first[a] : first[a + 1]]:
                b = nodes[k, 0] + nodes[k, 1] - a
                if not seen[b]:
                    seen[b], via[b], above[b], queue[end] = True, k, a, b
                    end += 1
    top = start
    for at in range(end - 1, -1, -1):
        b = queue[at]
        if via[b] >= 0 and best[b] > costs[via[b]]:
            best[above[b]] += best[b] - costs[via[b]]
    if start == 0:
        for b in queue[:end]:
            if top == 0 or best[b] > best[top]:
                top = b
    chosen[top] = True
    for at in range(end):
        b = queue[at]
        if b != top and via[b] >= 0 and chosen[above[b]] and best[b] > costs[via[b]]:
            chosen[b], links[via[b]] = True, True


@_compiled
def pruned(weight: Array, mask: Array, held: Array, root: int, steps: Array) -> Array:
    """`mask` (n,) bool, connected, without the branches of a spanning tree that cost more than they gain.

    The tree is grown from `root` over the cheapest pixels first; pixels of `held` stay.
    """
    n = weight.size
    above, order, seen = np.full(n, -1), np.empty(n, np.int64), np.zeros(n, np.bool_)
    keys, places = np.empty(n + 1), np.empty(n + 1, np.int64)
    keys[0], places[0], size, end = 0.0, root, 1, 0
    seen[root] = True
    while size:
        p = places[0]
        _pop(keys, places, size)
        size -= 1
        order[end] = p
        end += 1
        for step in steps:
            q = p + step
            if mask[q] and not seen[q]:
                seen[q], above[q] = True, p
                _push(keys, places, size, weight[q], q)
                size += 1
    best, must = weight.copy(), held.copy()
    kept = np.zeros(n, np.bool_)
    for at in range(end - 1, 0, -1):
        p = order[at]
        if must[p] or best[p] < 0:
            best[above[p]] += best[p]
            must[above[p]] = must[above[p]] or must[p]
    kept[root] = True
    for at in range(1, end):
        p = order[at]
        kept[p] = kept[above[p]] and (must[p] or best[p] < 0)
    return kept


@_compiled
def bottlenecks(depth: Array, root: int, steps: Array) -> Array:
    """The largest number for which `root` and each pixel are joined by pixels of at least that depth: (n,) int64.

    `depth` (n,) int is 0 outside of the set, where the result is 0.
    """
    n = depth.size
    found, seen = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    keys, places = np.empty(n + 1), np.empty(n + 1, np.int64)
    keys[0], places[0], size = 0.0, root, 1
    seen[root], found[root] = True, depth[root]
    while size:
        p = places[0]
        _pop(keys, places, size)
        size -= 1
        for step in steps:
            q = p + step
            if depth[q] > 0 and not seen[q]:
                seen[q], found[q] = True, min(found[p], depth[q])
                _push(keys, places, size, -float(depth[q]), q)
                size += 1
    return found
