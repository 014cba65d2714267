"""Where a template is deployed, and the ids of what it makes there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from manara.resources.factory import shown
from manara.resources.template.functions import Unfit, text_of

_TENANT = "00000000-0000-0000-0000-000000000000"
_BAD = re.compile(r"[\x00-\x1f\x7f/\\?#%]")
MOST_CHARACTERS = 260


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A resource group, and the name of the deployment to it."""

    subscription: str
    group: str
    deployment: str = "deployment"
    location: str = "local"
    tenant: str = _TENANT
    tags: Mapping[str, Any] = field(default_factory=dict)
    mode: str = "Incremental"

    @property
    def scope(self) -> str:
        """The resource id of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"

    def shown_group(self) -> dict[str, Any]:
        """Return what `resourceGroup()` gives."""
        return {
            "id": self.scope,
            "name": self.group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": self.location,
            "tags": dict(self.tags),
            "properties": {"provisioningState": "Succeeded"},
        }

    def shown_subscription(self) -> dict[str, Any]:
        """Return what `subscription()` gives."""
        return {
            "id": f"/subscriptions/{self.subscription}",
            "subscriptionId": self.subscription,
            "tenantId": self.tenant,
            "displayName": "Manara",
        }

    def resource_id(self, *parts: Any) -> str:
        """Return what `resourceId(...)` gives: maybe a subscription and a group before the type and the names."""
        before, kind, names = _divided(parts, most=2)
        group = before[-1] if before else self.group
        subscription = before[0] if len(before) == 2 else self.subscription
        return joined_id(f"/subscriptions/{subscription}/resourceGroups/{group}", kind, names)

    def subscription_resource_id(self, *parts: Any) -> str:
        """Return what `subscriptionResourceId(...)` gives: maybe a subscription before the type and the names."""
        before, kind, names = _divided(parts, most=1)
        return joined_id(f"/subscriptions/{before[0] if before else self.subscription}", kind, names)


def tenant_resource_id(*parts: Any) -> str:
    """Return what `tenantResourceId(type, names...)` gives."""
    _, kind, names = _divided(parts, most=0)
    return joined_id("", kind, names)


def extension_resource_id(scope: Any, *parts: Any) -> str:
    """Return what `extensionResourceId(id, type, names...)` gives."""
    _, kind, names = _divided(parts, most=0)
    return joined_id(text_of(scope).rstrip("/"), kind, names)


def joined_id(scope: str, kind: str, names: Sequence[str]) -> str:
    """Return the resource id of a type and its names.

    >>> joined_id("/subscriptions/s", "Microsoft.DataFactory/factories/pipelines", ["f", "p"])
    '/subscriptions/s/providers/Microsoft.DataFactory/factories/f/pipelines/p'
    """
    provider, *types = kind.split("/")
    pairs = "/".join(f"{each}/{name}" for each, name in zip(types, names, strict=True))
    return f"{scope}/providers/{provider}/{pairs}"


def wrong_type(kind: str) -> str:
    """Return what is wrong with the type of a resource; empty where nothing is."""
    parts = kind.split("/")
    if len(parts) < 2 or not all(re.fullmatch(r"[\w.-]+", part) for part in parts) or ".." in kind:
        return f"'{shown(kind)}' is no resource type: it is written as Microsoft.DataFactory/factories/pipelines."
    return ""


def wrong_name(name: str, kind: str) -> str:
    """Return what is wrong with the name of a resource of a type; empty where nothing is."""
    segments = name.split("/")
    if len(segments) != kind.count("/"):
        return (
            f"The template resource '{shown(name)}' for type '{shown(kind)}' has incorrect segment lengths: "
            f"the name has {len(segments)} parts between slashes, and the type needs {kind.count('/')}."
        )
    for segment in segments:
        if not segment.strip() or segment in (".", "..") or _BAD.search(segment):
            return f"'{shown(segment)}' in '{shown(name)}' cannot be a name."
        if len(segment) > MOST_CHARACTERS:
            return f"The name '{shown(segment)}' has more than {MOST_CHARACTERS} characters."
    return ""


def _divided(parts: Sequence[Any], most: int) -> tuple[list[str], str, list[str]]:
    """Return what stands before the type, the type, and the names behind it."""
    texts = [text_of(part) for part in parts]
    at = next((index for index, text in enumerate(texts) if "/" in text), -1)
    if at < 0 or at > most:
        raise Unfit("It needs a resource type such as 'Microsoft.DataFactory/factories'.")
    kind, names = texts[at], texts[at + 1 :]
    if kind.count("/") != len(names):
        raise Unfit(f"The type '{shown(kind)}' needs {kind.count('/')} names, and has {len(names)}.")
    return texts[:at], kind, names
