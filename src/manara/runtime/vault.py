"""What stands in for a Key Vault: secrets from the environment, or from the factory's `.env` file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manara.errors import WrongDefinition
from manara.secret import KEY_VAULT_SECRET, read_env, secret_names

ENV_FILE = ".env"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """Opens references to Key Vault secrets. `root` is the factory's folder, where the `.env` file lies."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def open(self, properties: Any) -> Any:
        """Return the properties with each `AzureKeyVaultSecret` in them as a SecureString with the secret itself.

        Raises WrongDefinition for a secret that is nowhere, naming every place that was looked in.
        """
        if isinstance(properties, Mapping):
            if str(properties.get("type", "")).lower() == KEY_VAULT_SECRET:
                return {"type": "SecureString", "value": self._find(properties)}
            return {name: self.open(part) for name, part in properties.items()}
        if isinstance(properties, list):
            return [self.open(part) for part in properties]
        return properties

    def _find(self, reference: Mapping[str, Any]) -> str:
        secret, store = reference.get("secretName"), reference.get("store")
        if not isinstance(secret, str) or not secret:
            raise WrongDefinition(
                "A reference to a Key Vault names no secret.", advice='Give it a "secretName" that is a text.'
            )
        vault = store.get("referenceName") if isinstance(store, Mapping) else ""
        names = secret_names(secret, vault if isinstance(vault, str) else "")
        file = self.root / ENV_FILE
        for place in (self.environment, read_env(file)):
            for name in names:
                if name in place:
                    return place[name]
        told = " or ".join(names)
        raise WrongDefinition(
            f"The secret '{secret}' is not here: neither in the environment ({told}) nor in the file {file} "
            f"({'which has neither name' if file.is_file() else 'which does not exist'}).",
            advice=f"Put it there: {names[-1]}=...",
        )
