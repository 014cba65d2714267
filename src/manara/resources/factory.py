"""A factory on disk: ADF's git layout read into one value, and written back as it came."""

import importlib.resources
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from manara.errors import Fault, Faults, NotFound, WrongDefinition
from manara.registry import near
from manara.resources.model import KINDS, TEXTS, Activity, Dataset, LinkedService, Pipeline, Resource
from manara.resources.notebooks import FOLDER, NOTEBOOKS, script_name

LOCAL = "local/linkedService"
PROCEDURES = "local/procedure"
NO_PROCEDURES = frozenset({"DuckDB", "SQLite"})
"""The databases that have no stored procedures of their own."""

MOST_BYTES = 64 * 2**20
MOST_NESTED = 100
MOST_FAULTS = 50
"""How many faults of one kind are told of one file."""

DEEP = frozenset({FOLDER})
"""The folders of texts that have folders in them."""

_LONGEST_SHOWN = 80
_TOO_DEEP = f"The JSON is nested too deeply: at most {MOST_NESTED} levels are read."


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One file of the factory: its text as it came, and what it says."""

    kind: str
    name: str
    file: str
    text: str
    resource: Resource

    @property
    def data(self) -> dict[str, Any]:
        """The JSON of the file, unknown properties and all."""
        return cast("dict[str, Any]", json.loads(self.text.removeprefix("\ufeff")))


STANDARD = "standard"
"""The subject area that comes with Manara: dimensions for every other to share."""


def standard_subject() -> str:
    """Return the text of the subject area `standard`."""
    return importlib.resources.files("manara.resources").joinpath("standard_subject.yaml").read_text("utf-8")


@dataclass(frozen=True)
class Factory:
    """All definitions of a factory. `faults` are those of files that could not be read into a definition."""

    root: Path
    definitions: Mapping[tuple[str, str], Definition]
    stand_ins: Mapping[str, Definition] = field(default_factory=dict)
    texts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @cached_property
    def name(self) -> str:
        """The name in `factory/*.json`, else the folder's."""
        named = self.names("factory")
        return named[0] if named else self.root.resolve().name

    @cached_property
    def global_parameters(self) -> dict[str, Any]:
        """The values of `globalParameters` of the factory's own resource."""
        values: dict[str, Any] = {}
        for name in self.names("factory"):
            properties = self.definitions["factory", name].data.get("properties") or {}
            declared = properties.get("globalParameters")
            for key, parameter in declared.items() if isinstance(declared, dict) else ():
                values[key] = parameter.get("value") if isinstance(parameter, dict) else parameter
        return values

    def names(self, kind: str) -> list[str]:
        """Return the names of the resources of a kind, sorted."""
        return sorted(name for held, name in (self.definitions.keys() | self.texts.keys()) if held == kind)

    def pipeline(self, name: str) -> Pipeline:
        """Return the pipeline. Raises NotFound with near names."""
        return cast("Pipeline", self._find("pipeline", name).resource)

    def dataset(self, name: str) -> Dataset:
        """Return the dataset. Raises NotFound with near names."""
        return cast("Dataset", self._find("dataset", name).resource)

    def linked_service(self, name: str) -> LinkedService:
        """Return the linked service, or what stands in for it on this machine. Raises NotFound with near names."""
        stand_in = self.stand_ins.get(name)
        return cast("LinkedService", (stand_in or self._find("linkedService", name)).resource)

    def text(self, kind: str, name: str) -> str:
        """Return a file beside the JSON (`contract`, `script`) by its name, with or without its ending.

        The subject area `standard` is there even where the factory has none of its own.

        Raises NotFound with near names.
        """
        for ending in ("", *TEXTS[kind]):
            if (kind, name + ending) in self.texts:
                return self.texts[kind, name + ending]
        if (kind, name) == ("subject", STANDARD):
            return standard_subject()
        raise NotFound(f"There is no {kind} '{name}' in the factory.", advice=near(name, self.names(kind)))

    def snapshot(self) -> str:
        """Return everything as one JSON text, from which `from_snapshot` makes the same factory again."""
        return json.dumps(
            {
                "definitions": [[item.kind, item.file, item.text] for item in self.definitions.values()],
                "standIns": [[item.kind, item.file, item.text] for item in self.stand_ins.values()],
                "texts": [[kind, name, text] for (kind, name), text in self.texts.items()],
            },
            ensure_ascii=False,
        )

    def _find(self, kind: str, name: str) -> Definition:
        try:
            return self.definitions[kind, name]
        except KeyError:
            advice = near(name, self.names(kind))
            raise NotFound(f"There is no {kind} '{name}' in the factory.", advice=advice) from None


