"""An error as ADF shows it: errorCode, message, failureType, target."""

from traceback import format_exception
from typing import Any

from manara.errors import Broken, ManaraError


def error_of(error: Exception, target: str) -> dict[str, Any]:
    """Return the error object of an activity that failed with this exception.

    One that is not ours is our fault: it is told as `InternalError`, its trace kept in `trace` for the report.
    """
    if not isinstance(error, ManaraError):
        trace = "".join(format_exception(error))
        told = Broken(f"{type(error).__name__}: {error}", advice="This is a fault of Manara; please report it.")
        return {**error_of(told, target), "trace": trace}
    return {
        "errorCode": error.error_code,
        "message": str(error),
        "failureType": "UserError" if error.status < 500 else "SystemError",
        "target": target,
        "details": "",
    }
