"""The activity WebActivity: one call of a web service, and its answer."""

from collections.abc import Callable
from dataclasses import replace
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from manara import clock
from manara.activities.request import check_status, output_of, read_request
from manara.errors import WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.web import Answer, Request, pause, send

_PAUSE_S = 10.0
_LONGEST_PAUSE_S = 600.0
_KEPT = ("accept", "accept-language", "user-agent")
"""Headers that go along to another host: those that open nothing."""


@activity("WebActivity")
def web_activity(given: Given) -> Output:
    """Call `url` and return the JSON object that it answers; any other answer stands under `Response` (rule 92).

    An answer of 202 with a `Location` is asked for again there, until it is ready, unless `turnOffAsync` is true.
    """
    for name in ("datasets", "linkedServices"):
        if given.properties.get(name):
            raise WrongDefinition(
                f"The definitions of {name} cannot be sent along.",
                where=f"{given.name}: typeProperties.{name}",
                advice="Put what the service needs into the body.",
            )
    request = read_request(given.properties, given.identity, given.name)

    def tick() -> None:
        given.report({})

    answer = send(request, tick)
    if str(given.properties.get("turnOffAsync", False)).lower() != "true":
        answer = _ready(request, answer, tick)
    check_status(answer)
    return output_of(answer)


def _ready(request: Request, answer: Answer, tick: Callable[[], None]) -> Answer:
    while answer.status == 202 and answer.header("Location"):
        pause(_wait_s(answer.header("Retry-After")), tick)
        answer = send(_follow(request, urljoin(answer.url, answer.header("Location"))), tick)
    return answer


def _follow(request: Request, url: str) -> Request:
    """Return the request that asks whether it is ready; only the same host is shown the headers that open doors."""
    is_same = urlsplit(url)[:2] == urlsplit(request.url)[:2]
    headers = {
        name: value
        for name, value in request.headers.items()
        if name.lower() in _KEPT or (is_same and not name.lower().startswith("content-"))
    }
    return replace(request, method="GET", url=url, body=b"", headers=headers)


def _wait_s(text: str) -> float:
    """Return how long a `Retry-After` asks to wait: seconds, or the time until a date."""
    try:
        seconds = float(text) if text.replace(".", "", 1).isdigit() else _until(text)
    except (ValueError, TypeError, OverflowError):
        return _PAUSE_S
    return min(max(0.0, seconds), _LONGEST_PAUSE_S)


def _until(text: str) -> float:
    return (parsedate_to_datetime(text) - clock.now()).total_seconds() if text else _PAUSE_S
