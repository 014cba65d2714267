import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from manara.errors import Conflict, WrongDefinition
from manara.registry import Registry, _all_entry_points, missing_library, near

HALF = """
from tests.test_registry import PLUGINS, GATE
PLUGINS.register("Slow")(lambda: whole())
GATE.wait(30)
def whole(): return "whole"
"""
PLUGINS: Registry[Callable[[], str]] = Registry("test")
GATE = threading.Event()


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


def test_nobody_is_given_half_a_module_while_another_thread_imports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_a_module.py").write_text(HALF, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "slow-1.dist-info"  # installed, as far as Python can tell
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1\n", encoding="utf-8")
    (package / "entry_points.txt").write_text("[manara.test]\nSlow = half_a_module\n", encoding="utf-8")
    _all_entry_points.cache_clear()
    found: list[str] = []
    finders = [threading.Thread(target=lambda: found.append(PLUGINS.find("Slow")())) for _ in range(2)]
    finders[0].start()
    while "Slow" not in PLUGINS._plugins and finders[0].is_alive():  # until the module is half there
        time.sleep(0.001)
    finders[1].start()
    GATE.set()
    for finder in finders:
        finder.join()
    assert found == ["whole", "whole"]
