"""The table of functions that an expression can call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Scope = Mapping[str, Any]
Number = int | float
Array = list[Any]
Object = Mapping[str, Any]
Collection = str | list[Any]
Later = Callable[[], Any]
F = TypeVar("F", bound=Callable[..., Any])

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class Unfit(Exception):
    """Raised by a function that cannot use its arguments; the call adds the text, the place and the signature."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a parameter accepts: its word in a signature, the exact types (fast), and the classes (thorough)."""

    word: str
    exact: frozenset[type]
    classes: tuple[type, ...]

    def accepts(self, value: object) -> bool:
        """Return whether the value is of this kind; a boolean is never a number."""
        return type(value) in self.exact or (isinstance(value, self.classes) and not isinstance(value, bool))


ANYTHING = Kind("any", frozenset(), (object,))
_KINDS: dict[Any, Kind] = {
    Any: ANYTHING,
    Later: ANYTHING,
    float: Kind("float", frozenset({float}), (float,)),
    str: Kind("string", frozenset({str}), (str,)),
    int: Kind("integer", frozenset({int}), (int,)),
    Number: Kind("number", frozenset({int, float}), (int, float)),
    bool: Kind("boolean", frozenset({bool}), ()),
    Array: Kind("array", frozenset({list}), (list, tuple)),
    Object: Kind("object", frozenset({dict}), (Mapping,)),
    Collection: Kind("string or array", frozenset({str, list}), (str, list, tuple)),
    Any | None: ANYTHING,
}
_KINDS |= {known | None: _KINDS[known] for known in (str, int, Number, Array, Collection)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    kind: Kind
    optional: bool = False
    repeated: bool = False

    def __str__(self) -> str:
        mark = "..." if self.repeated else "?" if self.optional else ""
        return f"{self.name}{mark}: {self.kind.word}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function of the language.

    A `lazy` function is given its arguments as callables without parameters and evaluates those that it needs; one
    with `scoped` is given the scope before its arguments.
    """

    name: str
    category: str
    summary: str
    parameters: tuple[Parameter, ...]
    result: str
    call: Callable[..., Any]
    lazy: bool
    scoped: bool
    documented: bool

    @property
    def least(self) -> int:
        return sum(not parameter.optional for parameter in self.parameters)

    @property
    def most(self) -> int | None:
        """The largest number of arguments; None where there is no end."""
        return None if self.parameters and self.parameters[-1].repeated else len(self.parameters)

    @property
    def signature(self) -> str:
        return f"{self.name}({', '.join(map(str, self.parameters))}) -> {self.result}"

    def parameter(self, index: int) -> Parameter:
        """Return the parameter that the argument at `index` fills."""
        return self.parameters[min(index, len(self.parameters) - 1)]


FUNCTIONS: dict[str, Function] = {}


def function(category: str, *, documented: bool = True, lazy: bool = False, scoped: bool = False) -> Callable[[F], F]:
    """Return a decorator that puts a Python function into the table, under its name in camel case.

    The annotations say what each parameter accepts, and the first line of the docstring what the function gives.
    `documented` says whether the function is among the 84 that ADF documents. A `*` parameter takes one or more.
    """

    def register(call: F) -> F:
        name = _camel(call.__name__)
        FUNCTIONS[name.lower()] = Function(
            name=name,
            category=category,
            summary=(call.__doc__ or "").split("\n", 1)[0],
            parameters=_parameters(call, skip=int(scoped)),
            result=_KINDS[call.__annotations__["return"]].word,
            call=call,
            lazy=lazy,
            scoped=scoped,
            documented=documented,
        )
        return call

    return register


def _parameters(call: Callable[..., Any], *, skip: int) -> tuple[Parameter, ...]:
    code = call.__code__
    names = code.co_varnames[: code.co_argcount]
    first_optional = len(names) - len(call.__defaults__ or ())
    fixed = [
        Parameter(name=_camel(name), kind=_KINDS[call.__annotations__[name]], optional=at >= first_optional)
        for at, name in enumerate(names)
    ]
    if code.co_flags & 0x04:  # the function has a `*` parameter
        name = code.co_varnames[code.co_argcount]
        kind = _KINDS[call.__annotations__[name]]
        word = name[:-1] if name.endswith("s") else name
        fixed.append(Parameter(name=word, kind=kind, repeated=True))
    return tuple(fixed[skip:])


def _camel(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    return head + "".join(part.capitalize() for part in rest)


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a sentence of advice: the known names that resemble `name`, or the first of them when none does."""
    import difflib  # noqa: PLC0415  only a failed expression needs it

    folded = {one.lower(): one for one in known}
    close = [folded[match] for match in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)]
    if close:
        return "Did you mean " + " or ".join(f"'{match}'" for match in close) + "?"
    if not known:
        return "There are none."
    return "There are: " + ", ".join(f"'{one}'" for one in known[:12]) + (", ..." if len(known) > 12 else ".")
