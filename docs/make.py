"""Makes the reference pages from the code, and the whole documentation as HTML pages in build/docs.

`python docs/make.py` writes both; a test holds the reference pages and the code together.
"""

import ast
import importlib.util
import inspect
import re
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from typer.main import get_command

from manara import errors
from manara.cli.main import cli
from manara.expr.reference import page as expressions_page
from manara.plugin.activity import ACTIVITIES
from manara.plugin.connection import ABILITIES, CONNECTORS
from manara.plugin.dataset import DATASETS
from manara.registry import EXTRAS, Registry
from manara.runtime.control_step import CONTROLS
from manara.settings import FILE, ROWS

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "docs"
KINDS = {
    "first-walk": "A first walk",
    "how-to": "How to",
    "why": "Why",
    "reference": "Reference",
    "decisions": "Decisions",
}
MADE = "<!-- Made from the code by `make docs`; do not edit. -->\n"
STYLE = """
body { font: 17px/1.6 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: #1b2733 }
a { color: #0b5c8a } code { background: #eef2f5; padding: .1em .3em; border-radius: 3px; font-size: .9em }
pre { background: #eef2f5; padding: 1rem; overflow-x: auto; border-radius: 6px } pre code { padding: 0 }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: .92em }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #d5dde3; vertical-align: top }
nav { font-size: .9em; border-bottom: 1px solid #d5dde3; padding-bottom: .6rem; margin-bottom: 1.5rem }
h1, h2, h3 { line-height: 1.25 }
"""


def settings_page() -> str:
    """The table of settings."""
    rows = [
        (f"`{row.key}`", row.says, f"`{row.default}`" if row.default != "" else "", row.unit, f"`{row.variable}`")
        for row in ROWS
    ]
    head = f"# Settings\n\nIn `{FILE}` of the factory, or in the environment, which wins.\n\n"
    return head + table(("in the file", "what it does", "default", "unit", "in the environment"), rows)


def types_page() -> str:
    """The type names that run here."""
    parts = [
        "# Types that run here\n\nThe names that stand as `type` in the JSON. A package can add its own: it registers"
        " them by a decorator and names the module in the entry-point group.\n",
        'What a type can do stands in its decorator (`can={"read", "list"}`; everything where nothing is said), and is'
        " checked before a run starts. An activity needs it of the dataset and of the linked service behind it:\n",
        table(("a type that can", "is able to"), [(f"`{name}`", says) for name, says in ABILITIES.items()]),
    ]
    registries: list[tuple[str, Registry[Any]]] = [
        ("Activities that do work", ACTIVITIES),
        ("Control activities", CONTROLS),
        ("Datasets", DATASETS),
        ("Linked services", CONNECTORS),
    ]
    for title, registry in registries:
        parts.append(f"## {title}\n\nEntry-point group `manara.{registry.kind}`.\n\n{plugins_table(registry)}")
    return "\n".join(parts)


def plugins_table(registry: Registry[Any]) -> str:
    """One row for each plug-in of ours: name, first paragraph of its docstring, what it can do, extra, and module."""
    rows = []
    for name in registry.names():
        plugin = registry.find(name)
        module = getattr(plugin, "__module__", "")
        if module.startswith("manara."):
            can = [ability for ability in ABILITIES if ability in registry.can(name)]
            extras = ", ".join(f"`{extra}`" for extra in sorted(extras_of(module)))
            rows.append((f"`{name}`", first_paragraph(plugin), ", ".join(can), extras, f"`{module}`"))
    if not registry.abilities:
        return table(("type", "what it does", "where it lives"), [(*row[:2], row[4]) for row in rows])
    return table(("type", "what it does", "can", "extra", "where it lives"), rows)


def extras_of(module: str) -> set[str]:
    """Return the extras without which a module of ours cannot be imported, directly or by what it imports."""
    found: set[str] = set()
    looked, ahead = set[str](), [module]
    while ahead:
        name = ahead.pop()
        if name.split(".")[0] != "manara":
            found |= {EXTRAS[library] for library in [name.split(".")[0]] if library in EXTRAS}
        elif name not in looked:
            looked.add(name)
            ahead += imports_of(name)
    return found


