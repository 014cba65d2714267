"""The schema of the journal: made from scratch, or brought from an older version to this one."""

from collections.abc import Mapping

from manara.errors import WrongDefinition
from manara.store.database import Database
from manara.store.queries import read

VERSION = 4


def prepare(database: Database) -> None:
    """Give the database the schema of this version. Raises WrongDefinition where a newer Manara has written it."""
    if database.version() == VERSION:
        return
    with database.exclusive():
        found = database.version()
        if found > VERSION:
            raise WrongDefinition(
                f"The journal has version {found}; this Manara knows {VERSION}.",
                where=database.name,
                advice="Use the newer Manara that wrote it.",
            )
        for version, script in steps(found, database.dialect).items():
            database.run_script(script, version)


def steps(found: int, dialect: str) -> Mapping[int, str]:
    """Return the scripts that lead from the version found to this one, by the version that each leads to."""
    if found == 0:
        return {VERSION: read(f"schema{dialect}.sql")}
    return {number: read(f"migration_{number}{dialect}.sql") for number in range(found + 1, VERSION + 1)}
