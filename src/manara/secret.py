"""What must not be seen: a text that prints as stars, and properties with their secrets starred out."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from manara.errors import WrongDefinition

STARS = "*****"
KEY_VAULT_SECRET = "azurekeyvaultsecret"  # noqa: S105 # the name of a type
"""The type of a reference to a secret in a Key Vault, in small letters."""

_SECRET_NAMES = re.compile(
    r"authorization|.*(password|passwd|secret|api[-_]?key|functions?[-_]?key|subscription[-_]key|access[-_]?key"
    r"|account[-_]?key|servicePrincipalKey)|(access|refresh|id|sas|bearer|auth)?[-_]?token|x-auth.*|pfx|(set-)?cookie"
    r"|pass[-_]?phrase|privateKeyContent|embeddedCertData",
    re.IGNORECASE,
)
_NOT_SECRET = re.compile(r"secretName|secretVersion", re.IGNORECASE)
_WORD = r"(?:password|pwd|secret|token|signature|api[-_]?key|account[-_]?key)"
_IN_TEXT = re.compile(
    rf"(?P<name>(?:{_WORD}=|[?&](?:sig|code|key)=|{_WORD}\"\s{{0,9}}:\s{{0,9}}\"))[^&;\s\"']+", re.IGNORECASE
)
_IN_ADDRESS = re.compile(r"(?P<before>://[^/\s:@]*:)[^/\s@]+(?=@)")


class Secret:
    """A text that prints as stars; `open` gives the text, at the place where it is used."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def open(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return STARS

    __str__ = __repr__


def read_secret(value: Any, where: str) -> Secret:
    """Return the secret that stands in a definition: a text, or an object of type SecureString.

    What a connector or an activity is given holds no references to Key Vaults any more: they have become SecureStrings
    by then. Raises WrongDefinition for anything else, without showing it.
    """
    if isinstance(value, Secret):
        return value
    kind = str(value.get("type", "")).lower() if isinstance(value, Mapping) else ""
    if kind == KEY_VAULT_SECRET:
        raise WrongDefinition(
            f"The secret '{value.get('secretName')}' lies in a Key Vault, and nothing has opened it.",
            where=where,
            advice="Put the reference into the typeProperties of a linked service or of an activity.",
        )
    text = value.get("value") if isinstance(value, Mapping) and kind == "securestring" else value
    if not isinstance(text, str):
        raise WrongDefinition(
            "The secret is no text.", where=where, advice='Write {"type": "SecureString", "value": ...}.'
        )
    return Secret(text)


def secret_names(secret: str, vault: str = "") -> list[str]:
    """Return the names under which the environment holds a secret of a Key Vault, the first one found counts.

    The first is for one vault only, by the name of its linked service.

    >>> secret_names("dhis2-password", "Vault")
    ['MANARA_SECRET_VAULT__DHIS2_PASSWORD', 'MANARA_SECRET_DHIS2_PASSWORD']
    """
    words = [re.sub(r"[^A-Z0-9]", "_", text.upper()) for text in (vault, secret)]
    return ["MANARA_SECRET_" + "__".join(found) for found in (words, words[1:]) if all(found)]


def read_env(path: Path) -> dict[str, str]:
    """Return the values of a `.env` file: `NAME=value` a line, `#` begins a comment line; none where it is missing.

    A value may stand in quotes, which keep blanks at its ends; nothing in it is replaced. Raises WrongDefinition for a
    line that says something else, without showing it.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise WrongDefinition("The file cannot be read.", where=str(path), advice="Save it as UTF-8.") from error
    values = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        if not equals or not name.strip():
            raise WrongDefinition(
                "The line is no NAME=value.", where=f"{path}, line {number}", advice="Mend it, or take it away."
            )
        value = value.strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        values[name.strip()] = value[1:-1] if quoted else value
    return values


def bearer(token: str) -> Callable[[str], Secret]:
    """Return what gives the token for a resource; where the token is empty, it raises WrongDefinition."""

    def give(resource: str) -> Secret:
        if not token:
            raise WrongDefinition(
                f"There is no managed identity here to open '{resource}'.",
                advice="Put a bearer token into the environment as MANARA_WEB_TOKEN.",
            )
        return Secret(token)

    return give


def hidden(value: Any) -> Any:
    """Return properties with their secrets starred out, to be shown and written down.

    Starred are SecureStrings, texts under names such as `password`, `pfx`, `Authorization` or `client_secret`, and
    inside of texts the password of an address and the values of `sig=`, `code=`, `token=`, `client_secret=`. What
    refers to a Key Vault is no secret and stays.

    >>> hidden({"url": "https://x.org/?a=1&sig=abc", "headers": {"Authorization": "Bearer abc"}})
    {'url': 'https://x.org/?a=1&sig=*****', 'headers': {'Authorization': '*****'}}
    """
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Secret):
        return STARS
    if isinstance(value, Mapping):
        if str(value.get("type", "")).lower() == "securestring" and "value" in value:
            return {**value, "value": STARS}
        return {name: STARS if _is_secret(name, part) else hidden(part) for name, part in value.items()}
    return [hidden(part) for part in value] if isinstance(value, list | tuple) else value


def masked(text: str) -> str:
    """Return a text with the secrets that its form gives away starred out.

    >>> masked("grant_type=client_credentials&client_secret=abc")
    'grant_type=client_credentials&client_secret=*****'
    """
    return _IN_ADDRESS.sub(rf"\g<before>{STARS}", _IN_TEXT.sub(rf"\g<name>{STARS}", text))


def is_secret_name(name: str) -> bool:
    """Return whether what stands under a name is a secret by the name alone.

    >>> [is_secret_name(name) for name in ("clientSecret", "secretName", "X-Auth-Key", "url")]
    [True, False, True, False]
    """
    return _SECRET_NAMES.fullmatch(name) is not None and _NOT_SECRET.fullmatch(name) is None


def _is_secret(name: Any, part: Any) -> bool:
    if not isinstance(part, str | int | float) or isinstance(part, bool) or not isinstance(name, str):
        return False
    return is_secret_name(name)