def read_factory(root: Path) -> Factory:
    """Return the factory in the folder `root`.

    A file that cannot be read into a definition is left out and named in `faults`. Raises WrongDefinition where the
    folder does not exist or holds none of ADF's folders.
    """
    if not root.is_dir():
        raise WrongDefinition(
            f"There is no folder '{root}'.", advice="Name a factory's folder, or make one: manara init"
        )
    if not any((root / kind).is_dir() for kind in KINDS):
        raise WrongDefinition(
            f"'{root}' holds no factory: none of {', '.join(KINDS)} is in it.",
            advice="Name a factory's folder with --factory, or make one: manara init",
        )
    faults: list[Fault] = []
    found = [item for kind in KINDS for item in _read_folder(root, kind, kind, faults)]
    local = _read_folder(root, LOCAL, "linkedService", faults)
    return Factory(
        root=root,
        definitions={(item.kind, item.name): item for item in found},
        stand_ins={item.name: item for item in local},
        texts=dict(_read_texts(root, faults)),
        faults=tuple(faults),
    )


def made_factory(
    root: Path, texts: Mapping[str, str], *, local: Mapping[str, str], more: Mapping[tuple[str, str], str]
) -> Factory:
    """Return the factory whose definitions are the texts, by file (`pipeline/load.json`).

    `local` holds those that stand in for others on this machine, and `more` the texts that are no JSON, by kind and
    name. A text that cannot be read into a definition is left out and named in `faults`.
    """
    faults: list[Fault] = []

    def definitions(files: Mapping[str, str], kind: str = "") -> Iterator[Definition]:
        for file, text in files.items():
            try:
                yield _definition(kind or file.partition("/")[0], file, text)
            except Faults as error:
                faults.extend(error.faults)

    return Factory(
        root=root,
        definitions={(item.kind, item.name): item for item in definitions(texts)},
        stand_ins={item.name: item for item in definitions(local, "linkedService")},
        texts=more,
        faults=tuple(faults),
    )


def read_local(root: Path) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """Return what a folder says beside definitions: stand-ins by file, and other texts by kind and name.

    A file that cannot be read is left out; `read_factory` tells of it.
    """
    faults: list[Fault] = []
    stand_ins = {item.file: item.text for item in _read_folder(root, LOCAL, "linkedService", faults)}
    return stand_ins, dict(_read_texts(root, faults))


def from_snapshot(root: Path, text: str) -> Factory:
    """Return the factory that `snapshot` wrote; `root` is where its relative paths start."""
    document = json.loads(text)

    def definitions(rows: list[list[str]]) -> list[Definition]:
        return [_definition(kind, file, body) for kind, file, body in rows]

    return Factory(
        root=root,
        definitions={(item.kind, item.name): item for item in definitions(document["definitions"])},
        stand_ins={item.name: item for item in definitions(document["standIns"])},
        texts={(kind, name): body for kind, name, body in document["texts"]},
    )


def missing_script(factory: Factory, activity: Activity) -> tuple[str, str] | None:
    """Return what is missing, and what to write, where no script of this machine stands for the activity's notebook."""
    name = script_name(activity.type, activity.type_properties) if activity.type in NOTEBOOKS else ""
    is_computed = name.startswith("@") or "@{" in name
    if not name or is_computed or any((FOLDER, name + ending) in factory.texts for ending in TEXTS[FOLDER]):
        return None
    return f"No script stands for '{shown(name)}' on this machine.", f"Write {FOLDER}/{shown(name)}.py (or .ipynb)."


def missing_procedure(factory: Factory, activity: Activity) -> tuple[str, str, str] | None:
    """Return where, what is missing, and what to write, where a stored procedure needs a script that is not there.

    That is told of databases that have no procedures of their own (DuckDB, SQLite), and not of computed names.
    """
    for path, name, service in _procedures(factory, activity):
        stands_in = factory.stand_ins.get(service) or factory.definitions.get(("linkedService", service))
        kind = cast("LinkedService", stands_in.resource).properties.type if stands_in else ""
        whole = name.replace("[", "").replace("]", "").replace('"', "")
        keys = {whole, whole.rpartition(".")[2], f"dbo.{whole}"}
        if kind in NO_PROCEDURES and not any((PROCEDURES, f"{key}.sql") in factory.texts for key in keys):
            told = f"No script answers the stored procedure '{shown(whole)}' on this machine."
            return path, told, f"Write {PROCEDURES}/{shown(whole)}.sql: SQL Server's own CREATE PROCEDURE will do."
    return None


def _procedures(factory: Factory, activity: Activity) -> Iterator[tuple[str, str, str]]:
    """Yield where an activity names a stored procedure, its name, and the linked service that it runs on."""
    told = activity.type_properties
    service = activity.service
    found: list[tuple[str, Any, str]] = [
        ("storedProcedureName", told.get("storedProcedureName"), service.reference_name if service else "")
    ]
    sides: list[tuple[str, str, Any]] = [
        ("source", "sqlReaderStoredProcedureName", activity.inputs[0] if activity.inputs else told.get("dataset")),
        ("sink", "sqlWriterStoredProcedureName", activity.outputs[0] if activity.outputs else None),
    ]
    for side, key, reference in sides:
        name = reference.get("referenceName") if isinstance(reference, Mapping) else None
        name = name or getattr(reference, "reference_name", "")
        dataset, settings = factory.definitions.get(("dataset", str(name))), told.get(side)
        if dataset and isinstance(settings, Mapping):
            of = cast("Dataset", dataset.resource).properties.linked_service_name.reference_name
            found.append((f"{side}.{key}", settings.get(key), of))
    for path, value, on in found:
        if isinstance(value, str) and value and "@" not in value:
            yield path, value, on


