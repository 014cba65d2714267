"""The parameters of a template: what it declares, held against what was given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from manara import clock
from manara.expr.dotnet_date import format_moment
from manara.expr.moment import of_datetime
from manara.registry import near
from manara.resources.factory import shown
from manara.resources.template.evaluate import Calls, Findings, Told, Withheld, lookup
from manara.resources.template.functions import Function, kind_of, same, text_of

TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "securestring": str,
    "int": int,
    "bool": bool,
    "array": list,
    "object": Mapping,
    "secureobject": Mapping,
}
_BOUNDS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minValue": ("at least", lambda value, bound: value >= bound),
    "maxValue": ("at most", lambda value, bound: value <= bound),
    "minLength": ("as long as", lambda value, bound: len(value) >= bound),
    "maxLength": ("no longer than", lambda value, bound: len(value) <= bound),
}
UNFORMATTED = "yyyyMMddTHHmmssZ"


@dataclass
class Parameters:
    """The parameters of one template, each checked when it is first asked for.

    `given` are the values by name; `withholds` lets secrets be left out: what is not given (or empty) is Withheld.
    """

    declared: Mapping[str, Any]
    given: Mapping[str, Any]
    findings: Findings
    withholds: bool = False
    path: str = "parameters"
    calls: Calls = field(default_factory=dict)
    _values: dict[str, Any] = field(default_factory=dict)
    _wrong: set[str] = field(default_factory=set)

    def check(self) -> None:
        """Note everything that is wrong with the declarations and the values."""
        known = {name.lower() for name in self.declared}
        for name in self.given:
            if name.lower() not in known:
                told = f"The parameter '{shown(name)}' was given, and the template has none of that name."
                self.findings.add(f"{self.path}.{shown(name)}", told, near(name[:100], self.declared) if known else "")
        for name in self.declared:
            try:
                self.value(name)
            except Told:
                continue

    def value(self, name: str) -> Any:
        """Return the value of a parameter that is declared. Raises Told where it is wrong."""
        if name in self._wrong:
            raise Told
        if name not in self._values:
            self._wrong.add(name)  # a default value that needs itself ends here
            before = len(self.findings.faults)
            value = self._checked(name)
            if len(self.findings.faults) > before:
                raise Told
            self._wrong.discard(name)
            self._values[name] = value
        return self._values[name]

    def function(self) -> Function:
        """Return `parameters(...)`."""
        return lookup("parameter", self.declared, self.value)

    def is_secure(self, name: str) -> bool:
        """Say whether the value of a parameter is never shown."""
        return self._type(name).startswith("secure")

    def shown(self) -> dict[str, dict[str, Any]]:
        """Return the parameters as the record of a deployment shows them: secrets have no value."""
        told = {}
        for name, declared in self.declared.items():
            value = {} if self.is_secure(name) else {"value": self.value(name)}
            told[name] = {"type": _spelled(str(declared.get("type"))), **value}
        return told

    def _type(self, name: str) -> str:
        declared = self.declared[name]
        kind = declared.get("type") if isinstance(declared, Mapping) else None
        return kind.lower() if isinstance(kind, str) else ""

    def _checked(self, name: str) -> Any:
        path, declared, kind = f"{self.path}.{shown(name)}", self.declared[name], self._type(name)
        if kind not in TYPES:
            self.findings.add(path, "A parameter has a type.", f"Known are: {', '.join(TYPES)}.")
            return None
        given = next((key for key in self.given if key.lower() == name.lower()), None)
        value = self.given[given] if given is not None else None
        if self.withholds and kind.startswith("secure") and value in (None, "") and "defaultValue" not in declared:
            return Withheld(parameter=name)
        if given is None and "defaultValue" in declared:
            value = self.findings.value(declared["defaultValue"], f"{path}.defaultValue", self._default_calls())
        elif given is None and not declared.get("nullable"):
            told = f"The value for the template parameter '{shown(name)}' is not provided."
            self.findings.add(path, told, "Give it in the parameters, or give the parameter a defaultValue.")
            return None
        if value is None and (declared.get("nullable") or self.findings.faults):
            return None
        self._check_value(path, name, kind, declared, value)
        return value

    def _check_value(self, path: str, name: str, kind: str, declared: Mapping[str, Any], value: Any) -> None:
        if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind == "int"):
            told = f"The parameter '{shown(name)}' is of type {kind}, and its value is {kind_of(value)}."
            self.findings.add(path, told)
            return
        allowed = declared.get("allowedValues")
        if isinstance(allowed, list) and not _is_allowed(value, allowed):
            said = "" if kind.startswith("secure") else f"'{shown(str(value))}' "
            words = ", ".join(shown(str(each)) for each in allowed[:20])
            told = f"The value {said}of the parameter '{shown(name)}' is not part of the allowed values: {words}."
            self.findings.add(path, told)
        for key, (words, fits) in _BOUNDS.items():
            bound = declared.get(key)
            measured = isinstance(value, int) if key.endswith("Value") else isinstance(value, str | list)
            if isinstance(bound, int) and measured and not fits(value, bound):
                self.findings.add(path, f"The value of the parameter '{shown(name)}' must be {words} {bound} ({key}).")

    def _default_calls(self) -> Calls:
        return {
            **self.calls,
            "parameters": self.function(),
            "utcnow": Function(name="utcNow", call=_utc_now, least=0, most=1),
            "newguid": Function(name="newGuid", call=clock.new_id, least=0, most=0),
        }


def _is_allowed(value: Any, allowed: list[Any]) -> bool:
    if isinstance(value, list):
        return all(any(same(each, one) for one in allowed) for each in value) or any(
            same(value, one) for one in allowed
        )
    return any(same(value, each) for each in allowed)


def _spelled(kind: str) -> str:
    spelled = {"securestring": "SecureString", "secureobject": "SecureObject"}
    return spelled.get(kind.lower(), kind.capitalize())


def _utc_now(form: Any = UNFORMATTED) -> str:
    return format_moment(of_datetime(clock.now()), text_of(form))
