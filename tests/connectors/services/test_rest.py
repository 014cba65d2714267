"""Rest: pages, signing, sending again, and what a broken service leads to."""

import gzip
import itertools
import json
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pytest
from tests.services import rest, rows
from tests.web_server import Asked, Reply, Server, serving

from manara.connectors.services import client
from manara.connectors.services.paging import value_at
from manara.connectors.services.paging_rules import read_path
from manara.errors import BadRows, Cancelled, ManaraError, NotAllowed, SourceMissing, Transient, WrongDefinition
from manara.plugin.connection import LinkedServiceGiven, Mark
from manara.plugin.dataset import Tally
from manara.secret import Secret

Json = dict[str, Any]
MARK = Mark(run_id="run", step="Send", attempt=1)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT_S", 0.001)


def page(*numbers: int, **more: Any) -> Json:
    return {"data": [{"n": number} for number in numbers], **more}


def query(asked: Asked) -> Json:
    return dict(parse_qsl(urlsplit(asked.path).query))


def by_offset(asked: Asked) -> Reply:
    """Answer with two rows from `offset` (in the query, a header or the path), five in all."""
    found = query(asked).get("offset") or asked.headers.get("Offset") or asked.path.rstrip("/").rpartition("/")[2]
    start = int(found) if str(found).isdigit() else 0
    numbers = range(start, min(start + 2, 5))
    rest_of = {"next": start + 2} if start + 2 < 5 else {"done": True}
    last = {"Complete": "1"} if start + 2 >= 5 else {"X-Next": str(start + 2)}
    return Reply(json=page(*numbers, **rest_of, state="more" if start + 2 < 5 else "end"), headers=last)


def linked(name: str) -> Callable[[Asked], Reply]:
    def answer(asked: Asked) -> Reply:
        start = int(query(asked).get("offset", 0))
        more = start + 2 < 5
        here = f"http://{asked.headers['Host']}/things?offset={start + 2}"
        body = page(*range(start, min(start + 2, 5)), **({name: here} if more and name[0] != "-" else {}))
        link = {"Link": f'<{here}>; rel="next", </things>; rel="first"'} if more and name == "-Link" else {}
        return Reply(json=body, headers=link)

    return answer


ALL = [0, 1, 2, 3, 4]
PAGES: dict[str, tuple[Callable[[Asked], Reply], str, Json, list[int]]] = {
    "an absolute address in the body": (linked("next"), "things", {"AbsoluteUrl": "$.next"}, ALL),
    "a name with a dot": (linked("@odata.nextLink"), "things", {"AbsoluteUrl": "$['@odata.nextLink']"}, ALL),
    "a Link header without any rule": (linked("-Link"), "things", {}, ALL),
    "a Link header when asked for": (linked("-Link"), "things", {"supportRFC5988": "true"}, ALL),
    "no Link header when switched off": (linked("-Link"), "things", {"supportRFC5988": "false"}, [0, 1]),
    "a query parameter from the body": (by_offset, "things?limit=2", {"QueryParameters.offset": "$.next"}, ALL),
    "a query parameter in brackets": (by_offset, "things", {"QueryParameters['offset']": "$['next']"}, ALL),
    "a query parameter from a header": (by_offset, "things", {"QueryParameters.offset": "Headers.X-Next"}, ALL),
    "a header from the body": (by_offset, "things", {"Headers.offset": "$.next"}, ALL),
    "a header from a header": (by_offset, "things", {"Headers['Offset']": "Headers['x-next']"}, ALL),
    "the last element of an array": (
        lambda asked: Reply(json=page(*range(int(query(asked).get("after", -1)) + 1, 5)[:1])),
        "things",
        {"QueryParameters.after": "$.data[-1:].n"},
        ALL,
    ),
    "a range with an end that counts": (
        by_offset, "things?offset={offset}", {"QueryParameters.{offset}": "RANGE:0:4:2"}, ALL,
    ),
    "a range in the address": (by_offset, "things/{id}", {"AbsoluteUrl.{id}": "RANGE:0:2:2"}, [0, 1, 2, 3]),
    "a range without a variable": (by_offset, "things", {"QueryParameters.offset": "RANGE:0:4:2"}, ALL),
    "a range that goes down": (by_offset, "things/{id}", {"AbsoluteUrl.{id}": "RANGE:4:0:-2"}, [4, 2, 3, 0, 1]),
    "a range in a header": (by_offset, "things", {"Headers.{id}": "RANGE:0:4:2"}, ALL),
    "an open range until a node exists": (
        by_offset, "t?offset={o}", {"AbsoluteUrl.{o}": "RANGE:0::2", "EndCondition:$.done": "Exist"}, ALL,
    ),
    "an open range until a node is not there": (
        by_offset, "t?offset={o}", {"AbsoluteUrl.{o}": "RANGE:0::2", "EndCondition:$.next": "NonExist"}, ALL,
    ),
    "an open range until a list is empty": (
        by_offset, "t?offset={o}", {"AbsoluteUrl.{o}": "RANGE:0::2", "EndCondition:$.data": "Empty"}, ALL,
    ),
    "an open range until a list is empty, in another spelling": (
        by_offset, "t?offset={o}", {"AbsoluteUrl.{o}": "RANGE:0::2", "EndCondition:$.Data": "Empty"}, ALL,
    ),
    "an open range until a text": (
        by_offset, "t?offset={o}", {"AbsoluteUrl.{o}": "RANGE:0::2", "EndCondition:$.state": "Const:end"}, ALL,
    ),
    "an open range until true": (
        by_offset, "t?offset={o}", {"AbsoluteUrl.{o}": "RANGE:0::2", "EndCondition:$.done": "Const:true"}, ALL,
    ),
    "an open range until a header says so": (
        by_offset, "t?offset={o}", {"AbsoluteUrl.{o}": "RANGE:0::2", "EndCondition:headers.Complete": "Const:1"}, ALL,
    ),
    "an open range until a header is there": (
        by_offset, "t?offset={o}", {"AbsoluteUrl.{o}": "RANGE:0::2", "EndCondition:headers.complete": "Exist"}, ALL,
    ),
    "an open range until 204": (
        lambda asked: by_offset(asked) if int(query(asked)["offset"]) < 5 else Reply(status=204, text=""),
        "t?offset={o}", {"QueryParameters.{o}": "RANGE:0::2"}, ALL,
    ),
    "a greatest number of requests": (
        by_offset, "things", {"QueryParameters.offset": "$.next", "MaxRequestNumber": "2"}, [0, 1, 2, 3],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "relative", "rules", "expected"), PAGES.values(), ids=PAGES.keys())
