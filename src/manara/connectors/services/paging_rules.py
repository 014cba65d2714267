"""The spelling of ADF's pagination rules.

Source: https://learn.microsoft.com/azure/data-factory/connector-rest#pagination-support
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from manara.connectors.services.paging import EndCondition, HeaderName, Path, Range, Rule, Rules
from manara.errors import WrongDefinition

_KEY = re.compile(r"(AbsoluteUrl|QueryParameters|Headers)(?:\.(.+)|\[['\"](.+)['\"]\])?", re.IGNORECASE)
_HEADER = re.compile(r"Headers(?:\.(.+)|\[['\"](.+)['\"]\])", re.IGNORECASE)
_RANGE = re.compile(r"RANGE:(-?\d+):(-?\d*):(-?\d+)", re.IGNORECASE)
_STEP = re.compile(r"""\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[(-?\d+):?\]|\.([^.\[\]]+)""")
_CONDITIONS = ("empty", "nonexist", "exist")


def read_rules(written: Any, where: str) -> Rules:
    """Return the rules that `paginationRules` describe, as an object or its JSON text. Raises WrongDefinition.

    Without any rule the `Link` headers of RFC 5988 are followed; with rules only where supportRFC5988 says so.
    """
    if isinstance(written, str) and written.strip():
        try:
            written = json.loads(written)
        except ValueError:
            raise WrongDefinition("The rules are no JSON object.", where=where, advice="Write an object.") from None
    if written in (None, ""):
        return Rules()
    if not isinstance(written, Mapping):
        raise WrongDefinition("The rules are no object.", where=where, advice='Write {"AbsoluteUrl": "$.next"}.')
    rules, ends, most, links = [], [], None, None
    for key, value in written.items():
        lower = str(key).lower()
        if lower == "maxrequestnumber":
            most = _count(value, f"{where}.{key}")
        elif lower == "supportrfc5988":
            links = str(value).lower() == "true"
        elif lower.startswith("endcondition:"):
            ends.append(_end(str(key)[len("endcondition:") :], value, f"{where}.{key}"))
        else:
            rules.append(_rule(str(key), value, f"{where}.{key}"))
    return Rules(rules=tuple(rules), ends=tuple(ends), most=most, links=links if links is not None else not rules)


def read_path(text: str, where: str) -> Path:
    """Return a JSON path with a `$` (`$.a['b.c'][0].d`, `$.data[-1:].id`). Raises WrongDefinition."""
    rest, steps = text.strip().removeprefix("$"), []
    while rest:
        match = _STEP.match(rest)
        if not match:
            raise WrongDefinition(f"'{text}' is no JSON path.", where=where, advice="Write for instance $.paging.next.")
        single, double, index, plain = match.groups()
        name = next((part for part in (single, double, plain) if part is not None), "")
        steps.append(int(index) if index is not None else name)
        rest = rest[match.end() :]
    return Path(tuple(steps))


def _rule(key: str, value: Any, where: str) -> Rule:
    match = _KEY.fullmatch(key.strip())
    if not match:
        raise WrongDefinition(
            f"There is no pagination rule '{key}'.",
            where=where,
            advice="Use AbsoluteUrl, QueryParameters.name, Headers.name, EndCondition:..., MaxRequestNumber.",
        )
    kind, name = match[1].lower(), match[2] or match[3] or ""
    is_variable = name.startswith("{") and name.endswith("}")
    if kind == "absoluteurl" and name and not is_variable:
        raise WrongDefinition(f"'{key}' names no variable.", where=where, advice="Write AbsoluteUrl.{name}.")
    if kind != "absoluteurl" and not name:
        raise WrongDefinition(f"'{key}' names nothing.", where=where, advice=f"Write {match[1]}.name.")
    target = {"absoluteurl": "url", "queryparameters": "query", "headers": "header"}[kind]
    found = _place(value, where) if not _is_range(value) else _range(str(value), where)
    if isinstance(found, Range) and target == "url" and not is_variable:
        raise WrongDefinition("A range is no address.", where=where, advice="Write AbsoluteUrl.{name}.")
    return Rule(target=target, name=name.strip("{}"), is_variable=is_variable, value=found)


def _is_range(value: Any) -> bool:
    return isinstance(value, str) and value.strip().upper().startswith("RANGE:")


def _range(text: str, where: str) -> Range:
    match = _RANGE.fullmatch(text.strip())
    if not match or int(match[3]) == 0:
        raise WrongDefinition(
            f"'{text}' is no range.", where=where, advice="Write RANGE:first:last:step, with or without a last."
        )
    return Range(int(match[1]), int(match[2]) if match[2] not in ("", "-") else None, int(match[3]))


def _place(value: Any, where: str) -> Path | HeaderName:
    text = value.strip() if isinstance(value, str) else ""
    if match := _HEADER.fullmatch(text):
        return HeaderName(match[1] or match[2])
    if text.startswith("$"):
        return read_path(text, where)
    raise WrongDefinition(
        f"'{value}' names no place in the answer.",
        where=where,
        advice="Write a JSON path ($.next), a header (Headers.name), or RANGE:first:last:step.",
    )


def _end(place: str, value: Any, where: str) -> EndCondition:
    text = str(value).strip()
    lower = text.lower()
    if lower.startswith("const:"):
        return EndCondition(place=_place(place, where), kind="const", const=text[len("const:") :])
    if lower not in _CONDITIONS:
        raise WrongDefinition(
            f"There is no end condition '{value}'.", where=where, advice="Use Empty, NonExist, Exist or Const:value."
        )
    return EndCondition(place=_place(place, where), kind=lower)


def _count(value: Any, where: str) -> int | None:
    if value in (None, ""):
        return None
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if number < 1:
        raise WrongDefinition(f"'{value}' is no number of requests.", where=where, advice="Give 1 or more.")
    return number
