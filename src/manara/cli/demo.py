"""The demo: a factory from a blueprint, made data with known faults, one run, and what it found."""

import json
from pathlib import Path

from rich.console import Console

from manara.app import Factory
from manara.blueprints.make import make_factory
from manara.blueprints.supply.faults import Planted
from manara.blueprints.supply.generate import generate, generate_month, read_planted
from manara.blueprints.supply.report import Section, compare, report
from manara.cli.runs import program, screen_for, table_of, verdict, watch
from manara.errors import WrongDefinition
from manara.store.record import PipelineRun

LAKE = Path("data", "lake")
PLANTED = "planted.json"
WAREHOUSE = "Warehouse"


def show_demo(blueprint: str, folder: Path, seed: int, *, add_month: bool = False) -> int:
    """Run the demo in the folder and return the exit code: 1 where a run failed or planted and found differ.

    A folder that holds the demo already is used again: nothing is made anew, and only new files are loaded.
    """
    if blueprint != "supply":
        raise WrongDefinition(f"There is no demo '{blueprint}'.", advice="There is one: supply.")
    console = Console(highlight=False)
    planted = _prepare(console, folder, seed, add_month=add_month)
    opened = Factory.open(folder)
    console.print(f"\n[bold]Running the pipeline 'supply'[/]  (the same as: {program()} run supply -f {folder})\n")
    run = watch(lambda listener: opened.run("supply", listener=listener), folder, screen_for(console, as_json=False))
    console.print(verdict(run), style="green" if run.status == "Succeeded" else "red", markup=False)
    if run.status != "Succeeded":
        return 1
    _show_change(console, run)
    for section in report(lambda statement: opened.query(WAREHOUSE, statement)):
        _show_section(console, section)
    equal = _show_comparison(console, planted, opened)
    _show_ways_on(console, folder)
    return 0 if equal else 1


def _prepare(console: Console, folder: Path, seed: int, *, add_month: bool) -> Planted:
    lake = folder / LAKE
    if not (folder / "pipeline" / "supply.json").is_file():
        console.print(f"Making the factory '{folder}' from the blueprint 'supply' ...")
        make_factory(folder, "supply")
    if not (lake / PLANTED).is_file():
        console.print("Making messy sources: DHIS2 reports, LMIS files, a shipment list ...")
        generate(lake, seed)
    else:
        console.print(f"Using the demo in '{folder}' again.")
    if add_month:
        months = len(list((lake / "inbox" / "stock").glob("*.json")))
        arrived = generate_month(lake, json.loads((lake / PLANTED).read_text("utf-8"))["seed"], months + 1)
        console.print(f"Another month of reports arrives: {arrived.name}")
    return read_planted(lake / PLANTED)


def _show_change(console: Console, run: PipelineRun) -> None:
    console.print(str(run.output.get("pipelineReturnValue", {}).get("message", "")), style="bold", markup=False)


def _show_section(console: Console, section: Section) -> None:
    console.print()
    if section.rows:
        console.print(table_of(section.columns, section.rows, title=section.title))
    else:
        console.print(section.title, style="bold")
        console.print("none")
    if section.note:
        console.print(section.note, style="dim")


def _show_comparison(console: Console, planted: Planted, opened: Factory) -> bool:
    rows = compare(planted, lambda statement: opened.query(WAREHOUSE, statement))
    console.print()
    shown = [[fault, sown, found, "yes" if sown == found else "NO"] for fault, sown, found in rows]
    total = [sum(row[1] for row in rows), sum(row[2] for row in rows)]
    equal = all(sown == found for _, sown, found in rows)
    shown.append(["all", *total, "yes" if equal else "NO"])
    console.print(
        table_of(["fault", "planted", "found", "equal"], shown, title="Faults planted in the data, and found")
    )
    if not equal:
        console.print("What was planted and what was found differ: the demo has failed.", style="bold red")
    return equal


def _show_ways_on(console: Console, folder: Path) -> None:
    console.print("\nTo look further", style="bold")
    for command, what in [
        ("quarantine list", "refused rows, with rule and reason; correct and release them"),
        ("steward list", "names of countries that nobody knows; say what they stand for"),
        ("warehouse show", "the stars, as they are declared"),
        ('query "from stock_now where is_stock_out"', "where children would go without"),
        ("run supply", "run it again: nothing is loaded twice"),
    ]:
        console.print(f"  {program()} {command} -f {folder}", markup=False, soft_wrap=True)
        console.print(f"      {what}", style="dim")
    console.print(f"  {program()} demo supply --add-month --dir {folder}", markup=False, soft_wrap=True)
    console.print("      another month arrives, and only its files are loaded", style="dim")
    console.print(f"  The pipelines are in {folder / 'pipeline'}, the rules in {folder / 'contract'}.")