def write_factory(factory: Factory, root: Path) -> None:
    """Write every file of the factory below `root`, byte for byte as it was read. Existing files are replaced."""
    files = [(item.file, item.text) for item in (*factory.definitions.values(), *factory.stand_ins.values())]
    files += [(f"{kind}/{name}", text) for (kind, name), text in factory.texts.items()]
    for file, text in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")


def _read_folder(root: Path, folder: str, kind: str, faults: list[Fault]) -> list[Definition]:
    found = []
    for path in sorted((root / folder).glob("*.json")):
        file = path.relative_to(root).as_posix()
        try:
            found.append(_definition(kind, file, _read_text(path, file)))
        except Faults as error:
            faults += error.faults
    return found


def _read_texts(root: Path, faults: list[Fault]) -> Iterator[tuple[tuple[str, str], str]]:
    for kind, endings in TEXTS.items():
        folder = root / kind
        for path in sorted(folder.rglob("*") if kind in DEEP else folder.glob("*")):
            if path.suffix not in endings:
                continue
            name = path.relative_to(folder).as_posix()
            try:
                yield (kind, name), _read_text(path, f"{kind}/{name}")
            except Faults as error:
                faults += error.faults


def _read_text(path: Path, file: str) -> str:
    try:
        if not path.is_file():
            raise Faults([Fault(file=file, path="", message="This is no file.", advice="Take it away.")])
        if path.stat().st_size > MOST_BYTES:
            message = f"The file has {path.stat().st_size:,} bytes; at most {MOST_BYTES:,} are read."
            raise Faults([Fault(file=file, path="", message=message, advice="A definition is small: is it data?")])
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        message, advice = f"Byte {error.start} is no UTF-8.", "Save it as UTF-8."
        raise Faults([Fault(file=file, path="", message=message, advice=advice)]) from error
    except OSError as error:
        raise Faults([Fault(file=file, path="", message=f"The file cannot be read: {error.strerror}.")]) from error


def _definition(kind: str, file: str, text: str) -> Definition:
    data = _parsed(file, text)
    try:
        resource = KINDS[kind].model_validate(data)
    except ValidationError as error:
        raise Faults(shape_faults(file, "", error)) from error
    if resource.name != Path(file).stem:
        message = f"The file is called '{Path(file).stem}' and says that its name is '{shown(resource.name)}'."
        raise Faults([Fault(file=file, path="name", message=message, advice="Give both the same name.")])
    return Definition(kind=kind, name=resource.name, file=file, text=text, resource=resource)


def _parsed(file: str, text: str) -> Any:
    try:
        data = json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Faults([Fault(file=file, path=place, message=f"This is no JSON: {error.msg}.")]) from error
    except ValueError as error:  # a number of more than 4,300 digits, or NaN
        raise Faults([Fault(file=file, path="", message=f"This is no JSON that can be read: {error}.")]) from error
    except RecursionError as error:
        raise Faults([Fault(file=file, path="", message=_TOO_DEEP)]) from error
    if not is_shallow(data):
        raise Faults([Fault(file=file, path="", message=_TOO_DEEP)])
    return data


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def is_shallow(value: Any) -> bool:
    """Say whether a JSON value is nested at most as deep as a definition may be, so that it can be walked."""
    level, depth = [value], 0
    while level and depth <= MOST_NESTED:
        parts = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level, depth = [each for part in parts for each in part if isinstance(each, dict | list)], depth + 1
    return not level


def shape_faults(file: str, prefix: str, error: ValidationError) -> list[Fault]:
    """Return pydantic's findings as faults: each with its JSON path below `prefix`, and what was expected."""
    found = error.errors(include_url=False, include_context=False)
    faults = [
        Fault(file=file, path=_json_path(prefix, item["loc"]), message=_wanted(item), advice=_given(item["input"]))
        for item in found[:MOST_FAULTS]
    ]
    if len(found) > MOST_FAULTS:
        message = f"There are {len(found) - MOST_FAULTS:,} more faults of this kind."
        faults.append(Fault(file=file, path=prefix, message=message))
    return faults


def shown(text: str) -> str:
    """Return a name as a message shows it: cut where it is long."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _wanted(found: ErrorDetails) -> str:
    """Return what pydantic says is wrong, without the names of our own classes."""
    return "An object belongs here." if found["type"] in {"model_type", "dict_type"} else f"{found['msg']}."


def _given(value: Any) -> str:
    if isinstance(value, dict | list):
        return ""
    if isinstance(value, str):
        value = value[:_LONGEST_SHOWN]
    return f"It says {json.dumps(value, ensure_ascii=False)[:_LONGEST_SHOWN]}."


def _json_path(prefix: str, location: tuple[int | str, ...]) -> str:
    path = prefix
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{shown(part)}"
    return path.removeprefix(".")