def test_pages_follow_each_other_by(
    answer: Callable[[Asked], Reply], relative: str, rules: Json, expected: list[int]
) -> None:
    with serving(answer) as server:
        headers = {"offset": "{id}"} if "Headers.{id}" in rules else None
        source = rest(server.url, relativeUrl=relative)
        found = rows(source, paginationRules=rules, additionalHeaders=headers, collectionReference="$['data']")
    assert [row["n"] for row in found] == expected


ENDLESS = {
    "the same address again": ({"AbsoluteUrl": "$.next"}, page(1, next="/t")),
    "the same cursor again": ({"QueryParameters.after": "$.next"}, page(1, next="x")),
    "a range without end": ({"QueryParameters.page": "RANGE:1::1"}, []),
}


@pytest.mark.parametrize(("rules", "body"), ENDLESS.values(), ids=ENDLESS.keys())
def test_pages_without_end_are_noticed_at(rules: Json, body: Any) -> None:
    with serving(Reply(json=body)) as server, pytest.raises(BadRows, match="have no end"):
        rows(rest(server.url, relativeUrl="t"), paginationRules=rules)


WRONG_RULES = {
    "an unknown key": {"Url": "$.next"},
    "a value that is no place": {"AbsoluteUrl": "next"},
    "a range of nothing": {"QueryParameters.a": "RANGE:0:10"},
    "a step of zero": {"QueryParameters.a": "RANGE:0:10:0"},
    "an unknown end": {"EndCondition:$.a": "Null"},
    "no number": {"MaxRequestNumber": "many"},
    "a query without a name": {"QueryParameters": "$.a"},
    "no object": [1],
}


@pytest.mark.parametrize("rules", WRONG_RULES.values(), ids=WRONG_RULES.keys())
def test_nothing_is_asked_where_a_rule_is(rules: Any) -> None:
    with serving() as server, pytest.raises(WrongDefinition, match=r"rule|place|range|end|number|names"):
        rows(rest(server.url), paginationRules=rules)
    assert server.asked == []


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        pytest.param([Reply(status=429, headers={"Retry-After": "0"}), Reply(json=[{"a": 1}])], [{"a": 1}], id="429"),
        pytest.param(
            [Reply(status=429, headers={"Retry-After": formatdate(usegmt=True)}), Reply(json=[{"a": 1}])],
            [{"a": 1}],
            id="429 until a date",
        ),
        pytest.param([Reply(status=500), Reply(status=500), Reply(json=[{"a": 1}])], [{"a": 1}], id="500 twice"),
        pytest.param([Reply(text=b'[{"a"', headers={"Content-Encoding": "gzip"}), Reply(json=[{"a": 1}])], [{"a": 1}],
                     id="broken packing"),
    ],
)  # fmt: skip
def test_what_may_pass_is_asked_again(replies: list[Reply], expected: list[Json]) -> None:
    with serving(*replies) as server:
        assert rows(rest(server.url)) == expected
    assert len(server.asked) == len(replies)


