"""The examples of the how-to pages run, and print what the pages say."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

from manara.blueprints.make import make_factory

PAGES = Path(__file__).parent.parent.parent / "docs" / "how-to"
_FILE = re.compile(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)

pytest_plugins = ["pytester"]


def files_of(page: str) -> dict[str, tuple[str, str]]:
    """Return the files that a page shows: their text, and what they print where the page says it."""
    text = (PAGES / page).read_text(encoding="utf-8")
    return {name: (body, printed) for name, body, printed in _FILE.findall(text)}


def test_the_tests_of_the_page_pass(pytester: pytest.Pytester) -> None:
    make_factory(pytester.path, "supply")
    files = files_of("test-a-pipeline.md")
    for name, (body, _) in files.items():
        (pytester.path / name).parent.mkdir(exist_ok=True)
        (pytester.path / name).write_text(body, encoding="utf-8")
    count = sum(body.count("\ndef test_") for body, _ in files.values())
    assert count >= 7
    pytester.runpytest_inprocess().assert_outcomes(passed=count)


@pytest.mark.parametrize("script", ["load.py", "missing.py"])
def test_the_scripts_of_the_page_print_what_it_says(tmp_path: Path, script: str) -> None:
    make_factory(tmp_path / "my-factory", "start")
    body, printed = files_of("use-from-python.md")[script]
    done = subprocess.run([sys.executable, "-c", body], cwd=tmp_path, capture_output=True, text=True, check=False)
    said = done.stdout
    assert doctest.OutputChecker().check_output(printed, said, doctest.ELLIPSIS), said + done.stderr
