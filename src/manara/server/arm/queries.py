"""What the queries of the API ask for: a span of time, filters, an order."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from manara import clock
from manara.server.answer import bad_request
from manara.server.site import Call
from manara.store.runs import Filter

_MOST = 1000
"""How many values of one filter are read."""


def asked_object(call: Call) -> Mapping[str, Any]:
    """Return the body of a query. Raises Problem where it is no object."""
    if not isinstance(call.body, Mapping):
        raise bad_request("The request's body must be a JSON object with lastUpdatedAfter and lastUpdatedBefore.")
    return call.body


def times(asked: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Return the span of time that is asked for. Raises Problem where an end of it is no moment."""
    return _moment(asked, "lastUpdatedAfter"), _moment(asked, "lastUpdatedBefore")


def _moment(asked: Mapping[str, Any], name: str) -> datetime:
    text = asked.get(name)
    try:
        moment = clock.parse(str(text))
        return moment if moment.tzinfo else moment.replace(tzinfo=clock.now().tzinfo)
    except (ValueError, OverflowError) as error:
        raise bad_request(f"{name} is '{str(text)[:80]}'; a moment such as 2024-01-31T08:00:00Z is wanted.") from error


def filters(asked: Mapping[str, Any], leave: str) -> Sequence[Filter]:
    """Return the filters that are asked for, but those on `leave`. Raises Problem for what is no filter."""
    given = [] if asked.get("filters") is None else asked["filters"]
    if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
        raise bad_request("filters must be a list of objects with operand, operator and values.")
    found = []
    for each in given:
        operand, operator, values = each.get("operand"), each.get("operator"), each.get("values")
        if not isinstance(operand, str) or not isinstance(operator, str) or not isinstance(values, list):
            raise bad_request("A filter has the texts operand and operator, and the list values.")
        if operand != leave:
            found.append(Filter(operand=operand, operator=operator, values=[str(value) for value in values[:_MOST]]))
    return found
