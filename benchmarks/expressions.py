"""How long an expression takes once it is cached, beside the same value made by plain Python in the same process.

Run: python benchmarks/expressions.py
"""

import sys
import timeit
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

from manara.expr import evaluate

SCOPE: dict[str, Any] = {
    "pipeline": {
        "parameters": {"folder": "stock", "limit": 100},
        "TriggerTime": "2024-01-02T03:04:05.1234567Z",
        "RunId": "7c2f",
    },
    "variables": {"count": 7},
    "activities": {"Load": {"output": {"firstRow": {"Site Code": "GAO"}}}},
    "item": {"name": "cards"},
}
PARAMETERS, ITEM = SCOPE["pipeline"]["parameters"], SCOPE["item"]
FIRST_ROW = SCOPE["activities"]["Load"]["output"]["firstRow"]

ROWS: list[tuple[str, Callable[[], object]]] = [
    ("@pipeline().parameters.folder", lambda: PARAMETERS["folder"]),
    (
        "@concat(pipeline().parameters.folder, '/', item().name, '.csv')",
        lambda: f"{PARAMETERS['folder']}/{ITEM['name']}.csv",
    ),
    ("@activity('Load').output.firstRow['Site Code']", lambda: FIRST_ROW["Site Code"]),
    (
        "@if(less(variables('count'), pipeline().parameters.limit), add(variables('count'), 1), 0)",
        lambda: SCOPE["variables"]["count"] + 1 if SCOPE["variables"]["count"] < PARAMETERS["limit"] else 0,
    ),
    (
        "@{pipeline().parameters.folder}/@{formatDateTime(pipeline().TriggerTime, 'yyyy/MM/dd')}/@{item().name}.csv",
        lambda: (
            f"{PARAMETERS['folder']}/{datetime.fromisoformat(SCOPE['pipeline']['TriggerTime']):%Y/%m/%d}"
            f"/{ITEM['name']}.csv"
        ),
    ),
]


def microseconds(call: Callable[[], object], times: int = 20_000) -> float:
    """The best of five rounds, for one call."""
    return min(timeit.repeat(call, number=times, repeat=5)) / times * 1e6


def main() -> None:
    print(f"{'expression':>12}{'plain Python':>14}{'ratio':>7}   (microseconds)")
    for text, plain in ROWS:
        assert evaluate(text, SCOPE) == plain()
        ours, theirs = microseconds(partial(evaluate, text, SCOPE)), microseconds(plain)
        print(f"{ours:12.2f}{theirs:14.2f}{ours / theirs:7.1f}   {text}")


if __name__ == "__main__":
    main()
