"""Trees of SQL from a form in the words of a database, with other trees in its places."""

from typing import Any, cast

import sqlglot
from sqlglot import exp


def filled(form: str, to: str, **parts: exp.Expression) -> exp.Expression:
    """Return a form as a tree, with other trees in the places that it names."""
    names = {name: f"manara_part_{name}" for name in parts}
    tree: Any = sqlglot.parse_one(form.format(**names), dialect=to)

    placed = {names[name]: part for name, part in parts.items()}

    def put(node: exp.Expression) -> exp.Expression:
        found = placed.get(node.name) if isinstance(node, exp.Column) else None
        return node if found is None else found.copy()

    return cast("exp.Expression", tree.transform(put))
