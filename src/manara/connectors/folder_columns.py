"""Partition discovery: folders such as `year=2024/month=01` on the way to a file, as columns of its rows."""

from collections.abc import Sequence
from urllib.parse import unquote

import pyarrow as pa

from manara.connectors.selection import Settings, SourceFile, store_settings
from manara.errors import BadRows, Conflict, WrongDefinition


def is_wanted(settings: Settings) -> bool:
    """Return whether the source asks for partitions as columns (enablePartitionDiscovery)."""
    return str(store_settings(settings).get("enablePartitionDiscovery", False)).lower() == "true"


def partitions(file: SourceFile) -> dict[str, str]:
    """Return the values that the file's folders below the partition root name, in order.

    The root is `partitionRootPath`, which counts from the store; else the dataset's folder, or what stands before the
    first wildcard. Values are text; `%2F` and the like mean what they do in addresses.
    """
    root = file.partition_root
    if root and not f"{file.info.path}/".startswith(f"{root}/"):
        raise WrongDefinition(
            f"'{file.info.path}' does not lie in the partition root '{root}'.",
            where="storeSettings.partitionRootPath",
            advice="Give the whole path, with the container or bucket before it.",
        )
    folders = file.info.path.removeprefix(root).strip("/").split("/")[:-1]
    named = [folder.partition("=") for folder in folders if "=" in folder.strip("=")]
    return {unquote(name): unquote(value) for name, _, value in named}


def with_columns(files: Sequence[SourceFile], schema: pa.Schema) -> pa.Schema:
    """Return the columns with those of the partitions behind them; all files must have the same."""
    names = list(partitions(files[0]))
    for name in names:
        if name in schema.names:
            raise Conflict(
                f"'{name}' is a partition and also a column of the file.",
                where=files[0].path,
                advice="Leave out enablePartitionDiscovery, or set partitionRootPath below that folder.",
            )
    return pa.schema([*schema, *(pa.field(name, pa.string()) for name in names)])


def filled(batch: pa.RecordBatch, file: SourceFile, names: Sequence[str]) -> pa.RecordBatch:
    """Return the rows of a file with the values of its partitions behind them."""
    values = partitions(file)
    if list(values) != list(names):
        raise BadRows(
            f"Its partitions are {list(values)}, those of the first file {list(names)}.",
            where=file.path,
            advice="Set partitionRootPath to the folder below which all files have the same partitions.",
            code="UserErrorSchemaMismatch",
        )
    columns = [pa.repeat(pa.scalar(value, pa.string()), batch.num_rows) for value in values.values()]
    fields = [*batch.schema, *(pa.field(name, pa.string()) for name in names)]
    return pa.record_batch([*batch.columns, *columns], schema=pa.schema(fields))
