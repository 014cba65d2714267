"""Which request follows an answer, and when there is none any more, by the pagination rules that ADF has.

Source: https://learn.microsoft.com/azure/data-factory/connector-rest#pagination-support
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from manara.errors import BadRows
from manara.web import Answer, shown

_LINK = re.compile(r"""<([^>]*)>((?:\s*;\s*[\w*-]+\s*=\s*(?:"[^"]*"|[^,;"]*))*)""")
_REL_NEXT = re.compile(r"""rel\s*=\s*(?:"[^"]*\bnext\b[^"]*"|next\b)""", re.IGNORECASE)
_ABSENT = object()

Find = Callable[["Path"], Any]


@dataclass(frozen=True, slots=True)
class Path:
    """A path in the answer's body: names and positions."""

    steps: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class HeaderName:
    """A header of the answer."""

    name: str


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `start` to `end`, which counts; None goes on without end."""

    start: int
    end: int | None
    step: int

    def at(self, number: int) -> int | None:
        """Return the value for a page (the first is 0); None behind the end."""
        value = self.start + number * self.step
        if self.end is not None and (value > self.end if self.step > 0 else value < self.end):
            return None
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: `target` is `url`, `query` or `header`; `is_variable` where `name` stands in braces in the request."""

    target: str
    name: str
    is_variable: bool
    value: Path | HeaderName | Range


@dataclass(frozen=True, slots=True, kw_only=True)
class EndCondition:
    """What ends the pages: a place in the answer that is `empty`, `exist`s, does `nonexist`, or is a `const`."""

    place: Path | HeaderName
    kind: str
    const: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The changing part of a request."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All rules of one source."""

    rules: tuple[Rule, ...] = ()
    ends: tuple[EndCondition, ...] = ()
    most: int | None = None
    links: bool = True

    @property
    def is_open(self) -> bool:
        """Whether numbers go on without an end that is known, so that only the answers can end the pages."""
        if self.most:
            return False
        ranges = [rule.value for rule in self.rules if isinstance(rule.value, Range)]
        return bool(ranges) and all(found.end is None for found in ranges) and len(ranges) == len(self.rules)

    def first(self, plain: Ask) -> Ask:
        """Return the first request: ranges begin, other variables are empty."""
        return self._filled(plain, 0, lambda _rule: "") or plain

    def following(self, plain: Ask, current: Ask, answer: Answer, find: Find, number: int) -> Ask | None:
        """Return the request after the page `number` (the first is 0); None where that was the last one.

        `plain` is the request as it is written, `find` gives a value of the answer's body. A status 204, a rule whose
        value is null or missing, the end of a range, an end condition, and MaxRequestNumber end the pages.
        """
        if answer.status == 204 or (self.most is not None and number + 1 >= self.most):
            return None
        if any(_holds(end, answer, find) for end in self.ends):
            return None
        if not self.rules:
            return _linked(current, answer) if self.links else None
        values: dict[Rule, str] = {}
        for rule in self.rules:
            if isinstance(rule.value, Range):
                continue
            found = _value(rule.value, answer, find)
            if found is _ABSENT or found is None or found == "":
                return _linked(current, answer) if self.links else None
            values[rule] = _text(found, rule)
        moved = next((values[rule] for rule in values if rule.target == "url" and not rule.is_variable), None)
        base = replace(plain, url=urljoin(current.url, moved)) if moved is not None else plain
        return self._filled(base, number + 1, lambda rule: values[rule])

    def _filled(self, plain: Ask, number: int, value_of: Callable[[Rule], str]) -> Ask | None:
        url, headers = plain.url, dict(plain.headers)
        for rule in self.rules:
            if rule.target == "url" and not rule.is_variable:
                continue
            if isinstance(rule.value, Range):
                place = rule.value.at(number)
                if place is None:
                    return None
                value = str(place)
            elif number == 0 and not rule.is_variable:
                continue
            else:
                value = value_of(rule)
            if rule.is_variable:
                mark = "{" + rule.name + "}"
                url = url.replace(mark, quote(value, safe=""))
                headers = {name: text.replace(mark, value) for name, text in headers.items()}
            elif rule.target == "query":
                url = with_query(url, rule.name, value)
            else:
                headers[rule.name] = value
        return Ask(url=url, headers=headers)


