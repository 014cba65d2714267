"""Every definition of a factory checked: `manara validate`."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from manara.app import Factory
from manara.errors import Fault

IN_ORDER, FAULTY = 0, 2
STYLES = {"error": "bold red", "warning": "yellow"}
FIELDS = ("severity", "file", "path", "message", "advice")


def show_faults(folder: Path, *, strict: bool, as_json: bool) -> int:
    """Tell every fault and warning, and return the exit code: 2 where there is a fault, or with `strict` a warning."""
    opened = Factory.open(folder)
    faults = opened.check()
    found = opened.definitions
    checked = len(found.definitions) + len(found.stand_ins) + len(found.texts)
    errors = sum(fault.severity == "error" for fault in faults)
    if as_json:
        told = {
            "faults": [{name: getattr(fault, name) for name in FIELDS} for fault in faults],
            "errors": errors,
            "warnings": len(faults) - errors,
            "filesChecked": checked,
        }
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    else:
        _print_faults(faults)
        _print_verdict(found.name, errors, len(faults) - errors, checked)
    return FAULTY if errors or (strict and faults) else IN_ORDER


def _print_faults(faults: list[Fault]) -> None:
    console = Console(stderr=True, highlight=False)
    for fault in faults:
        place = f"{fault.file} {fault.path}".strip()
        line = Text.assemble((f"{fault.severity}: ", STYLES[fault.severity]), (place, "bold"), f": {fault.message}")
        if fault.advice:
            line.append(f" {fault.advice}")
        console.print(line, soft_wrap=not console.is_terminal)


def _print_verdict(name: str, errors: int, warnings: int, checked: int) -> None:
    told = " and ".join(_count(number, word) for number, word in ((errors, "fault"), (warnings, "warning")) if number)
    if errors:
        sys.stderr.write(f"The factory '{name}' has {told}.\n")
    else:
        sys.stdout.write(
            f"The factory '{name}' is in order{f', with {told}' if told else ''}: {checked} files checked.\n"
        )


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
