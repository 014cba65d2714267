"""From a template to a factory's folder: the files of ADF's git layout, with the secrets left out or filled in."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manara.resources.factory import shown
from manara.resources.template.evaluate import Findings, Withheld
from manara.resources.template.place import Place
from manara.resources.template.template import Wanted, read_template

FACTORIES = "microsoft.datafactory/factories"
FOLDERS = {
    "pipelines": "pipeline",
    "datasets": "dataset",
    "linkedservices": "linkedService",
    "dataflows": "dataflow",
    "triggers": "trigger",
    "integrationruntimes": "integrationRuntime",
    "managedvirtualnetworks": "managedVirtualNetwork",
    "credentials": "credential",
}
"""The folder of each type of resource inside a factory."""

ENDPOINTS = "managedvirtualnetworks/managedprivateendpoints"
VAULT = "ImportedSecrets"
"""The linked service, a Key Vault, that the secrets which were not given are looked up in."""

_BAD_FILE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_MOST_BYTES = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A factory as files by their path in its folder; `secrets` are the parameters that were not given.

    `passed_by` are the resources that a folder has no place for.
    """

    name: str
    files: Mapping[str, str]
    secrets: tuple[str, ...] = ()
    passed_by: tuple[str, ...] = ()


def layout_of_template(document: Any, given: Mapping[str, Any], file: str = "") -> Layout:
    """Return the files of the factory that a template makes.

    A secret that is not given becomes a reference to the Key Vault `ImportedSecrets`, by the name of its parameter.
    Raises TemplateFaults, also for a template that makes something else than one factory.
    """
    place = Place(subscription="00000000-0000-0000-0000-000000000000", group="manara")
    plan = read_template(document, given, place, withholds=True, file=file)
    return layout_of(plan.wanted, file)


def layout_of(wanted: Sequence[Wanted], file: str = "") -> Layout:
    """Return the files of the one factory whose parts are wanted. Raises TemplateFaults for anything else."""
    findings = Findings(file=file)
    made: dict[str, dict[str, Any]] = {}
    secrets: set[str] = set()
    passed_by: list[str] = []
    _check_factories(wanted, findings)
    for each in wanted:
        place = _file_of(each)
        if place is None:
            passed_by.append(f"{each.type} {each.name}")
            continue
        if wrong := _wrong_file(place):
            findings.add(f"{each.path}.name", wrong)
        body, withheld = _without_withheld(_definition(each))
        secrets |= withheld
        _put(made, place, body)
    if secrets:
        made.setdefault(f"linkedService/{VAULT}.json", _vault())
    _check_cases(made, findings)
    findings.end()
    name = wanted[0].name.split("/")[0] if wanted else ""
    files = {place: json.dumps(body, indent=4, ensure_ascii=False) + "\n" for place, body in sorted(made.items())}
    return Layout(name=name, files=files, secrets=tuple(sorted(secrets)), passed_by=tuple(passed_by))


def _check_factories(wanted: Sequence[Wanted], findings: Findings) -> None:
    for each in wanted:
        kind = each.type.lower()
        if kind != FACTORIES and not kind.startswith(f"{FACTORIES}/"):
            told = f"The resource type '{shown(each.type)}' is no part of a factory."
            findings.add(f"{each.path}.type", told, "Take it out of the template, or deploy that part elsewhere.")
    names = sorted({each.name.split("/")[0].lower() for each in wanted})
    if len(names) > 1:
        told = f"The template makes {len(names)} factories: {', '.join(map(shown, names[:5]))}."
        findings.add("resources", told, "A folder holds one.")
    if not wanted:
        findings.add("resources", "The template makes nothing.")


