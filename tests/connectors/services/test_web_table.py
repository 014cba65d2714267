"""WebTable: tables of web pages as people write them."""

from typing import Any

import pytest
from tests.services import dataset, rows
from tests.web_server import Reply, serving

from manara.errors import SourceMissing, WrongDefinition
from manara.plugin.dataset import Dataset

HTML = {"Content-Type": "text/html; charset=utf-8"}


def web(url: str, **properties: Any) -> Dataset:
    return dataset("WebTable", "Web", url, **properties)


TABLES: dict[str, tuple[str, list[dict[str, str | None]]]] = {
    "a head": ("<tr><th>a<th>b</tr><tr><td>1<td>2</tr>", [{"a": "1", "b": "2"}]),
    "no head": ("<tr><td>1</td><td>2</td></tr>", [{"Column1": "1", "Column2": "2"}]),
    "names twice": ("<tr><th>a<th>a<th></tr><tr><td>1<td>2<td>3</tr>", [{"a": "1", "a_2": "2", "Column3": "3"}]),
    "a cell over columns": ("<tr><th>a<th>b</tr><tr><td colspan=2>1</tr>", [{"a": "1", "b": "1"}]),
    "a cell over rows": (
        "<tr><th>a<th>b</tr><tr><td rowspan=2>1<td>2</tr><tr><td>3</tr><tr><td>4<td>5</tr>",
        [{"a": "1", "b": "2"}, {"a": "1", "b": "3"}, {"a": "4", "b": "5"}],
    ),
    "short rows": ("<tr><th>a<th>b</tr><tr><td>1</tr>", [{"a": "1", "b": None}]),
    "long rows": ("<tr><th>a</tr><tr><td>1<td>2</tr>", [{"a": "1", "Column2": "2"}]),
    "marks and signs": (
        "<tr><th>a</tr><tr><td><b>x</b>&nbsp;&amp;<br>y<script>no()</script></td></tr>", [{"a": "x & y"}],
    ),
    "a head of its own": ("<thead><tr><th>a</th></tr></thead><tbody><tr><td>ناجح</td></tr></tbody>", [{"a": "ناجح"}]),
    "a table in a cell": ("<tr><th>a</tr><tr><td>1<table><tr><td>in</table>2</td></tr>", [{"a": "12"}]),
    "nothing": ("", []),
}  # fmt: skip


@pytest.mark.parametrize(("table", "expected"), TABLES.values(), ids=TABLES.keys())
def test_a_table_is_read_with(table: str, expected: list[dict[str, str | None]]) -> None:
    page = f"<html><p>Before</p><table>{table}</table>after</html>"
    with serving(Reply(text=page, headers=HTML)) as server:
        assert rows(web(server.url, index=0)) == expected


def test_the_index_and_the_path_name_the_table() -> None:
    page = "<table><tr><td>1</table><table><tr><td>2</table>"
    with serving(Reply(text=page, headers=HTML)) as server:
        assert rows(web(server.url, index="1", path="a.html")) == [{"Column1": "2"}]
    assert server.asked[0].path == "/a.html"


def test_the_page_says_its_charset_itself() -> None:
    page = "<meta charset='windows-1252'><table><tr><td>Côte</table>".encode("cp1252")
    with serving(Reply(text=page, headers={"Content-Type": "text/html"})) as server:
        assert rows(web(server.url)) == [{"Column1": "Côte"}]


@pytest.mark.parametrize(("index", "error"), [(1, SourceMissing), ("x", WrongDefinition), (-1, WrongDefinition)])
def test_a_table_that_is_not_there_is_told(index: Any, error: type[Exception]) -> None:
    with serving(Reply(text="<table></table>", headers=HTML)) as server, pytest.raises(error, match="index"):
        rows(web(server.url, index=index))
