"""The faults that the generator plants, each in a row of its own, and the list of what was planted where."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from manara.blueprints.supply.stock import Row, stamped
from manara.blueprints.supply.world import chance, month_after

MISSING = "missing mandatory value"
TYPE = "wrong type"
DUPLICATE = "duplicate key"
REFERENCE = "broken reference"
RANGE = "value out of range"
IDENTITY = "stock identity violated"
LATE = "late report"
UNKNOWN = "unknown name"
FAULTS = (MISSING, TYPE, DUPLICATE, REFERENCE, RANGE, IDENTITY, LATE, UNKNOWN)

LATE_AFTER_DAYS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One planted fault: the contract and the rule that should find it, and words that lead to the row."""

    fault: str
    contract: str
    rule: str
    file: str
    row: str


@dataclass(slots=True)
class Planted:
    """Everything that was planted, in order."""

    faults: list[Fault] = field(default_factory=list)

    def add(self, fault: str, contract: str, rule: str, file: str, row: str) -> None:
        """Note one more."""
        self.faults.append(Fault(fault=fault, contract=contract, rule=rule, file=file, row=row))

    def counts(self) -> dict[str, int]:
        """Return how many were planted of each kind, all kinds named."""
        found = Counter(fault.fault for fault in self.faults)
        return {name: found[name] for name in FAULTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoil:
    """A way to spoil a row: the fault and rule it is to be found by, and the cells to overwrite."""

    fault: str
    rule: str
    cells: dict[str, object]


def spoil_copies(
    planted: Planted, contract: str, file: str, rows: list[Row], ways: Sequence[Spoil], new_id: Callable[[], str]
) -> None:
    """Append a spoilt copy of the last row for every way, with an id of its own, so that no good row is hurt."""
    model = rows[-1]
    for way in ways:
        copy = {**model, "id": new_id(), **way.cells}
        rows.append(copy)
        planted.add(way.fault, contract, way.rule, file, f"id {copy['id']}")


def repeat_row(planted: Planted, contract: str, file: str, rows: list[Row], place: int) -> None:
    """Append the row at `place` once more, as it is."""
    rows.append(dict(rows[place]))
    planted.add(DUPLICATE, contract, "key.duplicate", file, f"id {rows[place]['id']}")


VALUE_WAYS = (
    *(Spoil(fault=MISSING, rule="value.required", cells={"value": text}) for text in ("", "  ", "")),
    *(Spoil(fault=TYPE, rule="value.type", cells={"value": text}) for text in ("n/a", "12 vials", "2,5", "?")),
    *(Spoil(fault=RANGE, rule="value.range", cells={"value": text}) for text in ("-5", "-40", "-1")),
    Spoil(fault=REFERENCE, rule="site_key.reference", cells={"orgUnit": "Atlantis H/C"}),
    Spoil(fault=REFERENCE, rule="site_key.reference", cells={"orgUnit": "HC Utopia"}),
    Spoil(fault=REFERENCE, rule="item_code.reference", cells={"dataElement": "EPI99_DOSES"}),
    Spoil(fault=REFERENCE, rule="item_code.reference", cells={"dataElement": "OLD_DOSES"}),
)
REPEATED_VALUES = 4
BROKEN_IDENTITIES = 5
LATE_REPORTS = 4

Reports = dict[tuple[str, str], list[Row]]


def spoil_reports(planted: Planted, seed: int, reports: Reports, file: Callable[[str], str]) -> None:
    """Spoil monthly reports, at most one fault in a report. `reports` are data values by facility code and period.

    A spoilt value leaves its month unknown in one number, so the stock identity of that month is unknown, not violated.
    """
    rng = chance(f"{seed}/faults")
    count = len(VALUE_WAYS) + REPEATED_VALUES + BROKEN_IDENTITIES + LATE_REPORTS
    chosen = iter(rng.sample(sorted(reports), count))

    def note(fault: str, contract: str, rule: str, key: tuple[str, str], what: object) -> None:
        planted.add(fault, contract, rule, file(key[1]), f"{what} of {key[0]}")

    for way in VALUE_WAYS:
        key = next(chosen)
        # DOSES stands outside the stock identity: a row that no longer names its item is missed nowhere else.
        ending = "_DOSES" if "dataElement" in way.cells else ""
        row = rng.choice(measured(reports[key], ending))
        note(way.fault, "data_value", way.rule, key, row["dataElement"])
        row.update(way.cells)
    for _ in range(REPEATED_VALUES):
        key = next(chosen)
        row = rng.choice(reports[key])
        reports[key].append(dict(row))
        note(DUPLICATE, "data_value", "key.duplicate", key, row["dataElement"])
    for _ in range(BROKEN_IDENTITIES):
        key = next(chosen)
        row = rng.choice(measured(reports[key], "_CLOSING"))
        row["value"] = str(int(str(row["value"])) + rng.randrange(1, 30))
        note(IDENTITY, "stock_month", "stock-identity", key, row["dataElement"])
    for _ in range(LATE_REPORTS):
        key = next(chosen)
        delay_report(reports[key], days=LATE_AFTER_DAYS + rng.randrange(2, 60))
        note(LATE, "stock_month", "late-report", key, "all")


def measured(rows: Sequence[Row], ending: str) -> list[Row]:
    """Return the rows whose data element ends so."""
    return [row for row in rows if str(row["dataElement"]).endswith(ending)]


def delay_report(rows: list[Row], days: int) -> None:
    """Stamp the rows as created `days` after the end of their month."""
    period = str(rows[0]["period"])
    after = month_after(date(int(period[:4]), int(period[4:]), 1), 1)
    moment = datetime(after.year, after.month, after.day, 10, tzinfo=UTC) + timedelta(days=days)
    for row in rows:
        row["created"] = row["lastUpdated"] = stamped(moment)