def _file_of(wanted: Wanted) -> str | None:
    """Return where a resource stands in the folder; None where there is no place for it."""
    kind = wanted.type.lower().removeprefix(FACTORIES).strip("/")
    names = wanted.name.split("/")
    if kind in ("", "globalparameters"):
        return f"factory/{names[0]}.json"
    if kind == ENDPOINTS:
        return f"managedVirtualNetwork/{names[1]}/managedPrivateEndpoint/{names[2]}.json"
    return f"{FOLDERS[kind]}/{names[1]}.json" if kind in FOLDERS else None


def _definition(wanted: Wanted) -> dict[str, Any]:
    names = wanted.name.split("/")
    properties = wanted.body.get("properties")
    if wanted.type.lower() == f"{FACTORIES}/globalparameters":
        return {"name": names[0], "properties": {"globalParameters": properties or {}}}
    body: dict[str, Any] = {"name": names[-1], "properties": properties if properties is not None else {}}
    if wanted.type.lower() == FACTORIES:
        body |= {key: wanted.body[key] for key in ("location", "tags", "identity") if key in wanted.body}
    return body


def _put(made: dict[str, dict[str, Any]], place: str, body: dict[str, Any]) -> None:
    """Put a definition in its file; the global parameters of a factory join what stands there."""
    old = made.get(place)
    if old is not None and place.startswith("factory/"):
        both = [old.get("properties") or {}, body.get("properties") or {}]
        given = {name: part for each in both for name, part in (each.get("globalParameters") or {}).items()}
        body = {**old, **body, "properties": {**both[0], **both[1], "globalParameters": given}}
    made[place] = body


def _wrong_file(place: str) -> str:
    for part in place.split("/"):
        name = part.removesuffix(".json")
        if name.startswith(".") or name.endswith((".", " ")) or _BAD_FILE.search(name):
            return f"'{shown(name)}' cannot be the name of a file."
        if len(part.encode("utf-8", "surrogatepass")) > _MOST_BYTES:
            return f"'{shown(name)}' is too long for the name of a file."
        if any("\ud800" <= each <= "\udfff" for each in part):
            return f"'{name.encode('ascii', 'backslashreplace').decode()}' holds half a character."
    return ""


def _check_cases(made: Mapping[str, Any], findings: Findings) -> None:
    seen: dict[str, str] = {}
    for place in made:
        other = seen.setdefault(place.lower(), place)
        if other != place:
            findings.add("resources", f"'{shown(other)}' and '{shown(place)}' differ in capitals only: one file.")


def _without_withheld(value: Any) -> tuple[Any, set[str]]:
    """Return a definition in which withheld secrets are references to a Key Vault, and the names of those."""
    found: set[str] = set()

    def walk(part: Any) -> Any:
        if isinstance(part, Withheld):
            found.add(part.parameter)
            return _reference(part.parameter)
        if isinstance(part, Mapping):
            held = part.get("value")
            if isinstance(held, Withheld) and str(part.get("type")).lower() == "securestring":
                return walk(held)
            return {key: walk(each) for key, each in part.items()}
        return [walk(each) for each in part] if isinstance(part, list) else part

    return walk(value), found


def _reference(name: str) -> dict[str, Any]:
    store = {"referenceName": VAULT, "type": "LinkedServiceReference"}
    return {"type": "AzureKeyVaultSecret", "store": store, "secretName": name}


def _vault() -> dict[str, Any]:
    return {
        "name": VAULT,
        "properties": {
            "description": "Secrets that came with no value: give them in the environment, or name a vault.",
            "type": "AzureKeyVault",
            "typeProperties": {"baseUrl": "https://imported-secrets.vault.azure.net/"},
        },
    }


def referenced(value: Any) -> Iterator[tuple[str, str]]:
    """Yield (type of the reference, name) of everything that a definition names."""
    if isinstance(value, Mapping):
        kind, name = value.get("type"), value.get("referenceName")
        if isinstance(kind, str) and isinstance(name, str):
            yield kind, name
        for part in value.values():
            yield from referenced(part)
    elif isinstance(value, list):
        for part in value:
            yield from referenced(part)
