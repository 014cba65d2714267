import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import pytest
from tests.web_server import Asked, Reply, call, serving

from manara.errors import Cancelled, ManaraError, TimedOut, WrongDefinition


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def post(url: str, body: bytes) -> int:
    request = urllib.request.Request(url, data=body, method="POST")  # noqa: S310 - an address of this machine
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


class Back:
    """A service that calls back with each of the bodies, and notes what it is answered."""

    def __init__(self, *bodies: Any) -> None:
        self.bodies = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
        self.answers: list[int] = []
        self.threads: list[threading.Thread] = []

    def __call__(self, asked: Asked) -> Reply:
        thread = threading.Thread(target=self.call_back, args=(asked.json["callBackUri"],))
        self.threads.append(thread)
        thread.start()
        return Reply(status=202, json={})

    def call_back(self, url: str) -> None:
        for body in self.bodies:
            self.answers.append(post(url, body))


def webhook(back: Any, **properties: Any) -> dict[str, Any]:
    with serving(back) as server:
        try:
            return call("WebHook", **{"url": server.url, "method": "POST", **properties})
        finally:
            for thread in getattr(back, "threads", []):
                thread.join()


@pytest.mark.parametrize(
    ("posted", "output"),
    [
        ({"a": 1}, {"a": 1}),
        ({"Output": {"a": 1}, "StatusCode": "200"}, {"a": 1}),
        ({"output": {"a": 1}}, {"a": 1}),
        ({"StatusCode": "500"}, {"StatusCode": "500"}),
        (b"", {}),
    ],
)
def test_rule_93_what_is_posted_back_is_the_output(posted: Any, output: dict[str, Any]) -> None:
    assert webhook(Back(posted)) == output


@pytest.mark.parametrize("body", [{"a": 1}, '{"a": 1}'])
def test_rule_93_the_body_is_sent_with_the_address_to_call(body: Any) -> None:
    back = Back({})
    with serving(back) as server:
        call("WebHook", url=server.url, method="POST", body=body)
        back.threads[0].join()
    sent = server.asked[0].json
    assert (sent["a"], sent["callBackUri"][:29]) == (1, "http://127.0.0.1:" + sent["callBackUri"][17:29])


@pytest.mark.parametrize("body", ["plain", [1], "[1]", 7])
def test_rule_93_a_body_that_takes_no_address_is_told(body: Any) -> None:
    with pytest.raises(WrongDefinition, match="so no callBackUri can be put into it"):
        webhook(Back({}), body=body)


@pytest.mark.parametrize("status", ["403", 500])
def test_rule_93_a_reported_status_from_400_up_fails(status: Any) -> None:
    error = {"ErrorCode": "testErrorCode", "Message": "it did not work"}
    with pytest.raises(ManaraError, match="it did not work") as told:
        webhook(Back({"Error": error, "StatusCode": status}), reportStatusOnCallBack="true")
    assert told.value.error_code == "testErrorCode"


def test_rule_93_a_reported_status_without_words_is_told_too() -> None:
    with pytest.raises(ManaraError, match="The callback reported the status 404") as told:
        webhook(Back({"StatusCode": 404, "Error": "x"}), reportStatusOnCallBack=True)
    assert told.value.error_code == "404"


@pytest.mark.parametrize("status", ["200", 399, None, "well"])
def test_rule_93_a_lower_status_succeeds(status: Any) -> None:
    assert webhook(Back({"StatusCode": status, "Output": {"a": 1}}), reportStatusOnCallBack=True) == {"a": 1}


def test_a_callback_that_is_no_json_object_is_refused_and_the_next_one_taken() -> None:
    back = Back(b"{", b"[1]", b'{"a": NaN}', b'{"a": "\\ud800"}', {"a": 1})
    assert webhook(back) == {"a": 1}
    assert back.answers == [400, 400, 400, 400, 200]


def test_only_the_address_that_was_given_is_open() -> None:
    answers: list[int] = []

    def back(asked: Asked) -> Reply:
        url = asked.json["callBackUri"]
        answers.extend([post(url + "x", b"{}"), post(url, b'{"a": 1}'), post(url, b'{"a": 2}')])
        return Reply(json={})

    assert webhook(back) == {"a": 1}
    assert answers == [404, 200, 409]


def test_rule_93_a_callback_that_does_not_come_is_told() -> None:
    with pytest.raises(TimedOut, match=r"The callback was not called within 0:00:00.01"):
        webhook(Reply(json={}), timeout="00:00:00.01")


def test_rule_93_a_call_that_fails_is_not_waited_for() -> None:
    with pytest.raises(ManaraError, match="Response status code: '500"):
        webhook(Reply(status=500))


def test_a_cancelled_run_does_not_wait_for_the_callback() -> None:
    called = threading.Event()

    def answer(_asked: Asked) -> Reply:
        called.set()
        return Reply(json={})

    def cancel(_figures: Mapping[str, Any]) -> None:
        if called.is_set():
            raise Cancelled("The run was cancelled.")

    with pytest.raises(Cancelled):
        webhook(answer, report=cancel)