@cache
def imports_of(module: str) -> list[str]:
    """Return what a module of ours imports when it is imported."""
    spec = importlib.util.find_spec(module)
    text = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    found: list[str] = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom):
            found.append(node.module or "")
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


def errors_page() -> str:
    """Every error class with its code."""
    rows = [
        (f"`{found.code}`", f"`{name}`", str(found.status), "yes" if found.retry else "no")
        for name, found in vars(errors).items()
        if inspect.isclass(found) and issubclass(found, errors.ManaraError)
    ]
    tree = inspect.cleandoc(errors.__doc__ or "").split("\n\n")[1]
    head = f"# Errors\n\nNamed by what to do next:\n\n```\n{inspect.cleandoc(tree)}\n```\n\n"
    return head + table(("code", "class", "HTTP status", "can trying again help"), rows)


def commands_page() -> str:
    """Every command with its arguments and options."""
    parts = ["# Commands\n\nExit code 0 when it succeeded, 1 when a run failed, 2 for wrong use.\n"]
    for name, command in _commands(get_command(cli)):
        rows = []
        for option in command.params:
            shown = (
                ", ".join(option.opts) if option.param_type_name == "option" else option.metavar or option.name.upper()
            )
            default = "" if option.default in (None, False, ()) or callable(option.default) else f"`{option.default}`"
            rows.append((f"`{shown}`", option.help or "", default))
        parts.append(f"## manara {name}\n\n{command.help}\n\n{table(('option', 'what', 'default'), rows)}")
    return "\n".join(parts)


def _commands(group: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the commands by name, those of a group under its name."""
    for name, command in sorted(getattr(group, "commands", {}).items()):
        if getattr(command, "commands", None):
            yield from _commands(command, f"{name} ")
        else:
            yield above + name, command


PAGES = {
    "settings.md": settings_page,
    "types.md": types_page,
    "errors.md": errors_page,
    "commands.md": commands_page,
    "expressions.md": expressions_page,
}


def reference_pages() -> dict[str, str]:
    """Return the made pages of docs/reference by file name."""
    return {name: f"{MADE}\n{make().rstrip()}\n" for name, make in PAGES.items()}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def first_paragraph(thing: object) -> str:
    """Return the first paragraph of a docstring as one line, without the numbers of our list of ADF's rules."""
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    return re.sub(r" \(rules? [^)]*\)", "", text)


def html_pages() -> Iterator[tuple[Path, str]]:
    """Yield every page of the documentation as HTML, with its path in build/docs."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    pages = [HERE / "index.md", *(path for kind in KINDS for path in sorted((HERE / kind).glob("*.md")))]
    for path in pages:
        target = path.relative_to(HERE).with_suffix(".html")
        body = markdown.render(path.read_text(encoding="utf-8"))
        body = re.sub(r'href="([^":]+)\.md(#[^"]*)?"', r'href="\1.html\2"', body)
        up = "../" * (len(target.parts) - 1)
        title = escape(title_of(path))
        yield (
            target,
            f"<!doctype html><html lang=en><meta charset=utf-8><title>{title} - Manara</title>"
            f'<meta name=viewport content="width=device-width"><style>{STYLE}</style>'
            f'<nav><a href="{up}index.html">Manara</a></nav>{body}</html>\n',
        )


def title_of(path: Path) -> str:
    """Return the first heading of a page."""
    heading = re.search(r"^# (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return heading.group(1) if heading else path.stem


def main() -> None:
    for name, text in reference_pages().items():
        (HERE / "reference" / name).write_text(text, encoding="utf-8")
    shutil.rmtree(BUILD, ignore_errors=True)
    count = 0
    for path, text in html_pages():
        (BUILD / path).parent.mkdir(parents=True, exist_ok=True)
        (BUILD / path).write_text(text, encoding="utf-8")
        count += 1
    print(f"{len(PAGES)} reference pages made; {count} pages in {BUILD.relative_to(HERE.parent)}/")


if __name__ == "__main__":
    main()
