"""The columns that a source adds to its rows: the path of the file, another column, or a text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from manara.errors import WrongDefinition
from manara.registry import near

_PATH, _COLUMN = "$$FILEPATH", "$$COLUMN:"
_RESERVED = re.compile(r"\$\$[A-Z]+(:.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Additional:
    """The additionalColumns of one source: names, and what each holds."""

    columns: Mapping[str, str | None]

    @classmethod
    def of(cls, settings: Mapping[str, Any], schema: pa.Schema) -> "Additional":
        """Return what the source's settings say of a source with these columns.

        A value is `$$FILEPATH` (the file's path below the dataset's folder), `$$COLUMN:other`, or the text itself.
        Raises WrongDefinition for a name that is taken, and for a column that is not there.
        """
        found: dict[str, str | None] = {}
        for index, told in enumerate(settings.get("additionalColumns") or ()):
            where = f"source.additionalColumns[{index}]"
            if not isinstance(told, Mapping) or not told.get("name"):
                raise WrongDefinition("An additional column needs a name and a value.", where=where)
            name, value = str(told["name"]), told.get("value")
            if name in found or name in schema.names:
                raise WrongDefinition(
                    f"There is a column '{name}' already.", where=where, advice="Choose another name."
                )
            found[name] = None if value is None else str(value)
            _check(found[name] or "", schema, where)
        return cls(columns=found)

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """Return the columns of the source with these behind them."""
        return pa.schema([*schema, *(pa.field(name, pa.string()) for name in self.columns)])

    def to(self, batch: pa.RecordBatch, path: str) -> pa.RecordBatch:
        """Return the rows of the file at `path` with the columns behind their own."""
        for name, value in self.columns.items():
            if value and value.upper().startswith(_COLUMN):
                column = batch.column(value[len(_COLUMN) :]).cast(pa.string())
            else:
                text = path if value and value.upper() == _PATH else value
                column = pa.repeat(pa.scalar(text, pa.string()), batch.num_rows)
            batch = batch.append_column(name, column)
        return batch


def _check(value: str, schema: pa.Schema, where: str) -> None:
    if value.upper().startswith(_COLUMN):
        name = value[len(_COLUMN) :]
        if name not in schema.names:
            raise WrongDefinition(
                f"additionalColumns names the column '{name}', which the source does not have.",
                where=where,
                advice=near(name, schema.names),
            )
    elif _RESERVED.fullmatch(value) and value.upper() != _PATH:
        raise WrongDefinition(
            f"There is no '{value}'.", where=where, advice=f"Known are {_PATH} and {_COLUMN}name of a column."
        )
