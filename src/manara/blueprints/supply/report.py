"""What a run of the supply control tower found, as plain tables: for the command line, a page or a mail."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from re import DOTALL, MULTILINE, findall
from typing import Any

from manara.blueprints.supply.faults import (
    DUPLICATE,
    FAULTS,
    IDENTITY,
    LATE,
    MISSING,
    RANGE,
    REFERENCE,
    TYPE,
    UNKNOWN,
    Planted,
)

Query = Callable[[str], list[dict[str, Any]]]

FAULT_OF_RULE = {
    "required": MISSING,
    "type": TYPE,
    "duplicate": DUPLICATE,
    "reference": REFERENCE,
    "reason-known": REFERENCE,
    "range": RANGE,
    "stock-identity": IDENTITY,
    "late-report": LATE,
    "unmatched": UNKNOWN,
}
"""The kind of fault that a rule finds, by the rule's name or by what stands behind its last point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table of a report.

    Cells are numbers, texts, dates or None; a share is a number from 0 to 1, and its column ends with a % sign.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""


TITLES = {
    "loads": ("What was loaded", "Every row that was read is loaded or in quarantine."),
    "refusals": ("Why rows were refused or flagged", "A flagged row is loaded; a refused one waits in quarantine."),
    "stock": (
        "Facilities x items by months of stock, in the newest reports",
        "Months of stock = stock on hand / average monthly consumption; those that are out are under 1 month too.",
    ),
    "stock_outs": (
        "Stock-outs now, by item",
        "Stock on hand is 0 and the item is in use. Monthly need: what these facilities use in a month.",
    ),
    "wastage": ("Wastage of the last twelve months, worst first", "Discarded / (dispensed + discarded)."),
    "silent": ("Silent facilities", "No report for two months or more."),
    "forecast": (
        "Demand forecast: how wrong each way was, in units a month",
        "Judged month by month on what was not known then; an item uses the way with the least error before the split.",
    ),
    "runs_out": (
        "Runs out next, if nothing comes",
        "Stock on hand against what is expected to be dispensed in the next three months.",
    ),
    "shipments": (
        "Shipments",
        "OTIF, on time in full: every line of an order came by its scheduled day. Lead time: median.",
    ),
    "freight": ("Freight and where it is known from", "What cannot be allocated stays empty; it is not guessed."),
    "vendors": ("Vendors that are late most often", "Vendors with 20 lines or more."),
}


def report(query: Query) -> list[Section]:
    """Return what the warehouse holds, section by section; `query` runs a statement and returns its rows."""
    return [_section(name, query(statement)) for name, statement in _statements().items() if name in TITLES]


def compare(planted: Planted, query: Query) -> list[tuple[str, int, int]]:
    """Return for every kind of fault how many were planted and how many were found, all kinds named.

    A late report is one finding, however many of its rows are flagged, and a name that a steward has to decide is one.
    """
    found: Counter[str] = Counter()
    for row in query(_statements()["findings"]):
        kind = FAULT_OF_RULE.get(row["rule"].rsplit(".", 1)[-1])
        if kind:
            found[kind] += row["findings"]
    return [(kind, count, found[kind]) for kind, count in planted.counts().items() if kind in FAULTS]


def _section(name: str, rows: list[dict[str, Any]]) -> Section:
    title, note = TITLES[name]
    columns = tuple(rows[0]) if rows else ()
    return Section(title=title, columns=columns, rows=tuple(tuple(row.values()) for row in rows), note=note)


@cache
def _statements() -> dict[str, str]:
    text = files("manara.blueprints.supply").joinpath("script", "report.sql").read_text("utf-8")
    return dict(findall(r"^-- name: (\w+)\n(.*?);$", text, DOTALL | MULTILINE))
