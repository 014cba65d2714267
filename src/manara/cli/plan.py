"""What a run would do, on the screen."""

import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from manara.runtime.plan import Planned

LONGEST = 100


def show_plan(pipeline: str, planned: Sequence[Planned], *, as_json: bool) -> None:
    """Print the plan as a tree, or as JSON."""
    if as_json:
        sys.stdout.write(json.dumps([each.as_json() for each in planned], indent=2, ensure_ascii=False) + "\n")
        return
    console = Console(highlight=False)
    tree = Tree(Text.assemble((pipeline, "bold"), ("  would run", "dim")), guide_style="dim")
    _add(tree, planned)
    console.print(tree)
    console.print("What only the run can know is marked with ?. Nothing was run.", style="dim")


def _add(tree: Tree, planned: Sequence[Planned]) -> None:
    for each in planned:
        line = Text.assemble(each.name, (f"  {each.type}", "dim"), (f"  {each.when}" if each.when else "", "cyan"))
        branch = tree.add(line)
        for name, value in each.properties.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            short = text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
            mark = ("? ", "yellow") if any(expression in text for expression in each.open) else ""
            branch.add(Text.assemble(mark, (f"{name}: ", "dim"), " ".join(short.split())))
        if each.problem:
            branch.add(Text(each.problem, style="red"))
        _add(branch, each.inside)
