"""Rings in a graph of names."""

from collections.abc import Collection, Mapping


def find_ring(after: Mapping[str, Collection[str]]) -> list[str]:
    """Return the names of a ring in a graph of name -> names it waits for; empty where there is none.

    >>> find_ring({"a": ["b"], "b": ["c"], "c": ["b"]})
    ['b', 'c']
    """
    done: set[str] = set()
    for start in after:
        if start in done:
            continue
        trail = {start: iter(after[start])}
        while trail:
            name = next(reversed(trail))
            for other in trail[name]:
                if other in trail:
                    names = list(trail)
                    return names[names.index(other) :]
                if other in after and other not in done:
                    trail[other] = iter(after[other])
                    break
            else:
                done.add(name)
                del trail[name]
    return []
