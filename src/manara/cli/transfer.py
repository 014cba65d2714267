"""Factories moved in and out: as ARM templates, as folders in git's layout, and from Azure itself."""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manara.app.server import home_of, open_documents
from manara.cli.azure_factory import Access, read_azure
from manara.errors import Conflict, Faults, NotAllowed, NotFound, WrongDefinition
from manara.registry import near
from manara.resources.factory import MOST_BYTES, Factory, made_factory, read_factory
from manara.resources.model import KINDS
from manara.resources.published import FACTORIES, GROUP, SUBSCRIPTION, factory_id, factory_of, publish
from manara.resources.template.export import PARAMETERS_FILE, TEMPLATE_FILE, export_template
from manara.resources.template.git import VAULT, Layout, layout_of_template
from manara.resources.template.read import check_template, read_json, read_values
from manara.store.documents import Documents


def export_arm(folder: Path, out: Path, *, home: Path | None, factory: str, with_secrets: bool, force: bool) -> None:
    """Write a factory as ARMTemplateForFactory.json and its file of parameters.

    It is the one in the folder, or the one of the store of a home where `factory` names it (a name or a resource id).
    """
    found = _from_store(home, factory) if factory else _whole(read_factory(folder))
    made = export_template(found, with_secrets=with_secrets)
    files = {TEMPLATE_FILE: _text(made.template), PARAMETERS_FILE: _text(made.parameters)}
    for name in files:
        if (out / name).exists() and not force:
            raise Conflict(f"'{out / name}' is there already.", advice="Give --force to replace it.")
    for name, text in files.items():
        _write(out / name, text)
    _say(f"Wrote the factory '{found.name}' to {out / TEMPLATE_FILE}: {len(made.template['resources'])} resources.")
    if made.secrets and not with_secrets:
        _say(f"{len(made.secrets)} secrets are left empty in {PARAMETERS_FILE}: {', '.join(sorted(made.secrets))}.")


def export_git(out: Path, *, home: Path | None, factory: str, with_secrets: bool, force: bool) -> None:
    """Write a factory of the store of a home as a folder in git's layout."""
    made = export_template(_from_store(home, factory), with_secrets=True)
    given = {name: part["value"] for name, part in made.parameters["parameters"].items()}
    hidden = {} if with_secrets else dict.fromkeys(made.secrets, "")
    _put_folder(layout_of_template(made.template, {**given, **hidden}), out, force=force)


def import_arm(
    template: Path, parameters: Path | None, *, out: Path | None, home: Path | None, name: str, force: bool
) -> None:
    """Read an ARM template into a folder, or into the store of a home."""
    document = check_template(read_json(_read(template), template.name), template.name)
    given: dict[str, Any] = {}
    if parameters:
        given = read_values(read_json(_read(parameters), parameters.name), parameters.name)
    if name:
        given["factoryName"] = name
    _put(layout_of_template(document, given, template.name), out, home, force=force)


def import_git(folder: Path, *, home: Path | None, name: str, subscription: str, group: str) -> None:
    """Publish the factory in a folder into the store of a home."""
    _publish(_whole(read_factory(folder)), home, name, subscription, group)


def import_azure(access: Access, *, out: Path | None, home: Path | None, force: bool) -> None:
    """Read a factory out of Azure by the management API into a folder, or into the store of a home."""
    _put(read_azure(access, tell=_say), out, home, force=force)


def _put(layout: Layout, out: Path | None, home: Path | None, *, force: bool) -> None:
    if (out is None) == (home is None):
        raise WrongDefinition("Say where the factory goes.", advice="Give -o FOLDER, or --home DIR for its store.")
    if out is not None:
        _put_folder(layout, out, force=force)
        return
    made = _whole(made_factory(Path(), layout.files, local={}, more={}))
    _publish(made, home, layout.name, SUBSCRIPTION, GROUP)
    _tell_of(layout)


