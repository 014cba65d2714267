"""The SQL that the definitions of a linked service's or dataset's type are written in."""

_TYPES = {
    "tsql": (
        "AzureSqlDatabase", "AzureSqlMI", "AzureSqlDW", "AzureSynapseAnalytics", "SqlServer", "AmazonRdsForSqlServer",
        "AzureSqlTable", "AzureSqlMITable", "AzureSqlDWTable", "SqlServerTable", "AmazonRdsForSqlServerTable",
    ),
    "postgres": (
        "PostgreSql", "PostgreSqlV2", "AzurePostgreSql", "PostgreSqlTable", "PostgreSqlV2Table", "AzurePostgreSqlTable",
    ),
    "mysql": ("MySql", "AzureMySql", "MariaDB", "AzureMariaDB", "MySqlTable", "AzureMySqlTable", "MariaDBTable"),
    "oracle": ("Oracle", "AmazonRdsForOracle", "OracleTable", "AmazonRdsForOracleTable"),
    "snowflake": ("Snowflake", "SnowflakeV2", "SnowflakeTable", "SnowflakeV2Table"),
    "duckdb": ("DuckDB", "DuckDBTable"),
    "sqlite": ("SQLite", "SQLiteTable"),
}  # fmt: skip
_DIALECTS = {name: dialect for dialect, names in _TYPES.items() for name in names}


def dialect_of(kind: str) -> str:
    """Return the name that sqlglot has for the SQL of a type; nothing where any may be meant (Odbc).

    >>> dialect_of("AzureSqlTable"), dialect_of("Odbc")
    ('tsql', '')
    """
    return _DIALECTS.get(kind, "")