class Following(Protocol):
    """What says which request follows an answer."""

    @property
    def is_open(self) -> bool:
        """Whether only the answers can end the pages."""

    def first(self, plain: Ask) -> Ask:
        """Return the first request."""

    def following(self, plain: Ask, current: Ask, answer: Answer, find: Find, number: int) -> Ask | None:
        """Return the request after the page `number`; None where that was the last one."""


@dataclass(frozen=True, slots=True)
class NextLink:
    """The address of the next page stands in the answer at the first of `places` that holds one."""

    places: tuple[Path, ...]
    is_open: bool = False

    def first(self, plain: Ask) -> Ask:
        return plain

    def following(self, plain: Ask, current: Ask, answer: Answer, find: Find, number: int) -> Ask | None:  # noqa: ARG002
        if answer.status == 204:
            return None
        found = next((link for place in self.places if isinstance(link := find(place), str) and link), None)
        return replace(current, url=urljoin(current.url, found)) if found else None


def pages(plain: Ask, rules: Following, get: Callable[[Ask], tuple[Answer, Find, str]]) -> Iterator[Answer]:
    """Yield the answers of all pages. `get` returns an answer, what finds values in its body, and the body's digest.

    Raises BadRows for pages that go in a circle: a request that was sent before, or, where nothing but the answers can
    end them, the same answer twice.
    """
    current: Ask | None = rules.first(plain)
    seen: set[tuple[str, str]] = set()
    number, before = 0, ""
    while current is not None:
        key = (current.url, json.dumps(dict(current.headers), sort_keys=True))
        if key in seen:
            raise _endless(current.url, "it names a page that was read already")
        seen.add(key)
        answer, find, digest = get(current)
        if rules.is_open and digest and digest == before:
            raise _endless(current.url, "two pages after each other are the same")
        yield answer
        current, number, before = rules.following(plain, current, answer, find, number), number + 1, digest


def with_query(url: str, name: str, value: str) -> str:
    """Return the address with one query parameter set, in place of what it was."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    at = next((index for index, (known, _) in enumerate(pairs) if known == name), len(pairs))
    pairs = [pair for pair in pairs if pair[0] != name]
    pairs.insert(at, (name, value))
    return urlunsplit(parts._replace(query=urlencode(pairs, quote_via=quote, safe="$,:;/@()'*")))


def value_at(document: Any, path: Path) -> Any:
    """Return the value at the end of the path; ABSENT where the way is broken.

    A name that is not there in this spelling is looked for in any other one.
    """
    for step in path.steps:
        if isinstance(document, dict) and isinstance(step, str):
            if step not in document:
                step = next((name for name in document if name.lower() == step.lower()), step)  # noqa: PLW2901
            document = document.get(step, _ABSENT)
        elif isinstance(document, list) and isinstance(step, int) and -len(document) <= step < len(document):
            document = document[step]
        else:
            return _ABSENT
    return document


def _holds(end: EndCondition, answer: Answer, find: Find) -> bool:
    value = _value(end.place, answer, find)
    if end.kind == "nonexist":
        return value is _ABSENT
    if end.kind == "exist":
        return value is not _ABSENT
    if end.kind == "empty":
        return value is _ABSENT or value is None or value in ("", [], {})
    return value is not _ABSENT and (value if isinstance(value, str) else json.dumps(value)) == end.const


def _value(place: Path | HeaderName | Range, answer: Answer, find: Find) -> Any:
    if isinstance(place, HeaderName):
        names = {name.lower(): value for name, value in answer.headers.items()}
        return names.get(place.name.lower(), _ABSENT)
    return find(place) if isinstance(place, Path) else _ABSENT


def _text(value: Any, rule: Rule) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        shape = "an object" if isinstance(value, dict) else "an array"
        raise BadRows(
            f"The pagination rule for '{rule.name or 'AbsoluteUrl'}' finds {shape} in the answer, and no single value.",
            advice="Name a value that is a text or a number.",
            code="UserErrorInvalidPaginationRule",
        )
    return json.dumps(value, default=str).strip('"')


def _linked(current: Ask, answer: Answer) -> Ask | None:
    for address, parameters in _LINK.findall(answer.header("Link")):
        if _REL_NEXT.search(parameters):
            return replace(current, url=urljoin(current.url, address))
    return None


def _endless(url: str, why: str) -> BadRows:
    return BadRows(
        f"The pages of '{shown(url)}' have no end: {why}.",
        advice="Add an EndCondition or MaxRequestNumber to paginationRules.",
        code="UserErrorEndlessPagination",
    )
