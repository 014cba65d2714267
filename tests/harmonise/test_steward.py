import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.harmonise.conftest import write_pack
from tests.plugin_given import Place, csv, table

from manara.errors import Conflict, NotFound, WrongDefinition
from manara.harmonise import steward
from manara.plugin.connection import Mark

ROWS = "Province,Day,Doses\nKabul,2024-01-05,10\nWardak,2024-01-06,20\nWardak,5 Jan,30\nAtlantis,2024-01-08,40\n"
COLUMNS = [
    {"as": "place", "from": "Province", "to": "adm1", "pack": "places", "level": 1},
    {"as": "date", "from": "Day", "to": "day_on", "formats": ["%Y-%m-%d"]},
]


def mark() -> Mark:
    return Mark(run_id=str(uuid4()), step="steward", attempt=1)


def load(place: Place, rows: str = ROWS) -> dict[str, Any]:
    place.write("doses.csv", rows)
    return place.run("Harmonise", {"columns": COLUMNS, "origin": "doses.csv"}, [csv("doses.csv")], [table("doses")])


def item(place: Place, value: str) -> steward.Item:
    return next(item for item in steward.queue(place.database) if item.value == value)


def decide(place: Place, value: str, code: str) -> None:
    steward.decide(place.database, mark(), item(place, value), code, author="amina", note="by the gazetteer")


def loaded(place: Place) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in place.query('select adm1, "Doses", "_row" from doses order by "_row"')]


def test_each_unmatched_value_stands_in_the_queue_once_with_its_candidates(place: Place) -> None:
    load(place)
    queue = steward.queue(place.database)
    assert [(each.value, each.rows, each.status) for each in queue] == [
        ("Wardak", 2, "open"), ("5 Jan", 1, "open"), ("Atlantis", 1, "open")
    ]  # fmt: skip
    assert queue[0].candidates[0]["code"] == "AF04"
    assert queue[0].list_name == "places/1"
    assert "is no date" in queue[1].reason
    assert steward.waiting(place.database) == 3


def test_a_decision_lets_the_rows_go_that_waited_for_nothing_else(place: Place) -> None:
    load(place)
    decide(place, "Wardak", "AF04")
    done = steward.replay(place.database, place.folder, mark())
    assert (done.written, done.waiting, done.tables) == (1, 2, ("doses",))
    assert loaded(place) == [("AF01", "10", 1), ("AF04", "20", 2)]
    decide(place, "5 Jan", "2024-01-05")
    assert steward.replay(place.database, place.folder, mark()).written == 1
    assert loaded(place)[-1] == ("AF04", "30", 3)


def test_a_replay_that_is_done_again_brings_no_row_twice(place: Place) -> None:
    load(place)
    decide(place, "Wardak", "AF04")
    same = mark()
    first, second = (steward.replay(place.database, place.folder, same) for _ in range(2))
    assert first == second
    assert steward.replay(place.database, place.folder, mark()).written == 0
    assert len(loaded(place)) == 2


def test_a_replay_that_is_broken_off_changes_nothing(place: Place) -> None:
    load(place)
    decide(place, "Wardak", "AF04")
    (place.folder / "pack" / "places" / "places.csv").unlink()
    with pytest.raises(WrongDefinition, match="There is no such file"):
        steward.replay(place.database, place.folder, mark())
    assert len(loaded(place)) == 1
    assert steward.waiting(place.database) == 3


KILLED = """
import json, os, signal, sys
from pathlib import Path
from manara.harmonise import steward
from manara.plugin.connection import CONNECTORS, LinkedServiceGiven, Mark

kind, properties, folder, left = json.loads(sys.argv[1])

class Deadly(dict):
    def __getitem__(self, name):
        global left
        left -= name == "leave_waiting"
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(name)

deadly = Deadly(steward.statements())
steward.statements = lambda: deadly
if kind == "DuckDB":
    properties["lockTimeout"] = 30  # another process may hold the file for a moment
given = LinkedServiceGiven(name="Warehouse", type=kind, properties=properties, root=Path(folder))
steward.replay(CONNECTORS.find(kind)(given), Path(folder), Mark(run_id="killed", step="steward", attempt=1))
"""


