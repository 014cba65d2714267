"""Connection strings: `Server=...;Database=...;UID=...;PWD=...`, read without regard to case and spelling."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from manara.errors import WrongDefinition
from manara.plugin.connection import LinkedServiceGiven
from manara.secret import Secret, read_secret

_PART = re.compile(
    r"\s*(?P<key>[^=;]+?)\s*=\s*(?:\"(?P<double>(?:[^\"]|\"\")*)\"|'(?P<single>(?:[^']|'')*)'"
    r"|\{(?P<braces>(?:[^}]|\}\})*)\}|(?P<plain>[^;]*?))\s*(?:;|$)"
)


def parts(text: str, where: str) -> dict[str, str]:
    """Return the parts of a connection string by key, in lower case and without blanks and underscores.

    A value may stand in quotes or braces, with its own kind doubled. Of a key that is there twice the last counts.
    Raises WrongDefinition for what is no connection string, without showing it.

    >>> parts("Server = tcp:x,1433; User ID=me;Password='a;b''c'", "")
    {'server': 'tcp:x,1433', 'userid': 'me', 'password': "a;b'c"}
    """
    return dict(_parts(text, where))


def _parts(text: str, where: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(text) and text[place:].strip(" ;\r\n\t"):
        if text[place] in "; \r\n\t":
            place += 1
            continue
        found = _PART.match(text, place)
        if not found:
            raise WrongDefinition(
                f"The connection string cannot be read from its sign {place + 1} on.",
                where=where,
                advice="Write it as key=value;key=value, and a value with a semicolon in quotes.",
            )
        yield re.sub(r"[\s_]", "", found["key"]).lower(), _value(found)
        place = found.end()


def _value(found: re.Match[str]) -> str:
    if found["double"] is not None:
        return found["double"].replace('""', '"')
    if found["single"] is not None:
        return found["single"].replace("''", "'")
    return found["braces"].replace("}}", "}") if found["braces"] is not None else found["plain"]


def settings(given: LinkedServiceGiven, aliases: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return the settings of a linked service by our names: from its connection string, and from its own properties.

    `aliases` tells the other spellings of each name, in lower case and without blanks. A property counts more than
    the connection string: so does the password that a definition takes from a vault. What has no alias is kept under
    its own name in lower case.
    """
    where = f"linked service '{given.name}'"
    spelt = {alias: name for name, others in aliases.items() for alias in (name, *others)}
    told: dict[str, str] = {}
    if given.properties.get("connectionString"):
        secret = read_secret(given.properties["connectionString"], f"{where}: connectionString")
        read = parts(secret.open(), f"{where}: connectionString")
        told = {spelt.get(key, key): value for key, value in read.items()}
    for key, value in given.properties.items():
        name = re.sub(r"[\s_]", "", key).lower()
        if name != "connectionstring" and value not in (None, ""):
            told[spelt.get(name, name)] = _text(value, f"{where}: {key}")
    return told


def _text(value: Any, where: str) -> str:
    if isinstance(value, Secret):
        return value.open()
    if isinstance(value, bool | int | float):
        return str(value).lower()
    return value if isinstance(value, str) else read_secret(value, where).open() if _is_secret(value) else ""


def _is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and str(value.get("type", "")).lower() in {"securestring", "azurekeyvaultsecret"}


def needed(told: Mapping[str, str], name: str, given: LinkedServiceGiven, example: str) -> str:
    """Return one of the settings. Raises WrongDefinition where it is missing."""
    value = told.get(name, "").strip()
    if not value:
        raise WrongDefinition(
            f"A linked service of the type {given.type} needs its {name}.",
            where=f"linked service '{given.name}'",
            advice=f'Write for instance "connectionString": "{example}", or the properties of the same names.',
        )
    return value


def whole_number(value: str, what: str, given: LinkedServiceGiven) -> int:
    """Return a setting that is a whole number. Raises WrongDefinition."""
    try:
        return int(value)
    except ValueError as error:
        raise WrongDefinition(
            f"The {what} is a whole number, not '{value}'.", where=f"linked service '{given.name}'"
        ) from error
