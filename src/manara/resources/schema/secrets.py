"""Secrets in definitions: hidden in every answer as Azure hides them, and kept when a client sends back what it got."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from manara.resources.azure import MADE_BY_AZURE
from manara.resources.schema.secret_texts import STARS, cleaned, is_safe_expression, secret_parts
from manara.secret import is_secret_name

_CREDENTIAL = {
    "Version": "2017-11-30",
    "ProtectionMode": "Key",
    "SecretContentType": "Plaintext",
    "CredentialId": "FACTORY_6d616e61-7261-4000-8000-000000000000",
}
KEPT_HERE = base64.b64encode(json.dumps(_CREDENTIAL, separators=(",", ":")).encode()).decode()
"""What stands as `encryptedCredential` in a linked service whose secrets are kept here: the same for all, no secret."""

_ENDING = "connectionstring"
_INNER = ("value", "defaultValue")
_REFERENCES = ("azurekeyvaultsecret", "linkedservicereference", "credentialreference")


def masked_as_azure(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body as a GET answers it: without its secrets.

    Secure strings, and texts under the name of a secret, become stars. In a linked service, what Azure would keep
    beside the definition is left out, such as the key in a connection string; `encryptedCredential` says so.

    >>> body = {"properties": {"typeProperties": {"connectionString": "AccountKey=k;Name=n"}}}
    >>> shown = masked_as_azure("linkedService", body)["properties"]["typeProperties"]
    >>> shown["connectionString"], sorted(shown)
    ('Name=n', ['connectionString', 'encryptedCredential'])
    """
    shown: dict[str, Any] = _mask(body)
    held = _type_properties(body) if kind == "linkedService" else {}
    if not held:
        return shown
    told = {name: _mask_held(name, part) for name, part in held.items() if not _is_left_out(name, part)}
    if told != held:
        told.setdefault(MADE_BY_AZURE, KEPT_HERE)
    return {**shown, "properties": {**shown["properties"], "typeProperties": told}}


def merged_secrets(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new body with the old secrets wherever it holds what a GET had shown of them.

    Stars in the place of a secret keep it. A linked service with our `encryptedCredential` keeps the secrets that it
    does not name, those in a connection string too. Without an old body, give `{}`.
    """
    text = json.dumps(new)
    if STARS not in text and KEPT_HERE not in text:
        return dict(new)
    merged: dict[str, Any] = _merge(old, new, "")
    held, kept = _type_properties(merged), _type_properties(old)
    if held.get(MADE_BY_AZURE) != KEPT_HERE:
        return merged
    told = {name: part for name, part in held.items() if name != MADE_BY_AZURE}
    for name, part in kept.items():
        if name not in told and (_is_left_out(name, part) or _mask(part, name) != part):
            told[name] = part
        elif _is_connection(name) and isinstance(part, str) and isinstance(told[name], str):
            told[name] = part if told[name] == _mask_held(name, part) else _with_parts(told[name], part)
    return {**merged, "properties": {**merged["properties"], "typeProperties": told}}


def _type_properties(body: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = body.get("properties")
    held = properties.get("typeProperties") if isinstance(properties, Mapping) else None
    return held if isinstance(held, Mapping) else {}


def _is_connection(name: str) -> bool:
    return name.lower().endswith(_ENDING)


def _is_left_out(name: str, part: Any) -> bool:
    """Return whether Azure would keep a property of a linked service beside the definition."""
    return is_secret_name(name) and isinstance(part, str | int | float) and _mask(part, name) != part


def _with_parts(new: str, old: str) -> str:
    if secret_parts(new):
        return new
    missing = [part for part in secret_parts(old) if part not in new]
    return ";".join([new.rstrip(";"), *missing])


def _mask(value: Any, name: str = "") -> Any:
    """Return a value without its secrets; `name` is what it stands under."""
    if isinstance(value, Mapping):
        return _mask_object(value, name)
    if isinstance(value, list):
        return [_mask(part, name) for part in value]
    if name and is_secret_name(name):
        return _star(value)
    return cleaned(value, connection=_is_connection(name)) if isinstance(value, str) else value


def _mask_held(name: str, part: Any) -> Any:
    """Return what stands right in the typeProperties of a linked service without its secrets."""
    is_text = _is_connection(name) and isinstance(part, str)
    return cleaned(part, connection=True, leave_out=True) if is_text else _mask(part, name)


def _mask_object(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    kind = str(value.get("type", "")).lower()
    if kind == "securestring":
        secret = {key: STARS for key in _INNER if value.get(key) is not None}
        return {**{key: _mask(part, key) for key, part in value.items() if key not in _INNER}, **secret}
    named = value.get("name")
    is_named = is_secret_name(name) or (isinstance(named, str) and is_secret_name(named))
    if is_named and kind not in _REFERENCES:
        inner = {key: _hide(value[key]) for key in _INNER if key in value}
        return {**{key: _mask(part, key) for key, part in value.items() if key not in _INNER}, **inner}
    return {key: _mask(part, key) for key, part in value.items()}


def _hide(value: Any) -> Any:
    """Return what stands under the name of a secret, every text in it starred out."""
    if isinstance(value, Mapping):
        return {key: part if key == "type" else _hide(part) for key, part in value.items()}
    return [_hide(part) for part in value] if isinstance(value, list) else _star(value)


def _star(value: Any) -> Any:
    if value is None or isinstance(value, bool) or value == "":
        return value
    return value if isinstance(value, str) and is_safe_expression(value) else STARS


def _merge(old: Any, new: Any, name: str) -> Any:
    if old is None or new == old:
        return new
    if new == _mask(old, name) or _is_starred(new):
        return old
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {key: _merge(old.get(key), part, key) for key, part in new.items()}
    if isinstance(old, list) and isinstance(new, list):
        return [_merge(_same(old, part, index), part, name) for index, part in enumerate(new)]
    return new


def _is_starred(value: Any) -> bool:
    return value == STARS or (isinstance(value, Mapping) and value.get("value") == STARS and len(value) <= 2)


def _same(old: list[Any], part: Any, index: int) -> Any:
    """Return what an item of a list was before: the one of its name, or the one in its place."""
    named = part.get("name") if isinstance(part, Mapping) else None
    if named is not None:
        return next((each for each in old if isinstance(each, Mapping) and each.get("name") == named), None)
    return old[index] if index < len(old) else None