def cut(asked: Asked) -> Reply:
    """Promise more than is sent, and close the line."""
    return Reply(text=b'[{"a": 1}, ', headers={"Cut": "yes"})


def test_a_line_that_breaks_in_the_middle_leaves_no_half_row() -> None:
    replies: list[Reply | Callable[[Asked], Reply]] = [cut, Reply(json=[{"a": 2}])]
    with serving(*replies) as server:
        assert rows(rest(server.url)) == [{"a": 2}]


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, BadRows), (401, NotAllowed), (403, NotAllowed), (404, SourceMissing), (429, Transient), (500, Transient)],
)
def test_a_failure_is_named_by_what_to_do_next(status: int, error: type[ManaraError]) -> None:
    with serving(Reply(status=status, json={"m": "sorry"})) as server, pytest.raises(error, match="sorry") as told:
        rows(rest(server.url, relativeUrl="x?key=hidden"))
    assert "hidden" not in str(told.value)


def _no_tick() -> None:
    pass


def held_by(event: threading.Event) -> Callable[[Asked], Reply]:
    def answer(_asked: Asked) -> Reply:
        event.wait(5)
        return Reply()

    return answer


def test_a_service_that_says_nothing_is_not_waited_for_forever() -> None:
    held = threading.Event()
    with serving(held_by(held)) as server:
        with pytest.raises(Transient, match="no answer in"):
            rows(rest(server.url), requestMethod="POST", httpRequestTimeout="00:00:00.2")
        held.set()


def test_a_run_that_is_cancelled_stops_waiting() -> None:
    held = threading.Event()

    def stop() -> None:
        raise Cancelled("The run was cancelled.")

    with serving(held_by(held)) as server:
        with pytest.raises(Cancelled):
            rows(rest(server.url), Tally(tick=stop))
        held.set()


def test_an_interval_lies_between_two_pages() -> None:
    times: list[float] = []

    def answer(asked: Asked) -> Reply:
        times.append(time.monotonic())
        return by_offset(asked)

    with serving(answer) as server:
        rules = {"QueryParameters.offset": "$.next"}
        rows(rest(server.url), paginationRules=rules, requestInterval="00:00:00.3", collectionReference="data")
    assert len(times) == 3
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.25


def test_a_post_that_failed_inside_is_not_repeated() -> None:
    with serving(Reply(status=500), Reply(json=[{"a": 1}])) as server, pytest.raises(Transient):
        rows(rest(server.url), requestMethod="POST", requestBody={"q": 1})
    assert [asked.json for asked in server.asked] == [{"q": 1}]


SIGNED: dict[str, tuple[Json, Json]] = {
    "nothing": ({}, {}),
    "a name and a password": (
        {"authenticationType": "Basic", "userName": "u", "password": {"type": "SecureString", "value": "p"}},
        {"Authorization": "Basic dTpw"},
    ),
    "a managed identity": (
        {"authenticationType": "ManagedServiceIdentity", "aadResourceId": "https://x"},
        {"Authorization": "Bearer for https://x"},
    ),
    "a header of its own": (
        {"authHeaders": {"X-Key": {"type": "SecureString", "value": "k"}}},
        {"X-Key": "k"},
    ),
}


@pytest.mark.parametrize(("properties", "headers"), SIGNED.values(), ids=SIGNED.keys())
def test_a_request_is_signed_by(properties: Json, headers: Json) -> None:
    with serving(Reply(json=[{"a": 1}])) as server:
        rows(rest(server.url, linked=properties, identity=lambda resource: Secret(f"for {resource}")))
    told = server.asked[0].headers
    assert {name: told.get(name) for name in headers} == headers
    assert ("Authorization" in told) == ("Authorization" in headers)


