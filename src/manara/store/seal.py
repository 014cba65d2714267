"""What must not be read on the disk is sealed: definitions and their secrets, by AES-GCM with a key of this machine."""

import base64
import contextlib
import hashlib
import importlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from manara.errors import NotAllowed, WrongDefinition
from manara.registry import missing_library
from manara.secret import Secret

KEY_BYTES = 32
_PREFIX = "sealed:"
_NONCE_BYTES = 12


@dataclass(frozen=True)
class Seal:
    """Seals texts and opens them again.

    The keys stand in `path`, one a line, the first for new texts; the file is made with mode 0600 when first needed.
    `given` (the same, with commas between) takes the place of the file: for several machines on one store. Losing the
    keys is losing what was sealed.
    """

    path: Path
    given: Secret | None = None

    def close(self, text: str) -> str:
        """Return the text sealed: it says which key opens it, and any change of it is noticed."""
        name, cipher = next(iter(self._ciphers.items()))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + cipher.encrypt(nonce, text.encode(), name.encode())
        return f"{_PREFIX}{name}:{base64.b64encode(sealed).decode()}"

    def open(self, text: str) -> str:
        """Return what was sealed; a text that is not sealed comes back as it is.

        Raises NotAllowed where no key here opens it, or somebody has changed it.
        """
        if not is_sealed(text):
            return text
        name, _, body = text.removeprefix(_PREFIX).partition(":")
        if name not in self._ciphers:
            raise NotAllowed(
                f"What is stored was sealed with the key {name}, which is not here.",
                where=self._where,
                advice="Give the key of the machine that wrote it: MANARA_STORE_KEY, or its file.",
            )
        try:
            raw = base64.b64decode(body)
            opened: bytes = self._ciphers[name].decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], name.encode())
        except (importlib.import_module("cryptography.exceptions").InvalidTag, ValueError) as error:
            raise NotAllowed("What is stored was changed after it was sealed.", where=self._where) from error
        return opened.decode()

    def is_current(self, text: str) -> bool:
        """Say whether the text is sealed with the key that new texts get."""
        return text.startswith(f"{_PREFIX}{next(iter(self._ciphers))}:")

    def add_key(self) -> "Seal":
        """Put a new key before the others in the file, and return what seals with it and opens all.

        Raises WrongDefinition where the keys come from the environment.
        """
        if self.given:
            raise WrongDefinition(
                "The keys come from the environment.", advice="Put the new key first there: MANARA_STORE_KEY=new,old."
            )
        return self._written([new_key(), *self._keys])

    def keep_first(self) -> "Seal":
        """Forget all keys but the first, once nothing is sealed with them any more."""
        return self if self.given else self._written(self._keys[:1])

    def _written(self, keys: Sequence[str]) -> "Seal":
        beside = self.path.with_suffix(f".{os.getpid()}")
        _write(beside, keys)
        beside.replace(self.path)
        return Seal(self.path, self.given)

    @property
    def _where(self) -> str:
        return "setting store.key" if self.given else str(self.path)

    @cached_property
    def _keys(self) -> list[str]:
        if self.given:
            return [key.strip() for key in self.given.open().split(",")]
        with contextlib.suppress(FileExistsError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _make(self.path)
        return self.path.read_text(encoding="ascii").split()

    @cached_property
    def _ciphers(self) -> dict[str, Any]:
        try:
            aead = importlib.import_module("cryptography.hazmat.primitives.ciphers.aead")
        except ModuleNotFoundError as error:
            raise missing_library(error) from error
        keys = [_read_key(key, self._where) for key in self._keys]
        return {hashlib.sha256(key).hexdigest()[:8]: aead.AESGCM(key) for key in keys}


def is_sealed(text: str) -> bool:
    """Say whether the text is a sealed one."""
    return text.startswith(_PREFIX)


def new_key() -> str:
    """Return a new key as it stands in the file."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _make(path: Path) -> None:
    """Make the file with a new key, whole or not at all; FileExistsError where another process was first."""
    if path.exists():
        raise FileExistsError(path)
    beside = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
    _write(beside, [new_key()])
    try:
        os.link(beside, path)
    finally:
        beside.unlink()


def _write(path: Path, keys: Sequence[str]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write("\n".join(keys) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _read_key(text: str, where: str) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise WrongDefinition(
            f"This is no key: {KEY_BYTES} bytes in base64 are wanted.", where=where, advice="Make one: manara store key"
        )
    return key