def _publish(factory: Factory, home: Path | None, name: str, subscription: str, group: str) -> None:
    path = factory_id(name or factory.name, subscription or SUBSCRIPTION, group or GROUP)
    where = home_of(None) if home is None else home
    journal, documents = open_documents(where.absolute())
    try:
        told = publish(factory, documents, path)
    finally:
        journal.close()
    counts = ", ".join(f"{len(paths)} {what}" for what, paths in told.items())
    _say(f"Published the factory '{name or factory.name}' into {where}: {counts}.")


def _whole(factory: Factory) -> Factory:
    """Return a factory in which every file could be read. Raises the faults of the others."""
    if factory.faults:
        raise Faults(factory.faults)
    return factory


def _from_store(home: Path | None, wanted: str) -> Factory:
    where = home_of(None) if home is None else home
    if not where.is_dir():
        raise NotFound(f"There is no folder '{where}'.", advice="Name the home of a server with --home.")
    journal, documents = open_documents(where.absolute())
    try:
        return factory_of(documents.below(_find(documents, wanted)), where, where)
    finally:
        journal.close()


def _find(documents: Documents, wanted: str) -> str:
    """Return the id of the factory that a name or an id means."""
    held = documents.of_type(FACTORIES)
    found = [each.path for each in held if wanted.lower() in (each.id, each.name.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        raise WrongDefinition(f"There are {len(found)} factories of the name '{wanted}'.", advice="Give --factory-id.")
    advice = near(wanted[:100], [each.name for each in held]) if held else "The store holds no factory."
    raise NotFound(f"There is no factory '{wanted[:100]}' in the store.", advice=advice)


def _put_folder(layout: Layout, out: Path, *, force: bool) -> None:
    """Write the files of a factory: all of them beside first, and then into their place."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not force:
        raise Conflict(
            f"The folder '{out}' is not empty.",
            advice="Name a new one, or give --force: the definitions in it are replaced, and all else stays.",
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as beside:
            for place, text in layout.files.items():
                _write(Path(beside, "new", place), text)
            _swap(Path(beside), out)
    except OSError as error:
        raise NotAllowed(f"The folder cannot be written: {error.strerror}.", where=str(out)) from error
    _say(f"Wrote the factory '{layout.name}' into {out}: {len(layout.files)} files.")
    _tell_of(layout)
    _say(f"Check it:  manara validate -f {out}")


def _swap(beside: Path, out: Path) -> None:
    """Put the new folders in the place of the old ones; where one cannot be moved, all are as they were."""
    out.mkdir(exist_ok=True)
    (beside / "old").mkdir()
    done: list[str] = []
    try:
        for kind in KINDS:
            if (out / kind).exists():
                (out / kind).rename(beside / "old" / kind)
            done.append(kind)
            if (beside / "new" / kind).exists():
                (beside / "new" / kind).rename(out / kind)
    except OSError:
        for kind in done:
            shutil.rmtree(out / kind, ignore_errors=True)
            if (beside / "old" / kind).exists():
                (beside / "old" / kind).rename(out / kind)
        raise


def _tell_of(layout: Layout) -> None:
    if layout.passed_by:
        _say(f"Left out, for a folder has no place for them: {', '.join(layout.passed_by[:20])}.")
    if layout.secrets:
        _say(f"{len(layout.secrets)} secrets came with no value. They are looked up in the Key Vault '{VAULT}':")
        for name in layout.secrets:
            variable = "".join(each if each.isascii() and each.isalnum() else "_" for each in name.upper())
            _say(f"  MANARA_SECRET_{variable}")


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise WrongDefinition(f"The file has more than {MOST_BYTES:,} bytes.", where=str(path))
        return path.read_bytes()
    except OSError as error:
        raise NotFound(f"The file cannot be read: {error.strerror}.", where=str(path)) from error


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name[:200]}.new")
        beside.write_text(text, encoding="utf-8", newline="")
        beside.replace(path)
    except OSError as error:
        raise NotAllowed(f"The file cannot be written: {error.strerror}.", where=str(path)) from error


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=4, ensure_ascii=False) + "\n"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
