"""New packs: from a CSV file, from a code list of SDMX, or from the names of countries that CLDR has."""

import csv
import hashlib
import io
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import yaml

from manara import clock
from manara.errors import Conflict, WrongDefinition
from manara.harmonise.pack import FOLDER, MANIFEST, Pack, read_pack

LANGUAGES = ("en", "fr", "es", "pt", "ar", "ru", "zh", "fa", "ps", "sw", "de", "it", "tr", "uk", "am", "so", "bn", "ur")  # fmt: skip  # noqa: E501
"""The languages in which a pack of countries has names: those of the United Nations and of large programmes."""


_NO_COUNTRIES = frozenset({
    "ANT", "ASC", "BUR", "CPT", "DDR", "DGA", "FXX", "NTZ", "QUU", "SCG", "SUN", "TAA", "TMP", "YMD", "YUG", "ZAR",
    "XAA", "XBB", "ZZZ",
})  # fmt: skip
"""Codes of what is no country any more, of parts of one, and of none."""


def add_csv(root: Path, name: str, file: Path, columns: Mapping[str, Sequence[str]], version: str, **more: str) -> Pack:
    """Make a pack of a CSV file (`.csv` or `.csv.gz`) as it is; `columns` says which of its columns hold what.

    The pack is read before it takes its name, so that what is wrong in it is told and nothing is left behind.
    Raises Conflict where there is a pack of the name.
    """
    if not file.is_file():
        raise WrongDefinition(f"There is no file '{file}'.")
    ending = ".csv.gz" if file.name.endswith(".gz") else ".csv"
    return _made(
        root, name, file.read_bytes(), ending, columns, version, more | {"source": more.get("source", file.name)}
    )


def add_sdmx(root: Path, name: str, file: Path, **more: str) -> Pack:
    """Make a pack of a code list in SDMX-ML 2.1: codes, names in all languages, and parents."""
    try:
        tree = ElementTree.parse(file)  # noqa: S314 # a file that the user names
    except (ElementTree.ParseError, OSError) as error:
        raise WrongDefinition(f"The file '{file}' is no SDMX-ML: {error}.") from error
    lists = [each for each in tree.iter() if each.tag.endswith("}Codelist")]
    if len(lists) != 1:
        raise WrongDefinition(f"The file '{file}' holds {len(lists)} code lists.", advice="Give a file with one.")
    rows = []
    for code in (each for each in lists[0] if each.tag.endswith("}Code")):
        parent = next((ref.get("id", "") for ref in code.iter() if ref.tag.endswith("}Ref") or ref.tag == "Ref"), "")
        names = [each.text or "" for each in code if each.tag.endswith("}Name")] or [code.get("id", "")]
        rows += [(code.get("id", ""), one, parent) for one in names]
    agency, version = lists[0].get("agencyID", ""), lists[0].get("version", "1.0")
    told = {"source": f"{agency}:{lists[0].get('id', '')}({version})"} | more
    columns = {"code": ["code"], "name": ["name"], "parent": ["parent"]}
    return _made(root, name, _csv(("code", "name", "parent"), rows), ".csv", columns, version, told)


def add_countries(root: Path, name: str = "countries", languages: Sequence[str] = LANGUAGES) -> Pack:
    """Make a pack of the countries of the world: ISO 3166 codes of three letters, with their names in many languages.

    The names are those of the Unicode CLDR as the library babel brings them, and the codes of two letters; nothing is
    fetched. Raises WrongDefinition where babel is not installed.
    """
    from babel import Locale, core  # noqa: PLC0415 # an extra, and only this needs it

    known = Locale.parse("en").territories
    three = {
        told[0]: code
        for code, told in core.get_global("territory_aliases").items()
        if re.fullmatch("[A-Z]{3}", code) and told[0] in known and code not in _NO_COUNTRIES
    }
    rows: list[tuple[str, str]] = []
    for two, code in sorted(three.items()):
        names = [Locale.parse(language).territories.get(two, "") for language in languages]
        rows += [(code, one) for one in dict.fromkeys([*names, two, *_also(code)]) if one]
    told = {"source": f"Unicode CLDR {core.get_cldr_version()}", "licence": "Unicode License v3"}
    columns = {"code": ["iso3"], "name": ["name"]}
    version = f"CLDR {core.get_cldr_version()}"
    return _made(root, name, _csv(("iso3", "name"), rows), ".csv", columns, version, told)


def _also(code: str) -> list[str]:
    text = (Path(__file__).parent / "country_names.csv").read_text("utf-8")
    return [row["name"] for row in csv.DictReader(text.splitlines()) if row["iso3"] == code]


def _made(
    root: Path, name: str, content: bytes, ending: str, columns: Mapping[str, Sequence[str]], version: str,
    told: Mapping[str, str],
) -> Pack:  # fmt: skip
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise WrongDefinition(f"'{name}' is no name of a pack.", advice="Take letters, digits, '-' and '_'.")
    folder = root / FOLDER / name
    if folder.exists():
        raise Conflict(f"There is a pack '{name}' already.", advice="Take another name, or remove its folder first.")
    beside = root / FOLDER / f".{name}.new"
    shutil.rmtree(beside, ignore_errors=True)
    made = beside / FOLDER / name
    made.mkdir(parents=True)
    try:
        (made / f"{name}{ending}").write_bytes(content)
        manifest = {
            "version": version, "kind": "rates" if "rate" in columns else "codes", "file": f"{name}{ending}",
            "columns": {field: list(named) if field == "name" else named[0] for field, named in columns.items()},
            "sha256": hashlib.sha256(content).hexdigest(), "added": clock.now().date().isoformat(), **told,
        }  # fmt: skip
        text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)
        (made / MANIFEST).write_text(text, encoding="utf-8")
        read_pack(beside, name)
        made.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return read_pack(root, name)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
