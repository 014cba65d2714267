"""What people have corrected in a row before it was loaded."""

import json

from sqlglot import exp

from manara.plugin.connection import Database

_FIXES = """
select cast(fix as varchar) as fix, author, cast(noted as varchar) as noted, note from quarantine_fix
where origin = $origin and row_number = $row and released
    and contract in (select contract from gate_target where lower(table_name) = $table)
order by noted
"""


def corrections_of(database: Database, table: str, origin: str, row: int) -> list[str]:
    """Return a sentence for each correction that was put over a row of a file on its way into a table."""
    if not all(database.columns(exp.to_table(name)) for name in ("quarantine_fix", "gate_target")):
        return []
    told = {"table": table.rpartition(".")[2].lower(), "origin": origin, "row": row}
    found = database.query(_FIXES, told).read_all().to_pylist()
    return [_told(each["fix"], each["author"], each["noted"][:10], each["note"]) for each in found]


def _told(fix: str, author: str, day: str, note: str | None) -> str:
    changes = ", ".join(f"{name}={'' if value is None else value}" for name, value in json.loads(fix).items())
    return f"{author} has corrected this row on {day}: {changes}" + (f" ({note})." if note else ".")
