"""The activity QualityGate: puts landed rows against a data contract on their way into a table."""

from collections.abc import Mapping
from typing import Any

from manara.errors import BadRows, WrongDefinition
from manara.plugin.activity import Given, Output, Reference, activity
from manara.plugin.connection import Database, Transaction
from manara.plugin.dataset import DatabaseTable, Tally
from manara.plugin.lineage import From, Lineage, asset_of, safely, table_asset
from manara.quality.contract import read_contract
from manara.quality.gate import pass_gate
from manara.quality.odcs import Contract
from manara.quality.values import sources_of

_WAREHOUSES = ("duckdb", "postgres")
_USUAL = ("", "dbo", "main")


@activity("QualityGate")
def quality_gate(given: Given) -> Output:
    """Check the rows of the input against the contract; load the good ones, put the refused ones into quarantine.

    typeProperties: `contract` (name of a file in `contract/`), `origin` (the file the rows came from; the dataset's
    name without it) and `source` (as in Copy). The output is a table of DuckDB or PostgreSQL; the refused rows lie in
    the table `quarantine` of the same database.
    """
    properties = given.properties
    name = _text(given, "contract")
    contract = read_contract(given.text("contract", name), f"contract/{name}.yaml")
    landed = _one(given, given.inputs, "inputs")
    if str(properties.get("quarantine") or "quarantine") != "quarantine":
        raise WrongDefinition(
            "Refused rows always lie in the table 'quarantine' of the warehouse, where `manara quarantine` finds them.",
            where=f"activity '{given.name}'", advice="Leave out typeProperties.quarantine.",
        )  # fmt: skip
    database, target = _target(given, contract.table.name)

    def work(transaction: Transaction) -> dict[str, Any]:
        return pass_gate(
            transaction,
            contract,
            given.dataset(landed).read(properties.get("source") or {}, Tally()),
            dialect=database.dialect,
            target=target,
            origin=str(properties.get("origin") or landed["referenceName"]),
            mark=given.mark,
            report=given.report,
        )

    output = database.once(given.mark, work)
    if output.get("stopped"):
        raise BadRows(
            f"The gate has stopped the load: {'; '.join(output['stopped'])}.",
            where=f"contract '{contract.title}'",
            advice="Nothing was loaded; refused rows are in quarantine. Mend the source, or the contract's thresholds.",
            code="QualityGateStopped",
        )
    return output | safely(lambda: _lineage(given, landed, contract, target))


def _lineage(given: Given, landed: Reference, contract: Contract, target: tuple[str, str]) -> Lineage:
    """Return which column of the good table came from which of the source."""
    inputs = asset_of(given, landed)
    output = table_asset(asset_of(given, given.outputs[0])[0].namespace, *target)
    columns = {
        each.name: tuple(
            From(asset=inputs[0], column=name, how="TRANSFORMATION" if each.transform_logic else "IDENTITY")
            for name in sources_of(each)
        )
        for each in contract.properties
    }
    return Lineage(inputs=inputs, outputs=(output,), columns={output: columns})


def _text(given: Given, name: str) -> str:
    value = given.properties.get(name)
    if not isinstance(value, str) or not value:
        raise WrongDefinition(f"typeProperties.{name} is missing.", where=f"activity '{given.name}'")
    return value


def _one(given: Given, references: object, field: str) -> Reference:
    if not isinstance(references, list | tuple) or len(references) != 1 or not isinstance(references[0], Mapping):
        raise WrongDefinition(f"QualityGate has exactly one dataset under {field}.", where=f"activity '{given.name}'")
    reference: Reference = references[0]
    return reference


def _target(given: Given, named: str) -> tuple[Database, tuple[str, str]]:
    """Return the warehouse, and schema and name of the good table; `named` is the table that the contract names."""
    dataset = given.dataset(_one(given, given.outputs, "outputs"))
    if not isinstance(dataset, DatabaseTable) or dataset.database.dialect not in _WAREHOUSES:
        raise WrongDefinition(
            "The output of QualityGate is no table of a DuckDB or PostgreSQL warehouse.",
            where=f"activity '{given.name}'",
            advice="Give a dataset of type DuckDBTable or PostgreSqlTable under outputs.",
        )
    properties = dataset.given.properties
    schema = str(properties.get("schema") or "")
    return dataset.database, ("" if schema.lower() in _USUAL else schema, str(properties.get("table") or named))