TOKENS: dict[str, tuple[Json, Json]] = {
    "OAuth2": (
        {"authenticationType": "OAuth2ClientCredential", "clientId": "me", "clientSecret": "s&s", "scope": "read"},
        {"grant_type": "client_credentials", "client_id": "me", "scope": "read", "client_secret": "s&s"},
    ),
    "a service principal": (
        {"authenticationType": "AadServicePrincipal", "servicePrincipalId": "me", "servicePrincipalKey": "s&s",
         "tenant": "t", "aadResourceId": "https://x"},
        {"grant_type": "client_credentials", "client_id": "me", "resource": "https://x", "client_secret": "s&s"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("properties", "form"), TOKENS.values(), ids=TOKENS.keys())
def test_a_token_that_expires_in_the_middle_is_fetched_anew_by(properties: Json, form: Json) -> None:
    tokens: list[Asked] = []

    def answer(asked: Asked) -> Reply:
        if "token" in asked.path:
            tokens.append(asked)
            return Reply(json={"access_token": f"t{len(tokens)}"})
        good = asked.headers.get("Authorization") == ("Bearer t1" if "offset" not in asked.path else "Bearer t2")
        return by_offset(asked) if good else Reply(status=401)

    with serving(answer) as server:
        own = {"tokenEndpoint": f"{server.url}/token", "authority": server.url}
        source = rest(server.url, linked={**properties, **own})
        found = rows(source, paginationRules={"QueryParameters.offset": "$.next"}, collectionReference="data")
    assert [row["n"] for row in found] == ALL
    assert [dict(parse_qsl(asked.body.decode())) for asked in tokens] == [form, form]


def test_a_token_that_cannot_be_had_just_now_is_asked_for_again() -> None:
    token = {"access_token": "t"}
    with serving(Reply(status=500), Reply(json=token), Reply(json=[{"a": 1}])) as server:
        linked_as = {**TOKENS["OAuth2"][0], "tokenEndpoint": server.url}
        assert rows(rest(server.url, linked=linked_as)) == [{"a": 1}]


def test_a_wrong_client_secret_is_told_without_showing_it() -> None:
    with serving(Reply(status=400, json={"error": "s3cret is wrong"})) as server:
        linked_as = {**TOKENS["OAuth2"][0], "clientSecret": "s3cret", "tokenEndpoint": server.url}
        with pytest.raises(NotAllowed, match="gave no token") as told:
            rows(rest(server.url, linked=linked_as))
    assert "s3cret" not in str(told.value)


def test_another_host_is_told_no_credentials() -> None:
    with serving(Reply(json=[{"n": 2}])) as other, serving() as server:
        server.replies = [Reply(json=page(1, next=other.url)), Reply()]
        linked_as = {**SIGNED["a name and a password"][0], **SIGNED["a header of its own"][0]}
        own = {"X-Session": "s", "Authorization": "Bearer by hand"}
        rows(rest(server.url, linked=linked_as), paginationRules={"AbsoluteUrl": "$.next"}, additionalHeaders=own)
    assert not {"Authorization", "X-Key", "X-Session"} & set(other.asked[0].headers)
    assert {"Authorization", "X-Key", "X-Session"} <= set(server.asked[0].headers)


def test_a_redirection_to_another_host_takes_no_credentials_along() -> None:
    with serving(Reply(json=[{"n": 2}])) as other, serving() as server:
        server.replies = [Reply(status=302, headers={"Location": other.url})]
        linked_as = {**SIGNED["a name and a password"][0], **SIGNED["a header of its own"][0]}
        assert rows(rest(server.url, linked=linked_as)) == [{"n": 2}]
    assert not {"Authorization", "X-Key"} & set(other.asked[0].headers)


@pytest.mark.parametrize(
    ("reply", "settings", "expected"),
    [
        pytest.param(Reply(json=[]), {}, [], id="an empty list"),
        pytest.param(Reply(json={"data": []}), {"collectionReference": "$.data"}, [], id="an empty collection"),
        pytest.param(Reply(status=204, text=""), {}, [], id="no content"),
        pytest.param(Reply(json={"a": 1}), {}, [{"a": 1}], id="one object"),
        pytest.param(Reply(text='{"a": 1}\n{"a": 2}\n'), {}, [{"a": 1}, {"a": 2}], id="lines"),
        pytest.param(
            Reply(json={"c": "KE", "data": [{"n": {"m": 1}}]}),
            {"collectionReference": "$.data", "paths": ["$.c", "n.m"]},
            [{"$.c": "KE", "n.m": 1}],
            id="paths",
        ),
        pytest.param(
            Reply(json=[{"a": 1}]),
            {"additionalColumns": [{"name": "b", "value": "x"}]},
            [{"a": 1, "b": "x"}],
            id="added",
        ),
    ],
)
def test_rows_are_read_from(reply: Reply, settings: Json, expected: list[Json]) -> None:
    with serving(reply) as server:
        assert rows(rest(server.url), **settings) == expected


def test_a_web_page_in_place_of_data_is_told() -> None:
    reply = Reply(text="<html>", headers={"Content-Type": "text/html"})
    with serving(reply) as server, pytest.raises(BadRows, match="a web page, and not with data"):
        rows(rest(server.url))


def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("This system has no /dev/full.")
    given = LinkedServiceGiven(name="Service", type="RestService", properties={"url": "x"}, root=tmp_path)
    reply = Reply(text=b"x" * 100_000)
    with (
        serving(reply) as server,
        client.client_of(client.service_of(given), {}, _no_tick) as asking,
        pytest.raises(Transient, match="cannot be kept: No space left"),
    ):
        asking.ask("GET", server.url, into=full)


def test_a_json_that_is_cut_off_is_told() -> None:
    with serving(Reply(text='[{"a": 1}, {"a":')) as server, pytest.raises(BadRows, match="cut off"):
        rows(rest(server.url))


def test_a_large_answer_passes_in_little_memory() -> None:
    body = b"[" + b",".join(b'{"n":%d,"text":"%s"}' % (n, b"x" * 400) for n in range(20_000)) + b"]"
    with serving(Reply(text=body)) as server:
        tally = Tally()
        before = pa.total_allocated_bytes()
        batches = rest(server.url).read({}, tally)
        assert sum(batch.num_rows for batch in batches) == 20_000
    assert tally.data_read == len(body)
    assert tally.files_read == 1
    assert pa.total_allocated_bytes() - before < 60 << 20


def send(server: Server, count: int, **settings: Any) -> Tally:
    table = pa.table({"id": list(range(count)), "name": [f"n{n}" for n in range(count)]})
    tally = Tally()
    rest(server.url, relativeUrl="in").write(settings, table.to_reader(max_chunksize=3), MARK, tally)
    return tally


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_rows_are_sent_in_batches_by(method: str) -> None:
    with serving() as server:
        tally = send(server, 5, requestMethod=method, writeBatchSize=2, additionalHeaders={"X-A": "b"})
    assert [[row["id"] for row in asked.json] for asked in server.asked] == [[0, 1], [2, 3], [4]]
    assert {(asked.method, asked.path, asked.headers["X-A"]) for asked in server.asked} == {(method, "/in", "b")}
    assert tally.rows_copied == 5


def test_rows_are_sent_packed() -> None:
    with serving() as server:
        send(server, 2, httpCompressionType="gzip")
    assert server.asked[0].headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(server.asked[0].body))[1] == {"id": 1, "name": "n1"}


def test_a_batch_has_the_same_key_in_every_attempt() -> None:
    with serving() as server:
        send(server, 4, writeBatchSize=2)
        send(server, 4, writeBatchSize=2)
    keys = [asked.headers["Idempotency-Key"] for asked in server.asked]
    assert keys[:2] == keys[2:]
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    ("method", "reply", "times"),
    [
        pytest.param("POST", Reply(status=500), 1, id="a POST that failed inside"),
        pytest.param("PUT", Reply(status=500), 2, id="a PUT that failed inside"),
        pytest.param("POST", Reply(status=429), 2, id="a POST that was not taken"),
        pytest.param("POST", Reply(status=503, headers={"Retry-After": "0"}), 2, id="a POST to come back with"),
    ],
)
def test_a_batch_is_sent_again_only_where_that_is_safe(method: str, reply: Reply, times: int) -> None:
    with serving(reply, Reply()) as server:
        if times == 1:
            with pytest.raises(Transient):
                send(server, 1, requestMethod=method)
        else:
            send(server, 1, requestMethod=method)
    assert len(server.asked) == times


@pytest.mark.parametrize(
    "settings",
    [{"requestMethod": "DELETE"}, {"writeBatchSize": 0}, {"writeBatchSize": "x"}, {"requestInterval": -1}],
    ids=lambda settings: next(iter(settings)),
)
def test_nothing_is_sent_by_a_sink_that_is_wrong(settings: Json) -> None:
    with serving() as server, pytest.raises(WrongDefinition):
        send(server, 1, **settings)
    assert server.asked == []


def test_a_path_finds_the_value_in_another_spelling_only_where_its_own_is_missing() -> None:
    assert value_at({"Data": 1, "data": 2}, read_path("$.data", "")) == 2
    assert value_at({"Data": 1}, read_path("$.data", "")) == 1
