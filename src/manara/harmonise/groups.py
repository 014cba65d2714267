"""Texts of age and sex into the codes of SDMX's lists CL_AGE and CL_SEX, by one grammar.

`M12T23` is 12 to 23 whole months, `Y15T49` 15 to 49 whole years, `Y_GE60` 60 years and more, `Y05` five years of age,
`_T` all, `_U` unknown. Whether a number counts months or years is said by the text or declared, and never guessed.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from manara.errors import WrongDefinition
from manara.harmonise.names import plain

AgeUnit = Literal["months", "years"]

TOTAL, UNKNOWN = "_T", "_U"

_SEXES = {
    "M": "m male males man men boy boys homme hommes garcon garcons masculin hombre hombres nino ninos masculino "
    "homem homens menino meninos ذكر ذكور",
    "F": "f female females woman women girl girls femme femmes fille filles feminin mujer mujeres nina ninas femenino "
    "mulher mulheres menina meninas feminino انثى اناث",
    TOTAL: "t total both all tous toutes total both sexes les deux ambos todos",
    UNKNOWN: "u unknown unspecified inconnu desconocido",
}
_SEX_OF = {plain(word): code for code, words in _SEXES.items() for word in words.split()}
_SEX_OF |= {"both sexes": TOTAL, "all sexes": TOTAL, "les deux sexes": TOTAL, "ambos sexos": TOTAL}
_ALL = {"all", "all ages", "total", "national", "tous ages", "tous les ages", "todas las edades", "todos"}
_UNKNOWN_AGES = {"unknown", "unknown age", "age unknown", "not reported", "inconnu", "desconocido"}
_MONTHS = r"(?:months?|mos?|mths?|mois|mes(?:es)?)"
_YEARS = r"(?:years?|yrs?|y|ans?|anos?)"
_UNIT = rf"(?:\s*(?P<m>{_MONTHS})|\s*(?P<y>{_YEARS}))?"
_OLD = r"(?:\s+(?:old|of age|d age|de edad))?"
_RANGE = re.compile(rf"(?P<a>\d+)(?:\s*(?:{_MONTHS}|{_YEARS}))?\s*(?:to|a|au|hasta|-)\s*(?P<b>\d+){_UNIT}{_OLD}")
_UNDER = re.compile(rf"(?:<|under|below|less than|moins de|menos de|menores de)\s*(\d+){_UNIT}{_OLD}")
_OVER = re.compile(
    rf"(?:>=)\s*(?P<a>\d+){_UNIT}{_OLD}|(?P<b>\d+)(?:\s*(?P<m2>{_MONTHS})|\s*(?P<y2>{_YEARS}))?\s*"
    rf"(?:\+|(?:and|et|y|e)\s+(?:over|above|older|more|plus|mas|mais)){_OLD}"
)
_ONE = re.compile(rf"(\d+){_UNIT}{_OLD}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A population group: codes of CL_SEX and CL_AGE."""

    sex: str
    age: str


def read_age(text: str, unit: AgeUnit | None = None, known: Collection[str] | None = None) -> str:
    """Return the code of CL_AGE that a text of an age group names.

    `unit` is what numbers count where the text does not say it; `known` are the codes that the list has.

    >>> read_age("12 to 23 months"), read_age("0-4", "years"), read_age("80+", "years"), read_age("<5 years")
    ('M12T23', 'Y0T4', 'Y_GE80', 'Y0T4')

    Raises WrongDefinition for a text that is no age group, a group that ends before it starts, one whose unit is
    not known, and a code that the list has not.
    """
    code = _age(_tidy(text), unit, text)
    if known is not None and code not in known:
        raise WrongDefinition(f"'{text}' is {code}, which the list of age groups does not have.")
    return code


def read_sex(text: str, declared: Mapping[str, str] | None = None) -> str:
    """Return the code of CL_SEX (`M`, `F`, `_T`, `_U`) that a text names; `declared` are the words of the source.

    Numbers mean nothing unless they are declared: sources count the sexes both ways.

    >>> read_sex("Female"), read_sex("2", {"1": "M", "2": "F"})
    ('F', 'F')
    """
    shown = text.strip()
    if declared and shown in declared:
        return declared[shown]
    code = _SEX_OF.get(plain(shown))
    if code is None:
        told = (
            f"Declared are: {', '.join(declared)}."
            if declared
            else "Declare what the source writes for male and female."
        )
        raise WrongDefinition(f"'{shown}' is no sex.", advice=told)
    return code


def read_group(text: str, unit: AgeUnit | None = None, known: Collection[str] | None = None) -> Group:
    """Return sex and age of a text that may name both, such as `Male 12 to 23 months`; what it does not name is all.

    >>> read_group("Male 12 to 23 months")
    Group(sex='M', age='M12T23')
    >>> read_group("National")
    Group(sex='_T', age='_T')
    """
    words = text.split()
    for at in (0, -1):
        sex = _SEX_OF.get(plain(words[at])) if words else None
        if sex is not None and plain(text) not in _ALL:
            rest = " ".join(words[1:] if at == 0 else words[:-1])
            return Group(sex=sex, age=read_age(rest, unit, known) if rest else TOTAL)
    return Group(sex=TOTAL, age=read_age(text, unit, known))


def _tidy(text: str) -> str:
    lower = text.casefold().replace("–", "-").replace("—", "-").replace("≥", ">=")  # noqa: RUF001
    kept = re.sub(r"[^\w\s<>=+-]", " ", _without_accents(lower))
    return " ".join(kept.split())


def _without_accents(text: str) -> str:
    return "".join(plain(c) or c for c in text)


def _age(tidy: str, unit: AgeUnit | None, shown: str) -> str:
    if tidy in _ALL:
        return TOTAL
    if tidy in _UNKNOWN_AGES:
        return UNKNOWN
    match = _RANGE.fullmatch(tidy)
    if match:
        first, last = int(match["a"]), int(match["b"])
        if last < first:
            raise WrongDefinition(f"The age group '{shown}' ends before it starts.")
        letter = _letter(match["m"], match["y"], unit, shown)
        return f"{letter}{first}T{last}" if last > first else _single(letter, first)
    match = _UNDER.fullmatch(tidy)
    if match and int(match[1]) > 0:
        letter = _letter(match["m"], match["y"], unit, shown)
        return f"{letter}0T{int(match[1]) - 1}" if int(match[1]) > 1 else f"{letter}0"
    match = _OVER.fullmatch(tidy)
    if match:
        letter = _letter(match["m"] or match["m2"], match["y"] or match["y2"], unit, shown)
        return f"{letter}_GE{int(match['a'] or match['b'])}"
    match = _ONE.fullmatch(tidy)
    if match:
        return _single(_letter(match["m"], match["y"], unit, shown), int(match[1]))
    raise WrongDefinition(
        f"'{shown}' is no age group.", advice="Write it as 12-23 months, 15-49 years, 60+ years or all."
    )


def _single(letter: str, number: int) -> str:
    return f"{letter}{number:02}" if letter == "Y" and number else f"{letter}{number}"


def _letter(months: str | None, years: str | None, unit: AgeUnit | None, shown: str) -> str:
    if months or years:
        return "M" if months else "Y"
    if unit is None:
        raise WrongDefinition(f"'{shown}' does not say whether it counts months or years.", advice="Declare the unit.")
    return "M" if unit == "months" else "Y"
