"""OData: the answers of each version, page by page."""

from typing import Any

import pytest
from tests.services import dataset, rows
from tests.web_server import Asked, Reply, serving

from manara.errors import BadRows, WrongDefinition
from manara.plugin.dataset import Dataset

Json = dict[str, Any]


def odata(url: str, **more: Any) -> Dataset:
    return dataset("ODataResource", "OData", url, **more)


def pages_of(version: int) -> list[Json]:
    first: list[Json]
    first, second = [{"ID": 1, "Name": "a"}, {"ID": 2, "Name": None}], [{"ID": 3, "Name": "c"}]
    if version == 2:
        named = [{**row, "__metadata": {"uri": "x"}} for row in first]
        return [{"d": {"results": named, "__next": "{url}/Things?$skiptoken=2"}}, {"d": {"results": second}}]
    if version == 3:
        return [{"odata.metadata": "m", "value": first, "odata.nextLink": "Things?$skiptoken=2"}, {"value": second}]
    about = [{"@odata.etag": "W/1", **row} for row in first]
    return [{"@odata.context": "c", "value": about, "@odata.nextLink": "{url}/Things?$skiptoken=2"}, {"value": second}]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_all_pages_are_read_of_version(version: int) -> None:
    pages = pages_of(version)

    def answer(asked: Asked) -> Reply:
        page = pages[1 if "skiptoken" in asked.path else 0]
        host = f"http://{asked.headers['Host']}"
        text = {name: value.format(url=host) if isinstance(value, str) else value for name, value in page.items()}
        if version == 2 and "__next" in page["d"]:
            text = {"d": {**page["d"], "__next": page["d"]["__next"].format(url=host)}}
        return Reply(json=text)

    with serving(answer) as server:
        assert rows(odata(server.url, path="Things")) == [
            {"ID": 1, "Name": "a"}, {"ID": 2, "Name": None}, {"ID": 3, "Name": "c"},
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("$top=2", "/Things?$top=2"),
        ("?$filter=Name eq 'a b'&$select=ID", "/Things?$filter=Name%20eq%20'a%20b'&$select=ID"),
        ("", "/Things"),
    ],
    ids=["plain", "with blanks", "none"],
)
def test_the_query_of_the_source_is_asked(query: str, path: str) -> None:
    with serving(Reply(json={"value": [{"a": 1}]})) as server:
        rows(odata(server.url, path="Things"), query=query)
    assert server.asked[0].path == path


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"@odata.context": "c", "ID": 1}, [{"ID": 1}]),
        ({"value": []}, []),
        ({"d": [{"At": "/Date(1234567890000)/"}]}, [{"At": "2009-02-13T23:31:30.0000000Z"}]),
        ({"value": [{"Tags": ["a"], "x@odata.type": "y", "Big": 1.5}]}, [{"Tags": '["a"]', "Big": 1.5}]),
    ],
    ids=["one entity", "nothing", "a date of version 2", "nested"],
)
def test_rows_are_read_from(body: Json, expected: list[Json]) -> None:
    with serving(Reply(json=body)) as server:
        assert rows(odata(server.url)) == expected


def test_a_basic_sign_in_opens_it() -> None:
    with serving(Reply(json={"value": [{"a": 1}]})) as server:
        rows(odata(server.url, linked={"authenticationType": "Basic", "userName": "u", "password": "p"}))
    assert server.asked[0].headers["Authorization"] == "Basic dTpw"


def test_windows_sign_in_is_refused_plainly() -> None:
    with pytest.raises(WrongDefinition, match="'Windows' is unknown"):
        odata("http://x", linked={"authenticationType": "Windows"})


def test_a_next_page_that_is_the_same_is_noticed() -> None:
    with (
        serving(Reply(json={"value": [], "@odata.nextLink": "Things"})) as server,
        pytest.raises(BadRows, match="no end"),
    ):
        rows(odata(server.url, path="Things"))
