"""Secrets inside of texts: connection strings, addresses, forms, JSON in a text, and expressions."""

import re
from collections.abc import Iterator

from manara import expr

STARS = "**********"
"""What Azure shows in the place of a secret."""

_WORD = (
    r"(?:password|passwd|pwd|pass[ _-]?phrase|secret|token|signature|api[ _-]?key|account[ _-]?key|access[ _-]?key"
    r"|auth[ _-]?key|private[ _-]?key|functions?[ _-]?key|subscription[ _-]?key|shared[ _-]?key)"
)
_PART_NAME = re.compile(rf"{_WORD}$|(?:^|[ _-])(?:sig|key)$", re.IGNORECASE)
_PART = re.compile(r"\s*(?:[A-Za-z][\w .-]{0,60}=.*)?", re.DOTALL)
_QUOTED = r"'(?:[^']|'')*(?:'|$)|\"(?:[^\"]|\"\")*(?:\"|$)"
_ASSIGNED = re.compile(rf"(?P<before>{_WORD}\s{{0,9}}=\s{{0,9}}|[?&](?:sig|code|key)=)(?:{_QUOTED}|[^&;\s\"']+)", re.I)
_IN_JSON = re.compile(rf"(?P<before>{_WORD}\"\s{{0,9}}:\s{{0,9}}\")(?:[^\"\\]|\\.)*", re.I | re.DOTALL)
_IN_ADDRESS = re.compile(r"(?P<before>://[^/\s:@]{0,200}:)[^/\s]+(?=@)")
_SIGNED = re.compile(r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*")
_HINT = re.compile(rf"{_WORD}|://|eyJ|(?:sig|code|key)\s{{0,9}}=", re.IGNORECASE)

_LITERAL = re.compile(r"'((?:[^']|'')*)(?:'|$)")
_SOURCE = r"\b(?:activity|variables|pipeline|linkedService|dataset|item|triggerBody|triggerOutputs|trigger)"
_NAMING = re.compile(rf"{_SOURCE}\(\s*'(?:[^']|'')*'\s*\)", re.IGNORECASE)
_SOURCES = re.compile(rf"{_SOURCE}\(", re.IGNORECASE)
_INDEX = re.compile(r"\[\s*'(?:[^']|'')*'\s*\]")
_OPENED = re.compile(r"@\{([^}]*)(?:\}|$)")
_SCHEME = re.compile(r"(?:bearer|basic|token|apikey|apitoken)?[\s:;,/=.-]*", re.IGNORECASE)


def cleaned(text: str, *, connection: bool = False, leave_out: bool = False) -> str:
    """Return a text with the secrets that its form gives away starred out.

    `connection` says that it is a connection string; with `leave_out`, its parts that are secrets are left out instead.

    >>> cleaned("Server=db;User=me;Password='a;b';Database=x", connection=True, leave_out=True)
    'Server=db;User=me;Database=x'
    >>> cleaned("https://me:abc@x.org/?sig=abc&n=1")
    'https://me:**********@x.org/?sig=**********&n=1'
    """
    if not _HINT.search(text):
        return text
    held = list(parts(text)) if "=" in text else []
    if connection or (len(held) > 1 and all(map(_PART.fullmatch, held))):
        text = ";".join(_cleaned_parts(held, leave_out=leave_out))
    text = _ASSIGNED.sub(_starred, text)
    text = _IN_JSON.sub(_starred, text)
    return _SIGNED.sub(STARS, _IN_ADDRESS.sub(_starred, text))


def _cleaned_parts(held: list[str], *, leave_out: bool) -> Iterator[str]:
    for part in held:
        name, _, value = part.partition("=")
        if not value.strip() or not is_secret_part(name) or is_safe_expression(value):
            yield part
        elif not leave_out:
            yield f"{name}={STARS}"


def _starred(found: re.Match[str]) -> str:
    value = found[0][len(found["before"]) :]
    if value == STARS or (value.startswith("@{") and is_safe_expression(value)):
        return found[0]
    return found["before"] + STARS


def secret_parts(text: str) -> list[str]:
    """Return the parts of a connection string that are secrets."""
    named = ((part, *part.partition("=")[::2]) for part in parts(text))
    return [part for part, name, value in named if value.strip() and is_secret_part(name)]


def is_secret_part(name: str) -> bool:
    """Return whether a part of a connection string of this name is a secret.

    >>> [is_secret_part(name) for name in ("AccountKey", "Pwd", "SharedAccessKeyName", "User")]
    [True, True, False, False]
    """
    return _PART_NAME.search(name.strip()) is not None


def parts(text: str) -> Iterator[str]:
    """Yield the parts of a connection string: what stands between semicolons, but for those in quotes or braces.

    >>> list(parts("a=1;b='x;y';c={p;q}"))
    ['a=1', "b='x;y'", 'c={p;q}']
    """
    start, end, before = 0, "", ""
    for at, letter in enumerate(text):
        if end:
            end = "" if letter == end else end
        elif letter in "'\"{" and before == "=":
            end = "}" if letter == "{" else letter
        elif letter == ";":
            yield text[start:at]
            start = at + 1
        before = before if letter.isspace() else letter
    yield text[start:]


def is_safe_expression(text: str) -> bool:
    """Return whether a text is an expression that names where a secret comes from, and holds none itself.

    >>> is_safe_expression("@concat('Bearer ', activity('Sign in').output.token)")
    True
    >>> is_safe_expression("Bearer @{activity('Sign in').output.token}")
    True
    >>> is_safe_expression("@concat('Bearer ', 'abc')"), is_safe_expression("abc@{item()}"), is_safe_expression("abc")
    (False, False, False)
    """
    if text.startswith("@") and not text.startswith(("@{", "@@")):
        inside, outside = [text[1:]], ""
    elif "@{" in text:
        outside, inside = _OPENED.sub(" ", text).strip(), _OPENED.findall(text)
    else:
        return False
    literals = [literal for each in inside for literal in _LITERAL.findall(_INDEX.sub("", _NAMING.sub("", each)))]
    sources = all(map(_SOURCES.search, inside)) and all(map(_SCHEME.fullmatch, [*literals, outside]))
    return sources and not expr.check(text)
