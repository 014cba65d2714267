"""The activity Custom: a command on this machine, as Azure Batch would run it on a node."""

import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from manara.activities.process import CommandFailed, print_to, run_program
from manara.errors import NotAllowed, SourceMissing, WrongDefinition
from manara.plugin.activity import Given, Output, Reference, activity
from manara.plugin.connection import Store
from manara.plugin.lineage import declared

_KEEP_DAYS = 30
_OUTPUT_BYTES = 2 << 20
_OURS = "MANARA_"


@activity("Custom")
def custom(given: Given) -> Output:
    """Run `command` in a fresh folder that holds the files of `folderPath`, and return `exitcode` and `outputs`.

    Beside the files lie `activity.json`, `linkedServices.json` and `datasets.json` with what `referenceObjects` names,
    its secrets opened; only this user can read them, and the folder is gone afterwards. `outputs` are the paths of
    stdout.txt and stderr.txt, kept for retentionTimeInDays (30). What the command writes into outputs.json becomes
    `customOutput` (2 MB at most). No shell reads the command: for one, write `sh -c "..."`. Settings and secrets of
    Manara are not in its environment.

    Raises NotAllowed unless the setting custom.allowed is true, and CommandFailed (2500, as in Azure) for an exit code
    other than 0. A run that was killed starts the command again when it goes on.
    """
    if not given.runs_commands:
        raise NotAllowed(
            "The definition wants to run a command on this machine, which the settings do not allow.",
            where=given.name,
            advice="If you trust it, write into manara.toml:  [custom]  allowed = true",
        )
    command = _command(given)
    printed = print_to(given, _days(given))
    with tempfile.TemporaryDirectory(prefix="manara-custom-") as name:
        folder = Path(name)
        _fetch(given, folder)
        _write_references(given, folder)
        code = run_program(
            command,
            folder=folder,
            environment=_environment(folder),
            printed=printed,
            tick=lambda: given.report({}),
        )
        if code:
            raise CommandFailed(f"The command ended with exit code {code}.", where=given.name, advice=printed.told())
        added = _own_output(folder / "outputs.json", given.name)
    return {
        "exitcode": code,
        "outputs": [str(printed.out), str(printed.err)],
        **added,
        **declared(given),
        "effectiveIntegrationRuntime": "AutoResolveIntegrationRuntime (local)",
    }


def _command(given: Given) -> list[str]:
    text = given.properties.get("command")
    try:
        words = shlex.split(text) if isinstance(text, str) else []
    except ValueError as error:
        raise WrongDefinition(f"The command cannot be read: {error}.", where=given.name) from error
    if not words:
        raise WrongDefinition("A Custom activity needs typeProperties.command.", where=given.name)
    return words


def _days(given: Given) -> float:
    told = given.properties.get("retentionTimeInDays")
    try:
        return _KEEP_DAYS if told in (None, "") else max(0.0, float(str(told)))
    except ValueError:
        raise WrongDefinition(f"retentionTimeInDays is '{told}', which is no number.", where=given.name) from None


def _fetch(given: Given, folder: Path) -> None:
    """Copy the files of folderPath into the folder."""
    reference, path = given.properties.get("resourceLinkedService"), given.properties.get("folderPath")
    if not reference:
        return
    store = given.connect(reference)
    if not isinstance(store, Store):
        raise WrongDefinition("resourceLinkedService is no store of files.", where=given.name)
    top = str(path or "").strip("/")
    found = store.info(top)
    if found is None or not found.is_folder:
        raise SourceMissing(f"There is no folder '{top}' for the command.", where=given.name)
    _copy_folder(given, store, top, folder)


def _copy_folder(given: Given, store: Store, source: str, target: Path) -> None:
    for info in store.list(source):
        name = PurePosixPath(info.path).name
        if name in ("", ".."):
            raise WrongDefinition(f"'{info.path}' is no name for a file.", where=given.name)
        if info.is_folder:
            (target / name).mkdir()
            _copy_folder(given, store, info.path, target / name)
            continue
        with store.open(info.path) as read, (target / name).open("xb") as write:
            shutil.copyfileobj(read, write)
        (target / name).chmod(0o700)
        given.report({})


def _write_references(given: Given, folder: Path) -> None:
    named = given.properties.get("referenceObjects") or {}
    _write(folder / "activity.json", {"name": given.name, "type": "Custom", "typeProperties": given.properties})
    for key, kind in (("linkedServices", "linkedService"), ("datasets", "dataset")):
        references: Sequence[Reference] = named.get(key) or []
        _write(folder / f"{key}.json", [given.describe(kind, reference) for reference in references])


def _write(path: Path, value: Any) -> None:
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=2)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_OURS)}
    return kept | {"AZ_BATCH_TASK_DIR": str(folder), "AZ_BATCH_TASK_WORKING_DIR": str(folder)}


def _own_output(file: Path, where: str) -> Mapping[str, Any]:
    """Return what the command has left in outputs.json."""
    if not file.is_file():
        return {}
    if file.stat().st_size > _OUTPUT_BYTES:
        raise CommandFailed("outputs.json has more than 2 MB.", where=where, advice="Write a file of data elsewhere.")
    try:
        return {"customOutput": json.loads(file.read_text(encoding="utf-8"))}
    except ValueError as error:
        raise CommandFailed(f"outputs.json is no JSON: {error}.", where=where) from error
