"""One expression, evaluated on the spot: `manara eval`."""

import json
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from manara.clock import frozen
from manara.errors import WrongDefinition
from manara.expr import evaluate

STANDARD_INPUT = "-"


def show_value(text: str, context: str | None, at: str | None) -> None:
    """Print the value of a text as it stands in a definition, as JSON."""
    scope = read_context(context)
    with frozen(read_moment(at)) if at else nullcontext():
        value = evaluate(text, scope)
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def read_context(file: str | None) -> dict[str, Any]:
    """Return the names that an expression sees, from a file or, for `-`, from the standard input.

    Raises WrongDefinition for what is no JSON object.
    """
    if file is None:
        return {}
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else Path(file).read_text(encoding="utf-8-sig")
        context = json.loads(text)
    except OSError as error:
        raise WrongDefinition(f"The context cannot be read: {error.strerror}.", where=file) from error
    except (ValueError, RecursionError) as error:
        raise WrongDefinition(f"The context is no JSON: {error}.", where=file) from error
    if not isinstance(context, dict):
        raise WrongDefinition(
            "The context is no JSON object.",
            where=file,
            advice='Write {"pipeline": {"parameters": {...}}, "variables": {...}, "activities": {...}, "item": ...}.',
        )
    return context


def read_moment(text: str) -> datetime:
    """Return the moment of an ISO 8601 text, in UTC where it names no zone. Raises WrongDefinition."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WrongDefinition(f"'{text}' is no moment.", advice="Write it as 2024-01-02T03:04:05Z.") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
