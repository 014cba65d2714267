"""What must not be seen: a text that prints as stars, and properties with their secrets starred out."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from manara.errors import WrongDefinition

STARS = "*****"

_SECRET_NAMES = re.compile(
    r"authorization|.*(password|passwd|secret|api[-_]?key|functions?[-_]?key|subscription[-_]key|access[-_]?key"
    r"|account[-_]?key|servicePrincipalKey)|(access|refresh|id|sas|bearer|auth)?[-_]?token|x-auth.*|pfx|(set-)?cookie",
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

    Raises WrongDefinition for anything else, such as a reference to a Key Vault, without showing it.
    """
    kind = str(value.get("type", "")).lower() if isinstance(value, Mapping) else ""
    if kind == "azurekeyvaultsecret":
        raise WrongDefinition(
            f"The secret '{value.get('secretName')}' lies in a Key Vault, which cannot be asked from here.",
            where=where,
            advice="Give it by a SecureString parameter of the pipeline or of the linked service.",
        )
    text = value.get("value") if isinstance(value, Mapping) and kind == "securestring" else value
    if not isinstance(text, str):
        raise WrongDefinition(
            "The secret is no text.", where=where, advice='Write {"type": "SecureString", "value": ...}.'
        )
    return Secret(text)


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


def _is_secret(name: Any, part: Any) -> bool:
    if not isinstance(part, str | int | float) or isinstance(part, bool) or not isinstance(name, str):
        return False
    return _SECRET_NAMES.fullmatch(name) is not None and _NOT_SECRET.fullmatch(name) is None
