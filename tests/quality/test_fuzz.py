"""Whatever is done to a contract, it is read or its faults are told: never a traceback, never a hang."""

import copy
from importlib.resources import files
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from manara.errors import Faults
from manara.quality.contract import read_contract

CONTRACTS = [
    yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in files("manara.blueprints").joinpath("supply", "contract").iterdir()
    if path.name.endswith(".yaml")
]
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("a'; drop table x --"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def spoiled(draw: st.DrawFn) -> str:
    """A contract of the blueprint in which a few places are taken away, repeated, or filled with something odd."""
    contract = copy.deepcopy(draw(st.sampled_from(CONTRACTS)))
    for _ in range(draw(st.integers(1, 4))):
        place: Any = contract
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            inner = place[key]
            if isinstance(inner, dict | list) and inner and draw(st.booleans()):
                place = inner
                continue
            change = draw(st.sampled_from(["drop", "odd", "repeat"]))
            if change == "drop":
                del place[key]
            elif change == "repeat" and isinstance(place, list):
                place.append(copy.deepcopy(inner))
            else:
                place[key] = draw(ODD)
            break
    return str(yaml.safe_dump(contract, allow_unicode=True))


def is_read_or_told(text: str) -> None:
    try:
        read_contract(text, "contract/c.yaml")
    except Faults as error:
        told = error.faults
    else:
        return
    assert all(fault.file == "contract/c.yaml" and fault.message for fault in told)


@settings(max_examples=150, deadline=None)
@given(spoiled())
def test_a_spoiled_contract_is_read_or_its_faults_are_told(text: str) -> None:
    is_read_or_told(text)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda content: content.decode("latin-1")))
def test_any_text_is_read_or_its_faults_are_told(text: str) -> None:
    is_read_or_told(text)


def test_a_contract_that_is_nested_or_expanded_without_end_is_told() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    for text in ("[" * 10_000, "a: " * 5_000, bomb, "x: *nowhere", "&x [*x]", "!!python/object:os.system x"):
        is_read_or_told(text)
