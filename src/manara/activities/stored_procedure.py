"""The activities SqlServerStoredProcedure and SqlPoolStoredProcedure: a procedure, or the script that answers it."""

from collections.abc import Mapping
from typing import Any

from manara.activities.script import Results, database_of, read_value
from manara.activities.watched import Watched
from manara.errors import WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.plugin.connection import Transaction
from manara.plugin.lineage import safely
from manara.table.batch import Batch
from manara.table.procedure import plain_name, script_of


@activity("SqlServerStoredProcedure", "SqlPoolStoredProcedure")
def stored_procedure(given: Given) -> Output:
    """Run the stored procedure `storedProcedureName` with its `storedProcedureParameters`, once, in one transaction.

    It is answered by the script of the same name in `local/procedure/`, or else called in a database that has stored
    procedures. The rows that it gives are left out, as in ADF.
    """
    name = given.properties.get("storedProcedureName")
    if not isinstance(name, str) or not name.strip():
        raise WrongDefinition("A stored procedure needs typeProperties.storedProcedureName.", where=given.name)
    database = database_of(given)
    values = parameters(given.properties.get("storedProcedureParameters"), given.name)

    def work(transaction: Transaction) -> Output:
        results = Results(report=given.report)
        watched = Watched(transaction)
        batch = Batch(
            written=database.dialect,
            spoken=database.dialect,
            runner=watched,
            rows=lambda rows: results.take(rows, wants_rows=False),
            count=results.count,
            procedure=lambda called: script_of(called, given.text),
        )
        batch.call(plain_name(name), values)
        namespace = str((given.linked_service or {}).get("referenceName") or "")
        told = safely(lambda: watched.lineage(namespace, database.dialect))
        return {"recordsAffected": results.affected, **told}

    return database.once(given.mark, work)


def parameters(told: Any, where: str) -> dict[str, Any]:
    """Return the values of `storedProcedureParameters` by their names. Raises WrongDefinition."""
    if not isinstance(told or {}, Mapping):
        raise WrongDefinition("The storedProcedureParameters are an object.", where=where)
    values = {}
    for name, one in (told or {}).items():
        at = f"{where}: storedProcedureParameters['{name}']"
        is_told = isinstance(one, Mapping) and "value" in one
        values[str(name)] = read_value(one.get("type"), one["value"], at) if is_told else one
    return values
