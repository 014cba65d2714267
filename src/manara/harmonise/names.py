"""The forms in which names are compared: as they are written, normalised, without words of administration, by sound."""

import importlib.resources
import re
import unicodedata
from functools import cache

_ALIKE = ("øo", "łl", "đd", "ðd", "ıi", "أا", "إا", "آا", "ىي", "یي", "کك", "ةه")  # noqa: RUF001
"""Letters of one script, each with the letter that it is written for."""

_WRITTEN_OUT = {"þ": "th", "ß": "ss", "æ": "ae", "œ": "oe"}
_LEFT_OUT = "'`\u2018\u2019\u02bb\u02bc\u02be\u02bf\u0640"
_LETTERS = str.maketrans({**{pair[0]: pair[1] for pair in _ALIKE}, **_WRITTEN_OUT, **dict.fromkeys(_LEFT_OUT, "")})
_SOUNDS = ((r"[eiy]+", "i"), (r"[ou]+", "u"), (r"ph", "f"), (r"(.)\1+", r"\1"), (r"[ck]|q", "k"))


@cache
def plain(name: str) -> str:
    """Return the name without case, accents, apostrophes, punctuation and doubled blanks; letters of any script stay.

    >>> plain("Côte  d'Ivoire ")
    'cote divoire'
    >>> plain("Sar-e-Pul")
    'sar e pul'
    """
    lower = name.casefold().translate(_LETTERS)
    bare = "".join(c for c in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[\W_]+", " ", bare.translate(_LETTERS)).split())


@cache
def bare(name: str) -> str:
    """Return the plain name without the words that say what kind of place it is.

    >>> bare("Município dos Gambos")
    'gambos'
    """
    found = plain(name)
    for words in _admin_words():
        if found.startswith(words + " "):
            found = found[len(words) + 1 :]
        if found.endswith(" " + words):
            found = found[: -len(words) - 1]
    return found


@cache
def sound(name: str) -> str:
    """Return what two spellings of one sound have in common: vowels of one kind, no doubled letters, no blanks.

    >>> sound("Helmand") == sound("Hilmand"), sound("Sari pul") == sound("Sar-e-Pul")
    (True, True)
    """
    found = bare(name).replace(" ", "")
    for pattern, letter in _SOUNDS:
        found = re.sub(pattern, letter, found)
    return found


@cache
def _admin_words() -> tuple[str, ...]:
    text = importlib.resources.files("manara.harmonise").joinpath("admin_words.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return tuple(sorted((plain(line) for line in lines), key=len, reverse=True))
