"""Definitions and expressions looked at from the command line: validate, coverage, eval."""

import io
import json
from pathlib import Path

import pytest
from tests.factories import act, factory_of, pipeline, write

from manara.cli.coverage import show_coverage
from manara.cli.evaluate import show_value
from manara.cli.validate import show_faults
from manara.errors import WrongDefinition, WrongExpression

Out = pytest.CaptureFixture[str]
WARNED = pipeline(act("A" * 56, "Wait", waitTimeInSeconds=1))
WRONG = pipeline(act("A", "Nonsense"))


@pytest.mark.parametrize(
    ("properties", "strict", "code", "says"),
    [
        (pipeline(), True, 0, "is in order: 1 files checked."),
        (WARNED, False, 0, "is in order, with 1 warning: 1 files checked."),
        (WARNED, True, 2, "warning: pipeline/p.json properties.activities[0].name: The name of the activity has 56"),
        (WRONG, False, 2, "error: pipeline/p.json properties.activities[0].type: The activity type 'Nonsense'"),
    ],
)
def test_faults_and_warnings_are_told_and_counted(
    tmp_path: Path, capsys: Out, properties: dict[str, object], strict: bool, code: int, says: str
) -> None:
    factory_of(tmp_path, p=properties)
    assert show_faults(tmp_path, strict=strict, as_json=False) == code
    told = capsys.readouterr()
    assert says in told.out + told.err


def test_faults_as_json_carry_their_severity(tmp_path: Path, capsys: Out) -> None:
    factory_of(tmp_path, p=WARNED, q=WRONG)
    assert show_faults(tmp_path, strict=False, as_json=True) == 2
    told = json.loads(capsys.readouterr().out)
    assert [fault["severity"] for fault in told["faults"]] == ["warning", "error"]
    assert (told["errors"], told["warnings"], told["filesChecked"]) == (1, 1, 2)


def test_coverage_counts_by_type_and_says_what_would_help(tmp_path: Path, capsys: Out) -> None:
    write(tmp_path, "linkedService", "Blob", {"type": "AzureBlobStorage"})
    factory_of(tmp_path, good=WARNED, bad=pipeline(act("Book", "ExecuteSSISPackage")))
    show_coverage(tmp_path, as_json=False)
    told = capsys.readouterr().out
    assert "Pipelines  1 runs, 0 need a stand-in, 1 cannot" in told
    assert "Book: The activity type 'ExecuteSSISPackage' does not run here." in told
    assert "Blob: Write a stand-in" in told


def test_coverage_as_json_names_every_part(tmp_path: Path, capsys: Out) -> None:
    factory_of(tmp_path, good=WARNED, broken=pipeline(act("B", "ExecuteSSISPackage")))
    (tmp_path / "pipeline" / "unread.json").write_text("{", encoding="utf-8")
    show_coverage(tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert {part["name"]: part["verdict"] for part in told["pipelines"]} == {"broken": "cannot", "good": "runs"}
    assert (told["activities"][0]["pipeline"], told["unreadFiles"]) == ("broken", 1)


@pytest.mark.parametrize(
    ("text", "at", "value"),
    [
        ("@concat('a', pipeline().parameters.x)", None, "ab"),
        ("@createArray(1, null, item().é)", None, [1, None, "ü"]),
        ("plain", None, "plain"),
        ("@utcNow()", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05.0000000Z"),
        ("@utcNow('HH:mm')", "2024-01-02T03:04:05+02:00", "01:04"),
        ("@utcNow('HH:mm')", "2024-01-02T03:04:05", "03:04"),
    ],
)
def test_an_expression_is_evaluated(tmp_path: Path, capsys: Out, text: str, at: str | None, value: object) -> None:
    context = tmp_path / "context.json"
    context.write_text('\ufeff{"pipeline": {"parameters": {"x": "b"}}, "item": {"é": "ü"}}', encoding="utf-8")
    show_value(text, str(context), at)
    assert json.loads(capsys.readouterr().out) == value


def test_the_context_may_come_from_the_input(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"item": 3}'))
    show_value("@add(item(), 1)", "-", None)
    assert capsys.readouterr().out == "4\n"


def test_a_wrong_expression_shows_text_and_caret() -> None:
    with pytest.raises(WrongExpression, match=r"There is no function 'conact'(.|\n)*\n  @conact\(1\)\n   \^"):
        show_value("@conact(1)", None, None)


@pytest.mark.parametrize(
    ("content", "at", "says"),
    [
        ("[]", None, "no JSON object"),
        ("{", None, "no JSON"),
        ("[" * 100_000, None, "no JSON"),
        (None, None, "cannot be read"),
        ("{}", "soon", "no moment"),
    ],
)
def test_a_wrong_context_is_told(tmp_path: Path, content: str | None, at: str | None, says: str) -> None:
    file = tmp_path / "context.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(WrongDefinition, match=says):
        show_value("@item()", str(file), at)
