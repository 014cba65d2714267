"""The room is light: what few expressions need is not loaded with it."""

import subprocess
import sys

HEAVY = ("xml", "zoneinfo", "tzlocal", "decimal", "importlib.metadata", "pyarrow", "difflib")


def test_the_import_loads_nothing_heavy() -> None:
    code = f"import sys, manara.expr; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
