import json
from pathlib import Path

import pytest
from tests.factories import act, pipeline, write

from manara.errors import WrongDefinition
from manara.resources.factory import from_snapshot, read_factory, write_factory
from manara.resources.model import Pipeline

ODD = """\ufeff{
\t"name": "p", "x-own": {"kept": [1.50, null, "é"]},
\t"properties": {"activities": [{"name": "A", "type": "Copy", "dependsOn": null, "unknown": true}],
\t  "folder": {"name": "x"}, "annotations": []}
}"""


def test_a_factory_is_written_back_byte_for_byte(tmp_path: Path) -> None:
    for kind, name, text in [
        ("pipeline", "p.json", ODD),
        ("trigger", "t.json", '{"name":"t","properties":{"type":"ScheduleTrigger"}}'),
        ("local/linkedService", "l.json", '{"name":"l","properties":{"type":"FileServer"}}\r\n'),
        ("contract", "c.yaml", "id: c # kept\n"),
        ("script", "s.sql", "select 1;\n"),
    ]:
        (tmp_path / "a" / kind).mkdir(parents=True)
        (tmp_path / "a" / kind / name).write_text(text, encoding="utf-8", newline="")
    factory = read_factory(tmp_path / "a")
    assert factory.faults == ()
    write_factory(factory, tmp_path / "b")
    copies = {path.relative_to(tmp_path / "b") for path in (tmp_path / "b").rglob("*.*")}
    assert len(copies) == 5
    for path in copies:
        assert (tmp_path / "b" / path).read_bytes() == (tmp_path / "a" / path).read_bytes()


def test_a_model_gives_back_what_came_in() -> None:
    data = json.loads(ODD.removeprefix("\ufeff"))
    assert Pipeline.model_validate(data).model_dump(by_alias=True, exclude_unset=True) == data


def test_a_snapshot_makes_the_same_factory_again(tmp_path: Path) -> None:
    write(tmp_path, "pipeline", "p", pipeline(act("A")))
    write(tmp_path, "local/linkedService", "Lake", {"type": "FileServer", "typeProperties": {"host": "x"}})
    factory = read_factory(tmp_path)
    again = from_snapshot(tmp_path, factory.snapshot())
    assert (again.definitions, again.stand_ins) == (factory.definitions, factory.stand_ins)
    assert again.snapshot() == factory.snapshot()


def test_a_stand_in_replaces_the_published_linked_service(tmp_path: Path) -> None:
    write(tmp_path, "linkedService", "Lake", {"type": "AzureBlobFS", "typeProperties": {"url": "https://x"}})
    write(tmp_path, "local/linkedService", "Lake", {"type": "FileServer", "typeProperties": {"host": "x"}})
    assert read_factory(tmp_path).linked_service("Lake").properties.type == "FileServer"


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        pytest.param(b'{"name": "p",}', "line 1, column 14", "This is no JSON", id="broken JSON"),
        pytest.param(b'{"name": "\xff"}', "", "Byte 10 is no UTF-8", id="wrong encoding"),
        pytest.param(b"[" * 100_000, "", "nested too deeply", id="too deep"),
        pytest.param(b"", "line 1, column 1", "This is no JSON", id="empty"),
        pytest.param(b"[]", "", "An object belongs here.", id="no object"),
        pytest.param(
            b'{"name": "p", "properties": {"activities": [{"name": "A", "type": "Wait", "dependsOn": ["B"]}]}}',
            "properties.activities[0].dependsOn[0]",
            'An object belongs here. It says "B".',
            id="a name where an object belongs",
        ),
        pytest.param(b'{"name": "q", "properties": {}}', "name", "called 'p' and says that its name is 'q'", id="name"),
        pytest.param(b'{"name": "p"}', "properties", "Field required", id="no properties"),
        pytest.param(
            b'{"name": "p", "properties": {"activities": [{"name": "A", "type": 3}]}}',
            "properties.activities[0].type",
            "valid string. It says 3.",
            id="wrong type",
        ),
        pytest.param(
            b'{"name": "p", "properties": {"activities": [{"name": "A", "type": "X", "dependsOn":'
            b' [{"activity": "B", "dependencyConditions": ["Succeded"]}]}]}}',
            "properties.activities[0].dependsOn[0].dependencyConditions[0]",
            "'Succeeded', 'Failed', 'Completed' or 'Skipped'",
            id="unknown condition",
        ),
    ],
)
def test_a_broken_file_is_a_fault_with_file_place_and_reason(
    tmp_path: Path, text: bytes, place: str, says: str
) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "p.json").write_bytes(text)
    (fault,) = read_factory(tmp_path).faults
    assert (fault.file, fault.path) == ("pipeline/p.json", place)
    assert says in str(fault)


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_that_is_no_factory_is_told_so(tmp_path: Path, make: bool) -> None:
    folder = tmp_path / "none"
    if make:
        folder.mkdir()
    with pytest.raises(WrongDefinition, match="manara init"):
        read_factory(folder)


def test_a_factory_opened_from_inside_has_the_name_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "relief", "pipeline", "p", pipeline(act("A")))
    monkeypatch.chdir(tmp_path / "relief")
    assert read_factory(Path()).name == "relief"
