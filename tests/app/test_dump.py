"""PostgreSQL databases in a backup, and back again into an empty one."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.cli.test_main import manara
from tests.factories import act, pipeline, write
from tests.warehouse.conftest import SUBJECT

from manara.app import Factory

WAREHOUSE = {"linkedServiceName": {"referenceName": "Warehouse", "type": "LinkedServiceReference"}}
ITEMS = "select i as n, 'v' || i as code, 'Vaccine é ' || i as title from generate_series(1, 500) as t(i)"


@pytest.fixture
def address(postgres: Callable[[], str]) -> str:
    return postgres()


@pytest.fixture
def factory(tmp_path: Path, address: str) -> Path:
    """A factory with a warehouse in PostgreSQL that a pipeline has filled."""
    root = tmp_path / "factory"
    name_warehouse(root, address)
    load = act("Items", "LoadDimension", subject="supply", dimension="item", query=ITEMS, watermark="n")
    write(root, "pipeline", "main", pipeline(load | WAREHOUSE))
    (root / "subject").mkdir()
    (root / "subject" / "supply.yaml").write_text(SUBJECT)
    assert Factory.open(root).run("main").status == "Succeeded"
    return root


def name_warehouse(root: Path, address: str) -> None:
    write(root, "linkedService", "Warehouse", {"type": "PostgreSql", "typeProperties": {"connectionString": address}})


def new_database(address: str) -> str:
    """Return the address of a database that is empty, on the same server, with the same schema named."""
    name = f"again_{os.urandom(4).hex()}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return address.replace("/postgres?", f"/{name}?")


def everything(address: str) -> dict[str, list[Any]]:
    """Return all rows of all tables and views of the schema."""
    with psycopg.connect(address) as connection:
        names = connection.execute(
            "select table_name from information_schema.tables where table_schema = current_schema() order by 1"
        ).fetchall()
        asked = {
            name: sql.SQL("select * from {} as t order by t::text").format(sql.Identifier(name)) for (name,) in names
        }
        return {name: connection.execute(query).fetchall() for name, query in asked.items()}


def test_a_database_goes_along_and_comes_back_whole_into_an_empty_one(
    factory: Path, address: str, tmp_path: Path
) -> None:
    told = manara("backup", str(tmp_path / "backups"), "--database", "Warehouse", at=factory)
    assert (told.returncode, told.stderr) == (0, "")
    again = tmp_path / "again"
    told = manara("restore", str(again), "--from", str(tmp_path / "backups"))
    assert f"manara restore-database Warehouse -f {again}" in told.stdout
    refused = manara("restore-database", "Warehouse", at=again)
    assert (refused.returncode, "is not empty" in refused.stderr) == (2, True)
    new = new_database(address)
    name_warehouse(again, new)
    told = manara("restore-database", "Warehouse", at=again)
    assert (told.returncode, told.stderr) == (0, "")
    assert everything(new) == everything(address)
    assert len(everything(new)["dim_item"]) == 501
    run = Factory.open(again).run("main")
    assert (run.status, run.activities["Items"].output["rowsRead"]) == ("Succeeded", 1)


def test_what_is_not_named_is_told_as_left_out_and_what_is_unknown_is_refused(factory: Path, tmp_path: Path) -> None:
    told = manara("backup", str(tmp_path / "backups"), at=factory)
    assert "Warehouse: it lies in PostgreSQL (--database Warehouse takes it along)" in told.stdout
    told = manara("backup", str(tmp_path / "backups"), "--database", "Warehuose", at=factory)
    assert (told.returncode, "Known are: Warehouse." in told.stderr) == (2, True)
    told = manara("restore-database", "Warehouse", at=factory)
    assert (told.returncode, "There is no dump of 'Warehouse'" in told.stderr) == (2, True)


def test_a_database_that_cannot_be_read_makes_no_backup(factory: Path, address: str, tmp_path: Path) -> None:
    name_warehouse(factory, address.replace("/postgres?", "/nowhere?"))
    told = manara("backup", str(tmp_path / "backups"), "--database", "Warehouse", at=factory)
    assert (told.returncode, "does not exist" in told.stderr) == (2, True)
    assert "There is no backup in" in manara("backups", str(tmp_path / "backups")).stderr


def test_a_damaged_dump_leaves_the_database_empty(factory: Path, address: str, tmp_path: Path) -> None:
    manara("backup", str(tmp_path / "backups"), "--database", "Warehouse", at=factory)
    manara("restore", str(tmp_path / "again"), "--from", str(tmp_path / "backups"))
    dump = tmp_path / "again" / "databases" / "Warehouse.dump"
    dump.write_bytes(dump.read_bytes()[:-400])
    new = new_database(address)
    name_warehouse(tmp_path / "again", new)
    told = manara("restore-database", "Warehouse", at=tmp_path / "again")
    assert (told.returncode, "cannot be loaded" in told.stderr) == (2, True), told.stdout + told.stderr
    assert everything(new) == {}


def test_only_the_schemas_that_an_address_names_go_along_and_that_is_told(
    factory: Path, address: str, tmp_path: Path
) -> None:
    two = address.replace("search_path%3D", "search_path%3DOdd_one%2C")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute('drop schema if exists "Odd_one" cascade; create schema "Odd_one"')
        connection.execute('create table "Odd_one".t as select 1 as x')
        connection.execute("drop table if exists public.left_behind; create table public.left_behind as select 1 as x")
    name_warehouse(factory, two.replace("Odd_one", "%22Odd_one%22"))
    told = manara("backup", str(tmp_path / "backups"), "--database", "Warehouse", at=factory).stdout
    assert "Warehouse: the schemas of its database beside Odd_one, " in told
    manara("restore", str(tmp_path / "again"), "--from", str(tmp_path / "backups"))
    new = new_database(address)
    name_warehouse(tmp_path / "again", new.replace("search_path%3D", "search_path%3D%22Odd_one%22%2C"))
    assert manara("restore-database", "Warehouse", at=tmp_path / "again").returncode == 0
    assert everything(new) == everything(address)
    with psycopg.connect(new) as connection:
        assert connection.execute('select x from "Odd_one".t').fetchall() == [(1,)]
        assert connection.execute("select to_regclass('public.left_behind')").fetchall() == [(None,)]
