import pytest

from manara.cli.runs import show_rows

NARROW = [{"place": "Ziréka Health Post", "date_key": 20240131, "quantity": 1234}]
WIDE = [{f"column_{number}": "text " * 4 for number in range(12)}]


@pytest.fixture(autouse=True)
def hundred_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def test_rows_that_fit_are_a_table_with_keys_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(NARROW)
    head, row, count = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert head == ["place", "date_key", "quantity"]
    assert row == ["Ziréka", "Health", "Post", "20240131", "1,234"]
    assert count == ["1", "rows"]


def test_rows_that_do_not_fit_are_told_column_by_column(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(WIDE * 2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines if line.startswith("row ")] == ["row 1", "row 2"]
    assert lines[1].split() == ["column_0", *["text"] * 4]


def test_brackets_in_the_data_stay_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows([{"note": "[/bold] [red]"}])
    assert "[/bold] [red]" in capsys.readouterr().out


def test_no_rows_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows([])
    assert capsys.readouterr().out.split() == ["0", "rows"]
