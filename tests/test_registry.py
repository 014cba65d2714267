import pytest

from manara.errors import Conflict, WrongDefinition
from manara.registry import Registry, missing_library, near


def test_a_name_is_taken_once() -> None:
    registry: Registry[int] = Registry("test")
    registry.register("One")(1)
    assert registry.find("One") == 1
    with pytest.raises(Conflict, match="registered twice"):
        registry.register("One")(2)


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    registry: Registry[int] = Registry("test")
    registry.register("Lookup")(1)
    with pytest.raises(WrongDefinition, match="Did you mean 'Lookup'"):
        registry.find("lokup")


def test_a_missing_library_is_answered_with_the_extra() -> None:
    error = missing_library(ModuleNotFoundError(name="fastexcel"))
    assert "pip install 'manara[excel]'" in str(error)


def test_far_names_are_answered_with_all() -> None:
    assert near("x", ["Copy", "Lookup"]) == "Known are: Copy, Lookup."
    assert near("x", []) == "There is none yet."
