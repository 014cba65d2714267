"""The activity Lookup: a few rows for expressions to use."""

from typing import Any

from manara.activities.plain import check_size, plain_rows
from manara.errors import WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.plugin.dataset import Tally

_MOST_ROWS = 5_000


@activity("Lookup")
def lookup(given: Given) -> Output:
    """Return `firstRow`, or with firstRowOnly false `count` and `value` (rules 89 and 90).

    Without any row, `firstRow` is left out. Of more than 5,000 rows the first are kept, and nothing tells so, as in
    Azure; more than 4 MB fail.
    """
    reference = given.properties.get("dataset")
    if not reference:
        raise WrongDefinition("A Lookup needs typeProperties.dataset.", where=given.name)
    first_only = str(given.properties.get("firstRowOnly", True)).lower() != "false"
    tally = Tally(tick=lambda: given.report({}))
    rows = given.dataset(reference).read(given.properties.get("source") or {}, tally)
    found = list(plain_rows(rows, 1 if first_only else _MOST_ROWS))
    rows.close()
    output: dict[str, Any] = {"firstRow": found[0]} if first_only and found else {}
    if not first_only:
        output = {"count": len(found), "value": found}
    check_size(output, f"The Lookup '{given.name}'")
    return output
