"""The linked service Web and the dataset WebTable: one table of a web page."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pyarrow as pa

from manara.connectors.services.answers import Kept, passing, reader
from manara.connectors.services.client import Service, client_of, service_of
from manara.connectors.services.rest import joined, service
from manara.errors import SourceMissing, WrongDefinition
from manara.plugin.connection import LinkedServiceGiven, Mark, connector
from manara.plugin.dataset import DatasetGiven, Tally, dataset

Settings = Mapping[str, Any]

_CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?([\w-]+)""", re.IGNORECASE)
_UNSEEN = {"script", "style", "template", "noscript"}
_LONGEST_SPAN = 1_000
_BREAKS = {"br", "p", "div", "li"}


@connector("Web", can={"read"})
def web(given: LinkedServiceGiven) -> Service:
    """Return the web site at `url`, opened as `authenticationType` says (Anonymous or Basic)."""
    return service_of(given)


@dataset("WebTable", can={"read"})
def web_table(given: DatasetGiven) -> "WebTableDataset":
    """Return the table number `index` (from 0) of the page at `path`.

    All values are texts. A first row of head cells names the columns, otherwise they are `Column1`, `Column2` ...;
    names that come twice are numbered. A cell that spans rows or columns stands in each of them.
    """
    return WebTableDataset(given=given, service=service(given, "Web"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WebTableDataset:
    """One table of one page."""

    given: DatasetGiven
    service: Service

    def read(self, settings: Settings, tally: Tally) -> pa.RecordBatchReader:
        with passing() as answers, client_of(self.service, settings, tally.tick) as client:
            answers.pages = True
            url = joined(self.service.url, str(self.given.properties.get("path") or ""))
            kept = answers.fetch(client, "GET", url, tally, headers={"Accept": "text/html, */*;q=0.5"})
            table = self._table(_text(kept))
        names, rows = _named(table)
        columns = [pa.array([row[at] for row in rows], pa.string()) for at in range(len(names))]
        found = pa.table(columns, names=names)
        return reader(found.schema, iter(found.to_batches(self.given.batch_rows)), settings)

    def write(self, settings: Settings, rows: pa.RecordBatchReader, mark: Mark, tally: Tally) -> dict[str, Any]:  # noqa: ARG002
        raise WrongDefinition("Web pages can only be read.", where=f"dataset '{self.given.name}'")

    def metadata(self, fields: Sequence[str]) -> dict[str, Any]:
        names = self.read({}, Tally()).schema.names
        structure = [{"name": name, "type": "String"} for name in names]
        facts = {"exists": True, "structure": structure, "columnCount": len(names)}
        return {name: facts[name] for name in fields if name in facts}

    def _table(self, text: str) -> "_Table":
        index = self.given.properties.get("index")
        try:
            number = int(str(index if index is not None else 0))
        except ValueError:
            number = -1
        if number < 0:
            raise WrongDefinition(f"'{index}' is no index of a table.", where="index", advice="Count from 0.")
        page = _Page()
        page.feed(text)
        page.close()
        tables = page.tables
        if number >= len(tables):
            raise SourceMissing(
                f"The page has {len(tables)} tables, and none with the index {number}.",
                where=f"dataset '{self.given.name}'",
                advice="Count from 0; tables that a script draws are not in the page.",
            )
        return tables[number]


@dataclass(slots=True)
class _Cell:
    is_head: bool
    rows: int
    columns: int
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


@dataclass(slots=True)
class _Table:
    rows: list[list[_Cell]] = field(default_factory=list)
    cell: _Cell | None = None

    def grid(self) -> Iterator[list[_Cell | None]]:
        """Yield the rows with a cell at each place that it covers."""
        hanging: dict[int, tuple[_Cell, int]] = {}
        for row in self.rows:
            line: dict[int, _Cell | None] = {}
            for at, (cell, left) in list(hanging.items()):
                line[at] = cell
                hanging.pop(at)
                if left > 1:
                    hanging[at] = (cell, left - 1)
            at = 0
            for cell in row:
                while at in line:
                    at += 1
                for place in range(at, at + cell.columns):
                    line[place] = cell
                    if cell.rows > 1:
                        hanging[place] = (cell, cell.rows - 1)
                at += cell.columns
            yield [line.get(place) for place in range(max(line, default=-1) + 1)]


class _Page(HTMLParser):
    """Collects the tables of a page in the order in which they begin; a table within a cell is a table of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[_Table] = []
        self._open: list[_Table] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        if tag == "table":
            self.tables.append(_Table())
            self._open.append(self.tables[-1])
        if not self._open:
            return
        table = self._open[-1]
        if tag == "tr":
            table.cell = None
            table.rows.append([])
        elif tag in ("td", "th"):
            if not table.rows:
                table.rows.append([])
            told = dict(attrs)
            table.cell = _Cell(tag == "th", _span(told.get("rowspan")), _span(told.get("colspan")))
            table.rows[-1].append(table.cell)
        elif tag in _BREAKS and table.cell:
            table.cell.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN and self._unseen > 0
        if tag == "table" and self._open:
            self._open.pop()
        elif tag in ("td", "th", "tr") and self._open:
            self._open[-1].cell = None

    def handle_data(self, data: str) -> None:
        if self._open and not self._unseen and (cell := self._open[-1].cell):
            cell.words.append(data)


def _span(text: str | None) -> int:
    number = int(text) if text and text.strip().isascii() and text.strip().isdigit() else 1
    return min(max(number, 1), _LONGEST_SPAN)


def _named(table: _Table) -> tuple[list[str], list[list[str | None]]]:
    """Return the columns' names and the rows, all of the same length."""
    lines = [line for line in table.grid() if line]
    width = max(map(len, lines), default=0)
    head = lines and all(cell and cell.is_head for cell in lines[0])
    told = [cell.text if cell else "" for cell in lines[0]] if head else []
    texts = [[cell.text if cell else None for cell in line] for line in (lines[1:] if head else lines)]
    names: list[str] = []
    for at in range(width):
        name = (told[at] if at < len(told) else "") or f"Column{at + 1}"
        known, number = name, 2
        while name in names:
            name, number = f"{known}_{number}", number + 1
        names.append(name)
    return names, [[*line, *([None] * (width - len(line)))] for line in texts]


def _text(kept: Kept) -> str:
    with kept.open() as file:
        content = file.read()
    told = re.search(r"charset=\"?([\w-]+)", kept.answer.header("Content-Type"), re.IGNORECASE)
    meta = _CHARSET.search(content[:4096])
    charset = told[1] if told else meta[1].decode("ascii") if meta else "utf-8-sig"
    try:
        return content.decode(charset, errors="replace")
    except LookupError:
        return content.decode("utf-8-sig", errors="replace")
