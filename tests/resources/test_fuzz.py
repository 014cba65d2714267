"""Definitions as nobody should write them: each ends as faults or as a factory, never as a traceback, never hanging."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.factories import act, factory_of, pipeline, write

from manara.app import known
from manara.errors import Fault
from manara.resources.check import check, check_pipeline
from manara.resources.coverage import Coverage
from manara.resources.factory import from_snapshot, read_factory

KNOWN = known()
LAKE = {"referenceName": "Lake", "type": "LinkedServiceReference"}
DATA = {"referenceName": "Data", "type": "DatasetReference", "parameters": {"file": "@pipeline().parameters.p"}}
CALL = {"referenceName": "p", "type": "PipelineReference"}
REAL: dict[str, dict[str, Any]] = {
    "pipeline": pipeline(
        act(
            "Look", "Lookup", source={"type": "JsonSource"}, dataset=DATA, policy={"timeout": "0.12:00:00", "retry": 1}
        ),
        act("Move", "Copy", ["Look"], inputs=[DATA], outputs=[DATA], source={"type": "A"}, sink={"type": "B"}),
        act(
            "Each",
            "ForEach",
            {"Look": ["Succeeded", "Skipped"]},
            items={"value": "@activity('Look').output.value", "type": "Expression"},
            batchCount=2,
            activities=[
                act("If", "IfCondition", expression="@equals(item(), 1)", ifTrueActivities=[act("S", "SetVariable")]),
                act("Case", "Switch", on="@item()", cases=[{"value": "a", "activities": [act("W", "Wait")]}]),
            ],
        ),
        act("Call", "ExecutePipeline", ["Each"], pipeline=CALL, parameters={"p": "@variables('v')"}),
        parameters={"p": {"type": "String", "defaultValue": "x"}},
        variables={"v": {"type": "Array", "defaultValue": []}},
        concurrency=1,
    ),
    "dataset": {
        "type": "Json",
        "linkedServiceName": LAKE,
        "parameters": {"file": {"type": "String"}},
        "typeProperties": {"location": {"type": "FileServerLocation", "fileName": "@dataset().file"}},
    },
    "linkedService": {"type": "FileServer", "typeProperties": {"host": "x", "encryptedCredential": "y"}},
    "trigger": {"type": "ScheduleTrigger", "pipelines": [{"pipelineReference": CALL, "parameters": {}}]},
    "factory": {"globalParameters": {"g": {"type": "int", "value": 1}}},
}
NAMES = {"pipeline": "p", "dataset": "Data", "linkedService": "Lake", "trigger": "t", "factory": "f"}
TEXTS = st.sampled_from(
    [
        "",
        "@",
        "@@",
        "@{",
        "@{}",
        "@item()",
        "@a(",
        "@activity('Look')",
        "@variables('v')",
        "\ud800",
        "a\u0000b",
        "\u202e/..",
    ]
) | st.text(max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
Place = tuple[list[Any] | dict[str, Any], Any]


def places(value: Any) -> list[Place]:
    """Every place in a JSON value, as its holder and its key."""
    found: list[Place] = []
    ahead = [value]
    while ahead:
        one = ahead.pop()
        keys: list[Any] = list(one) if isinstance(one, dict) else list(range(len(one))) if isinstance(one, list) else []
        found += [(one, key) for key in keys]
        ahead += [one[key] for key in keys]
    return found


def mutate(data: st.DataObject, value: Any) -> None:
    """Change, remove or double something somewhere in a JSON value."""
    holder, key = data.draw(st.sampled_from(places(value)))
    how = data.draw(st.sampled_from(["replace", "remove", "copy", "rename"]))
    if how == "remove":
        del holder[key]
    elif how == "copy":
        _, other = (found := data.draw(st.sampled_from(places(value))))
        holder[key] = json.loads(json.dumps(found[0][other]))
    elif how == "rename" and isinstance(holder, dict):
        holder[data.draw(TEXTS)] = holder.pop(key)
    else:
        holder[key] = data.draw(ANYTHING)


def look(root: Path) -> list[Fault]:
    """Do with a factory all that is done before a run."""
    factory = read_factory(root)
    faults = check(factory, KNOWN)
    for name in factory.names("pipeline"):
        check_pipeline(factory, name, KNOWN)
    from_snapshot(root, factory.snapshot())
    coverage = Coverage(factory, KNOWN)
    assert len(coverage.pipelines) == len(factory.names("pipeline"))
    for fault in [*faults, *coverage.parts("dataset")]:
        str(fault).encode(errors="backslashreplace")
    return faults


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_a_definition_changed_anywhere_gives_faults_or_a_factory(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        for kind, properties in REAL.items():
            document = {"name": NAMES[kind], "properties": json.loads(json.dumps(properties))}
            for _ in range(data.draw(st.integers(0, 2))):
                if places(document):
                    mutate(data, document)
            path = Path(folder) / kind / f"{NAMES[kind]}.json"
            path.parent.mkdir()
            path.write_text(json.dumps(document), encoding="utf-8")
        look(Path(folder))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(text=st.binary(max_size=60))
@example(text=b'{"name": "p", "properties": {"activities": ' + b"9" * 5_000 + b"}}")
@example(text=b'{"name": "p", "properties": {"concurrency": NaN}}')
@example(text=b'{"name": "\\ud800", "properties": {}}')
@example(text=b"\xff\xfe{\x00}\x00")
def test_a_file_of_any_bytes_gives_faults_or_a_factory(text: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline" / "p.json"
        path.parent.mkdir()
        path.write_bytes(text)
        look(Path(folder))


def nested(depth: int) -> Any:
    inner: Any = act("Last", "Wait", waitTimeInSeconds=1)
    for level in range(depth):
        inner = act(f"L{level}", "ForEach", items="@createArray(1)", isSequential=True, activities=[inner])
    return pipeline(inner)


def in_one_row(count: int) -> Any:
    return pipeline(
        *(act(f"A{n}", after=[f"A{n - 1}"] if n else [], text=f"@activity('A{n // 2}')") for n in range(count))
    )


HUGE: dict[str, tuple[Callable[[], Any], str]] = {
    "a loop in a loop in a loop": (lambda: nested(20), "A ForEach stands inside the ForEach 'L1'"),
    "too many loops in loops": (lambda: nested(200), "nested too deeply"),
    "a row of 3,000 that look far back": (lambda: in_one_row(3_000), "'A0' uses 'A0', which does not come before it"),
    "twenty thousand activities": (lambda: in_one_row(20_000), "at most 10,000 can be run"),
    "a hundred thousand of a wrong shape": (lambda: pipeline(*[{}] * 100_000), "99,950"),
    "a text of 10 MB": (lambda: pipeline(act("A", "Coppy", text="x" * 10**7)), "'Coppy' does not run here"),
    "an expression of 10 MB": (lambda: pipeline(act("A", text=f"@concat('{'x' * 10**7}'")), "should stand here"),
    "opening brackets": (lambda: pipeline(act("A", text="@" + "a(" * 10**6)), "nested more than"),
    "a chain of a hundred thousand names": (
        lambda: pipeline(act("A", text="@item()" + ".a" * 10**5)),
        "nested too deeply",
    ),
    "a name of 10 MB": (lambda: pipeline(act("A" * 10**7, after=["B" * 10**7])), "which does not stand beside it"),
    "a type of 10 MB": (lambda: pipeline(act("A", "T" * 10**7)), "does not run here"),
    "a key of 10 MB": (lambda: pipeline(act("A", **{"k" * 10**7: "@nope()"})), "There is no function 'nope'"),
    "twenty thousand parameters": (
        lambda: pipeline(act("A"), parameters={f"p{n}": {"type": "Sting"} for n in range(20_000)}),
        "There are more faults in the file",
    ),
}


@pytest.mark.parametrize("case", HUGE)
def test_what_is_huge_gives_short_faults_in_time(tmp_path: Path, case: str) -> None:
    make, says = HUGE[case]
    write(tmp_path, "pipeline", "p", make())
    told = [str(fault) for fault in look(tmp_path)]
    assert any(says in each for each in told), told[:3]
    assert len(told) <= 202
    assert max(map(len, told)) < 2_000


def test_a_ring_through_many_pipelines_is_told_once(tmp_path: Path) -> None:
    def calls(other: str) -> Any:
        reference = {"referenceName": other, "type": "PipelineReference"}
        return pipeline(act("Call", "ExecutePipeline", pipeline=reference))

    factory_of(tmp_path, **{f"p{n}": calls(f"p{(n + 1) % 50}") for n in range(50)})
    (fault,) = look(tmp_path)
    assert "The pipelines call one another in a ring" in fault.message


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_told_and_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "pipeline").mkdir()
    make(tmp_path / "pipeline" / "p.json")
    (fault,) = look(tmp_path)
    assert (fault.file, fault.message) == ("pipeline/p.json", "This is no file.")


def test_a_file_too_large_to_be_a_definition_is_told(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    with (tmp_path / "pipeline" / "p.json").open("wb") as file:
        file.truncate(65 * 2**20)
    (fault,) = look(tmp_path)
    assert "at most 67,108,864 are read" in fault.message
