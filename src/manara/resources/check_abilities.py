"""What the activities of a pipeline ask of datasets and linked services whose types cannot do it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from manara.errors import Fault, WrongDefinition
from manara.resources.factory import Definition, Factory, shown
from manara.resources.model import Activity, Dataset, LinkedService
from manara.resources.placed import Placed

Can = Callable[[str, str], Collection[str]]
"""Returns what a type can do, by kind (`dataset`, `connector`) and name; raises WrongDefinition without its library."""

_SQL = ("Script", "SqlServerStoredProcedure", "SqlPoolStoredProcedure")

_MISSING: Mapping[str, tuple[str, str]] = {
    "read": ("cannot be read", "Read from another one."),
    "write": ("can only be read", "Write to another one, such as DelimitedText in a folder, or a table of a database."),
    "upsert": ("knows no upsert", "Take writeBehavior away, or write to a table of a database."),
    "list": ("has no childItems", "Ask for other fields, such as exists, or look into a folder of a store of files."),
    "delete": ("cannot be deleted", "Delete in a store of files; the rows of a table are deleted by a Script."),
    "query": ("runs no statements of SQL", "Name a linked service that is a database."),
    "procedure": ("has no stored procedures", "Name a linked service that is a database."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """What an activity needs of a dataset or a linked service, and where in the activity it is named."""

    path: str
    kind: str
    name: str
    ability: str


def check_abilities(factory: Factory, file: str, placed: Placed, can: Can) -> Iterator[Fault]:
    """Yield a fault for each thing that an activity asks of a type that cannot do it.

    What is named by an expression, or is of an unknown type, or needs a library that is not here, is passed by.
    """
    for need in _needs(placed.activity):
        for kind, name, type_name in _asked(factory, need):
            abilities = _abilities(can, kind, type_name)
            if abilities is not None and need.ability not in abilities:
                what, advice = _MISSING[need.ability]
                words = "dataset" if kind == "dataset" else "linked service"
                message = f"The {words} '{shown(name)}' is of the type {shown(type_name)}, which {what}."
                yield Fault(file=file, path=f"{placed.path}.{need.path}", message=message, advice=advice)
                break


def missing_library(definition: Definition, known: Collection[str], can: Can) -> Iterator[Fault]:
    """Yield a warning where the type of a dataset or a linked service needs a library that is not installed."""
    resource = definition.resource
    if isinstance(resource, Dataset | LinkedService) and resource.properties.type in known:
        try:
            can("dataset" if isinstance(resource, Dataset) else "connector", resource.properties.type)
        except WrongDefinition as error:
            told = f"The type {shown(resource.properties.type)} cannot be used yet. {error.message}"
            path = "properties.type"
            yield Fault(file=definition.file, path=path, message=told, advice=error.advice, severity="warning")


def _needs(activity: Activity) -> Iterator[_Need]:
    told = activity.type_properties
    service = activity.service
    if activity.type in ("Copy", "QualityGate"):
        yield from _copied(activity)
    elif activity.type in _SQL and service is not None:
        ability = "query" if activity.type == "Script" else "procedure"
        yield _Need(
            path="linkedServiceName" if activity.linked_service_name else "sqlPool",
            kind="connector",
            name=service.reference_name,
            ability=ability,
        )
    reference = told.get("dataset")
    name = reference.get("referenceName") if isinstance(reference, Mapping) else None
    if isinstance(name, str) and (ability := _own_need(activity)):
        yield _Need(path="typeProperties.dataset", kind="dataset", name=name, ability=ability)


def _copied(activity: Activity) -> Iterator[_Need]:
    source, sink = (activity.type_properties.get(side) for side in ("source", "sink"))
    read, written = ["read"], ["write"]
    if _says(source, "sqlReaderStoredProcedureName"):
        read.append("procedure")
    if _says(source, "storeSettings", "deleteFilesAfterCompletion").lower() == "true":
        read.append("delete")
    if _says(sink, "sqlWriterStoredProcedureName"):
        written.append("procedure")
    if _says(sink, "writeBehavior").lower() == "upsert":
        written.append("upsert")
    for side, references, abilities in (("inputs", activity.inputs, read), ("outputs", activity.outputs, written)):
        for index, reference in enumerate(references or []):
            for ability in abilities:
                path = f"{side}[{index}]"
                yield _Need(path=path, kind="dataset", name=reference.reference_name, ability=ability)


def _own_need(activity: Activity) -> str:
    """Return what an activity needs of the dataset in its typeProperties; nothing where any dataset will do."""
    fields = activity.type_properties.get("fieldList")
    lists = activity.type == "GetMetadata" and isinstance(fields, list) and "childItems" in fields
    lists = lists or (activity.type == "Validation" and activity.type_properties.get("childItems") is not None)
    return "list" if lists else {"Lookup": "read", "Delete": "delete"}.get(activity.type, "")


def _asked(factory: Factory, need: _Need) -> Iterator[tuple[str, str, str]]:
    """Yield kind, name and type of what is named, and of the linked service behind a dataset."""
    service = need.name
    if need.kind == "dataset":
        definition = factory.definitions.get(("dataset", need.name))
        if definition is None or not isinstance(definition.resource, Dataset):
            return
        yield "dataset", need.name, definition.resource.properties.type
        service = definition.resource.properties.linked_service_name.reference_name
    found = factory.stand_ins.get(service) or factory.definitions.get(("linkedService", service))
    if found is not None and isinstance(found.resource, LinkedService):
        yield "connector", service, found.resource.properties.type


def _abilities(can: Can, kind: str, type_name: str) -> Collection[str] | None:
    """Return what a type can do; None where nobody can say."""
    try:
        return can(kind, type_name)
    except WrongDefinition:
        return None


def _says(settings: Any, *names: str) -> str:
    """Return what stands in the settings below the names, as a text; nothing where it is computed."""
    for name in names:
        settings = settings.get(name) if isinstance(settings, Mapping) else None
    return "" if settings is None or isinstance(settings, Mapping | list) or "@" in str(settings) else str(settings)
