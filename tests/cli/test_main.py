"""The command line as a user meets it: what it prints, and with which exit code it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from manara.blueprints.make import make_factory


def manara(*words: str, at: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "manara.cli", *words, *(["-f", str(at)] if at else [])]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    make_factory(tmp_path / "factory", "start")
    return tmp_path / "factory"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_first_factory_is_made_checked_run_and_asked(factory: Path) -> None:
    assert manara("validate", at=factory).stdout.endswith("is in order: 5 files checked.\n")
    told = manara("run", "load_csv", at=factory)
    assert (told.returncode, told.stderr) == (0, "")
    assert "Succeeded Load  (3 rows" in told.stdout
    rows = json.loads(manara("query", "select name from clinics order by name", "--json", at=factory).stdout)
    assert rows[0] == {"name": "Comfort Clinic"}


def test_json_tells_the_run_under_the_names_of_adf(factory: Path) -> None:
    run = json.loads(manara("run", "load_csv", "--json", at=factory).stdout)
    assert (run["status"], run["pipelineName"]) == ("Succeeded", "load_csv")
    (copy,) = run["activityRuns"]
    assert {"activityName": "Load", "activityType": "Copy", "status": "Succeeded"}.items() <= copy.items()
    assert (copy["output"]["rowsRead"], copy["output"]["rowsCopied"]) == (3, 3)


def test_a_second_run_gives_the_same_table(factory: Path) -> None:
    for _ in range(2):
        assert manara("run", "load_csv", at=factory).returncode == 0
    assert json.loads(manara("query", "select count(*) as n from clinics", "--json", at=factory).stdout) == [{"n": 3}]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "load_cvs"], "There is no pipeline 'load_cvs' in the factory. Did you mean 'load_csv'?"),
        (["run", "load_csv", "-p", "fil=x"], "The pipeline 'load_csv' has no parameter 'fil'. Did you mean 'file'?"),
        (["run", "load_csv", "-p", "file"], "'file' is no parameter. Write -p name=value."),
        (["resume", "nothing"], "Nothing has run in"),
        (["query", "selec 1"], "selec"),
        (["query", "select 1", "--linked-service", "Lake"], "The linked service 'Lake' is no database."),
        (["demo", "nothing"], "There is no demo 'nothing'. There is one: supply."),
        (["nonsense"], "No such command 'nonsense'"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_to_try(factory: Path, words: list[str], says: str) -> None:
    told = manara(*words, at=None if words[0] in ("demo", "nonsense") else factory)
    assert told.returncode == 2
    assert says in told.stderr
    assert "Traceback" not in told.stderr


def test_a_missing_folder_is_wrong_use(tmp_path: Path) -> None:
    told = manara("run", "p", at=tmp_path / "none")
    assert (told.returncode, "There is no folder" in told.stderr) == (2, True)


def test_a_folder_in_use_is_not_overwritten(factory: Path) -> None:
    told = manara("init", str(factory))
    assert (told.returncode, "is not empty" in told.stderr) == (2, True)


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("pipeline/load_csv.json", "{", "", "pipeline/load_csv.json line 2, column 11: This is no JSON"),
        (
            "pipeline/load_csv.json",
            '"Copy"',
            '"Copi"',
            "The activity type 'Copi' does not run here. Did you mean 'Copy'?",
        ),
        (
            "pipeline/load_csv.json",
            '"InboxCsv"',
            '"InbokCsv"',
            "There is no dataset 'InbokCsv'. Did you mean 'InboxCsv'?",
        ),
        ("pipeline/load_csv.json", "@concat(", "@conact(", "conact"),
        ("dataset/InboxCsv.json", '"DelimitedText"', '"DelimitedTekst"', "'DelimitedTekst' does not run here"),
        ("linkedService/Lake.json", '"FileServer"', '"SapBW"', "'SapBW' does not run here"),
    ],
)
def test_a_fault_in_the_definitions_starts_nothing(factory: Path, file: str, old: str, new: str, says: str) -> None:
    change(factory / file, old, new)
    for command in (["validate"], ["run", "load_csv"]):
        told = manara(*command, at=factory)
        assert (told.returncode, "Traceback" in told.stderr) == (2, False)
        assert says in told.stderr
    assert not (factory / "data" / "journal.sqlite").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("code,name\nHC01,A\nHC02,B,too,many\n", "Row 2"),
        ("", "clinics.csv"),
        ('code,name\nHC01,"never closed\n', "clinics.csv"),
        (None, "clinics.csv"),
    ],
)
def test_a_broken_source_fails_the_run_and_loads_nothing(factory: Path, content: str | None, says: str) -> None:
    path = factory / "data" / "lake" / "inbox" / "clinics.csv"
    path.unlink() if content is None else path.write_text(content, encoding="utf-8")
    told = manara("run", "load_csv", at=factory)
    assert (told.returncode, told.stderr) == (1, "")
    assert says in told.stdout
    assert "Traceback" not in told.stdout
    tables = manara(
        "query", "select table_name from duckdb_tables() where table_name = 'clinics'", "--json", at=factory
    )
    assert json.loads(tables.stdout) == []


def test_help_answers_without_loading_what_is_heavy() -> None:
    code = "import sys; sys.argv = ['manara', '--help']\nfrom manara.cli.main import cli\n"
    check = "try: cli()\nexcept SystemExit: pass\nprint(sorted({'pyarrow', 'duckdb', 'sqlglot'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code + check], capture_output=True, text=True, check=True)
    assert told.stdout.endswith("[]\n")


def test_a_library_that_is_not_there_is_told_with_its_extra() -> None:
    script = (
        "import sys; sys.modules['uvicorn'] = None; sys.argv[1:] = ['serve']; import manara.cli.main as m; m.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "The library 'uvicorn' is not installed. Install it with: pip install 'manara[server]'\n"
