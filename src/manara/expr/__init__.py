"""The expression language of ADF: `@concat('a', pipeline().parameters.x)`."""

from manara.expr.expression import Reference, check, evaluate, functions, references, resolve

__all__ = ["Reference", "check", "evaluate", "functions", "references", "resolve"]