@pytest.mark.parametrize("row", [1, 2])
def test_a_replay_that_is_killed_loses_no_row_and_brings_none_twice(place: Place, row: int) -> None:
    load(place)
    decide(place, "Wardak", "AF04")
    decide(place, "Atlantis", "AF30")
    before = loaded(place)
    told = json.dumps([*place.service, str(place.folder), row])
    killed = subprocess.run([sys.executable, "-c", KILLED, told], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert (loaded(place), steward.waiting(place.database)) == (before, 3)
    assert steward.replay(place.database, place.folder, mark()).written == 2
    assert loaded(place) == [("AF01", "10", 1), ("AF04", "20", 2), ("AF30", "40", 4)]


def test_a_decision_counts_for_the_next_load_of_the_file(place: Place) -> None:
    load(place)
    decide(place, "Wardak", "AF04")
    steward.replay(place.database, place.folder, mark())
    output = load(place)
    assert output["columns"]["adm1"] == {"exact": 1, "alias": 2, "unmatched": 1}
    assert loaded(place) == [("AF01", "10", 1), ("AF04", "20", 2)]


def test_rows_of_a_value_that_stands_for_nothing_go_on_without_a_code(place: Place) -> None:
    load(place)
    decide(place, "Atlantis", "")
    assert item(place, "Atlantis").status == "rejected"
    assert steward.replay(place.database, place.folder, mark()).written == 1
    assert loaded(place) == [("AF01", "10", 1), (None, "40", 4)]
    assert load(place)["columns"]["adm1"] == {"exact": 1, "unmatched": 2, "none": 1}


def test_a_decision_is_signed_and_is_made_once(place: Place) -> None:
    load(place)
    seen = item(place, "Wardak")
    decide(place, "Wardak", "AF04")
    found = item(place, "Wardak")
    assert (found.code, found.author, found.note) == ("AF04", "amina", "by the gazetteer")
    with pytest.raises(Conflict, match="'Wardak' has been decided already: AF04"):
        steward.decide(place.database, mark(), seen, "AF30", author="omar")


def test_a_decision_can_be_taken_back(place: Place) -> None:
    load(place)
    decide(place, "Wardak", "AF30")
    steward.undo(place.database, mark(), item(place, "Wardak"))
    assert item(place, "Wardak").status == "open"
    decide(place, "Wardak", "AF04")
    with pytest.raises(Conflict, match="has not been decided"):
        steward.undo(place.database, mark(), item(place, "Atlantis"))


def test_a_code_that_the_list_has_not_is_refused(place: Place) -> None:
    load(place)
    with pytest.raises(WrongDefinition, match="The pack 'places' has no code 'AF99'"):
        steward.check_code(place.folder, item(place, "Wardak"), "AF99")
    steward.check_code(place.folder, item(place, "Wardak"), "AF04")


def test_a_list_that_has_grown_frees_rows_without_a_decision(place: Place) -> None:
    load(place)
    content = (place.folder / "pack" / "places" / "places.csv").read_text("utf-8") + "AT,Atlantis,AF,1\n"
    write_pack(place.folder, "places", content, "{code: code, name: name, parent: parent, level: level}")
    assert steward.replay(place.database, place.folder, mark()).written == 1
    assert loaded(place)[-1] == ("AT", "40", 4)


def test_an_item_is_found_by_the_start_of_its_id(place: Place) -> None:
    load(place)
    first = steward.queue(place.database)[0]
    assert steward.find(place.database, first.id[:6]) == first
    for wrong in ("zzz", ""):
        with pytest.raises(NotFound):
            steward.find(place.database, wrong)


def test_a_warehouse_where_nothing_was_harmonised_has_an_empty_queue(tmp_path: Path) -> None:
    place = Place(folder=tmp_path)
    assert steward.queue(place.database) == []
    assert steward.replay(place.database, tmp_path, mark()).written == 0
