"""The floor plan: an import runs down, or sideways inside its own room, never up."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FLOORS = {
    8: "cli",
    7: "app",
    6: "ui",
    5: "server scaling testing",
    4: "runtime activities connectors dataflow harmonise quality privacy warehouse indicators ml catalog monitor",
    3: "plugin blueprints web settings",
    2: "resources expr store table period registry secret pfx",
    1: "errors clock",
}
ROOMS = {room: floor for floor, rooms in FLOORS.items() for room in rooms.split()}
SOURCE = Path(__file__).parent.parent / "src" / "manara"


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(path: Path) -> Iterator[str]:
    """Every module of ours that a file imports: for type hints and inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "manara")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "manara":
            if node.module == "manara":
                yield from (f"manara.{name.name}" for name in node.names)
            else:
                yield node.module or ""


def arrows() -> Iterator[tuple[str, str, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for module in imports(path):
            yield str(path.relative_to(SOURCE)), room, room_of(module)


def is_allowed(room: str, target: str) -> bool:
    if room == target:
        return True
    if target == "app":
        return room == "cli"
    if ROOMS[room] == ROOMS[target]:
        return ROOMS[room] <= 3  # values and small services below the wings may know their neighbours
    return ROOMS[room] > ROOMS[target]


def test_every_room_has_its_floor() -> None:
    rooms = {path.name.removesuffix(".py") for path in SOURCE.iterdir() if not path.name.startswith("__")}
    assert {room for room in rooms if room != "py.typed"} <= set(ROOMS)


def test_no_import_runs_up() -> None:
    wrong = [
        f"{file} imports {target}"
        for file, room, target in arrows()
        if room != "__init__" and not is_allowed(room, target)
    ]
    assert wrong == []


def test_no_room_is_empty() -> None:
    rooms = [path for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert [room.name for room in rooms if not any(p.stat().st_size for p in room.rglob("*.py"))] == []


@pytest.mark.parametrize(
    ("room", "target", "allowed"),
    [
        ("cli", "app", True),
        ("server", "app", False),
        ("runtime", "activities", False),
        ("quality", "warehouse", False),
        ("store", "errors", True),
        ("errors", "store", False),
    ],
)
def test_the_plan_says_who_may_know_whom(room: str, target: str, allowed: bool) -> None:
    assert is_allowed(room, target) is allowed
