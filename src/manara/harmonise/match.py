"""Names to codes: exact, then normalised, then by likeness and only inside the parent. What is not sure is not matched.

The order, the first that finds exactly one code is taken: a code itself; an alias; the name as it is written; without
case, accents and punctuation; without words of administration; by its sound; and last, by likeness (the ratio of
rapidfuzz) above a threshold and well before the second. Steps that look at less than the letters (sound, likeness) stay
inside the parent.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz import fuzz, process

from manara.harmonise.names import bare, plain, sound

Outcome = Literal["code", "alias", "exact", "normalised", "sound", "fuzzy", "outside", "none", "ambiguous", "unmatched"]
"""How a name was matched; `none` where it was decided that it stands for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a code list: its code, names, the code of what it lies in (nothing at the top), and its level."""

    code: str
    names: tuple[str, ...]
    parent: str = ""
    level: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A code that a name may stand for, and how alike the names are (0 to 100)."""

    code: str
    name: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What became of a name: the code (nothing where there is none), how it was found, and the nearest candidates."""

    outcome: Outcome
    code: str = ""
    score: float = 0.0
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How far a match by likeness may go.

    `threshold` and `margin` (to the second) are points of likeness from 0 to 100; `never_fuzzy` are names that are
    never matched by sound or likeness; `outside` lets a name count whose letters are those of one single entry
    elsewhere under the same grandparent, which happens where boundaries have moved.
    """

    threshold: float = 88.0
    margin: float = 4.0
    never_fuzzy: frozenset[str] = frozenset()
    outside: bool = False
    shown: int = 5


class Matcher:
    """A code list that names are matched against.

    `aliases` are decided names by (parent, name), with the code, or nothing where it was decided that there is none.
    With `level`, only entries of that level are found; the others are known as parents.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        rules: Rules | None = None,
        aliases: Mapping[tuple[str, str], str] | None = None,
        *,
        level: int | None = None,
    ) -> None:
        self._rules = rules or Rules()
        self._never = {plain(name) for name in self._rules.never_fuzzy}
        self._parents: dict[str, str] = {}
        self._entries: dict[str, Entry] = {}
        self._groups: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            self._parents[entry.code] = entry.parent
            if level is None or entry.level == level:
                self._entries[entry.code] = entry
                self._groups[entry.parent].append(entry)
        self._lists: dict[tuple[str | None, str | None], _List] = {}
        self._aliases = {(parent, plain(name)): code for (parent, name), code in (aliases or {}).items()}

    def match(self, name: str, parent: str | None = None, within: str | None = None) -> Match:
        """Return what a name stands for.

        `parent` is the code of what it lies in directly, and `within` that of what it lies in somewhere, such as the
        country; None where that is not known. Without a parent, only a code, an alias or the same letters count.
        """
        text = name.strip()
        decided = self._decided(text, parent, within)
        if decided is not None:
            return decided
        near = self._list(parent, within)
        for outcome, key in _STEPS:
            if outcome == "sound" and (parent is None or plain(text) in self._never):
                break
            codes = near.codes(key, text)
            if len(codes) == 1:
                return Match(outcome=outcome, code=next(iter(codes)), score=100.0)
            if codes:
                return Match(outcome="ambiguous", candidates=self._named(codes))
        return self._by_likeness(text, parent, near)

    def name_of(self, code: str) -> str:
        """Return the first name of a code; nothing for one that is not known."""
        entry = self._entries.get(code)
        return entry.names[0] if entry else ""

    def _decided(self, text: str, parent: str | None, within: str | None) -> Match | None:
        """Return the match by alias or by a code that lies where it should; None where the name decides nothing."""
        for place in (parent or within or "", ""):
            alias = self._aliases.get((place, plain(text)))
            if alias is not None:
                return Match(outcome="alias", code=alias, score=100.0) if alias else Match(outcome="none")
        entry = self._entries.get(text) or self._entries.get(text.upper())
        if (
            entry is not None
            and parent in (None, entry.parent)
            and (within is None or self._lies_in(entry.code, within))
        ):
            return Match(outcome="code", code=entry.code, score=100.0)
        return None

    def _by_likeness(self, text: str, parent: str | None, near: "_List") -> Match:
        candidates = near.alike(bare(text), self._rules.shown)
        if parent is not None and candidates and plain(text) not in self._never:
            first = candidates[0]
            second = next((each.score for each in candidates[1:] if each.code != first.code), 0.0)
            if first.score >= self._rules.threshold and first.score - second >= self._rules.margin:
                return Match(outcome="fuzzy", code=first.code, score=first.score, candidates=tuple(candidates))
        return self._outside(text, parent) or Match(outcome="unmatched", candidates=tuple(candidates))

    def _outside(self, text: str, parent: str | None) -> Match | None:
        """Return the one entry elsewhere under the same grandparent that has the same letters."""
        above = self._parents.get(parent or "")
        if not self._rules.outside or not above:
            return None
        found = self._list(None, above).codes(bare, text)
        return Match(outcome="outside", code=next(iter(found)), score=100.0) if len(found) == 1 else None

    def _list(self, parent: str | None, within: str | None) -> "_List":
        place = (parent, None) if parent is not None else (None, within)
        if place not in self._lists:
            if parent is not None:
                entries = self._groups.get(parent, [])
            else:
                entries = [
                    each for each in self._entries.values() if within is None or self._lies_in(each.code, within)
                ]
            self._lists[place] = _List(entries)
        return self._lists[place]

    def _lies_in(self, code: str, place: str) -> bool:
        above, steps = self._parents.get(code, ""), 0
        while above and above != place and steps < _DEEPEST:
            above, steps = self._parents.get(above, ""), steps + 1
        return above == place

    def _named(self, codes: Iterable[str]) -> tuple[Candidate, ...]:
        found = [self._entries[code] for code in sorted(codes)][: self._rules.shown]
        return tuple(Candidate(code=entry.code, name=entry.names[0], score=100.0) for entry in found)


_DEEPEST = 12
"""How many levels a code list may have above an entry."""

_STEPS: Sequence[tuple[Outcome, Callable[[str], str]]] = (
    ("exact", str.strip),
    ("normalised", plain),
    ("normalised", bare),
    ("sound", sound),
)


class _List:
    """The entries of one parent, by the forms of their names."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._keyed: dict[Callable[[str], str], dict[str, set[str]]] = {}
        self._choices: dict[str, list[tuple[str, str]]] = {}

    def codes(self, key: Callable[[str], str], text: str) -> set[str]:
        """Return the codes whose names have the same form."""
        if key not in self._keyed:
            table: dict[str, set[str]] = defaultdict(set)
            for entry in self._entries:
                for name in entry.names:
                    table[key(name)].add(entry.code)
            self._keyed[key] = table
        form = key(text)
        return self._keyed[key].get(form, set()) if form else set()

    def alike(self, text: str, most: int) -> list[Candidate]:
        """Return the nearest entries, the nearest first; each code once."""
        if not self._choices:
            for entry in self._entries:
                for name in entry.names:
                    self._choices.setdefault(bare(name), []).append((entry.code, name))
        found: dict[str, Candidate] = {}
        for form, score, _ in process.extract(
            text, self._choices.keys(), scorer=fuzz.ratio, limit=2 * most, score_cutoff=60
        ):
            for code, name in self._choices[form]:
                found.setdefault(code, Candidate(code=code, name=name, score=round(score, 1)))
        return list(found.values())[:most]
