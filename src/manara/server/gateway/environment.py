"""The environment in which unchanged Azure clients find this server in the place of Azure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from manara.server.gateway.hosts import AZURE_HOSTS, LOOPBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """Who a client is towards this server, where it asks the environment; what is empty is not told."""

    tenant: str = ""
    client: str = ""
    secret: str = ""
    subscription: str = ""

    def as_variables(self) -> dict[str, str]:
        """Return the variables that Azure's EnvironmentCredential reads, and the one that samples read."""
        told = {
            "AZURE_TENANT_ID": self.tenant,
            "AZURE_CLIENT_ID": self.client,
            "AZURE_CLIENT_SECRET": self.secret,
            "AZURE_SUBSCRIPTION_ID": self.subscription,
        }
        return {name: value for name, value in told.items() if value}


NOBODY = Local()


def environment(
    gateway_port: int,
    *,
    bundle: Path,
    authority: Path,
    az: Path,
    identity: Local = NOBODY,
    outer: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the variables for a client's process.

    `bundle` is all that Python and curl shall trust, `authority` what Node shall trust beside its own, `az` the folder
    in which az keeps who has signed in: not the user's own, which may hold an account of the real Azure. `outer` is
    the environment around: hosts that it reaches without a proxy stay so, unless they are Azure's.
    """
    proxy = f"http://127.0.0.1:{gateway_port}"
    around = outer or {}
    direct = _direct(around.get("NO_PROXY") or around.get("no_proxy") or "")
    return {
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "NO_PROXY": direct,
        "no_proxy": direct,
        "REQUESTS_CA_BUNDLE": str(bundle),  # Python, requests: the Azure clients, and az
        "SSL_CERT_FILE": str(bundle),  # Python's ssl: the asynchronous Azure clients, httpx
        "CURL_CA_BUNDLE": str(bundle),
        "NODE_EXTRA_CA_CERTS": str(authority),
        "AZURE_CONFIG_DIR": str(az),
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        **identity.as_variables(),
    }


def exports(variables: Mapping[str, str]) -> str:
    """Return lines for a POSIX shell to evaluate.

    >>> print(exports({"A": "it's"}))
    export A='it'"'"'s'
    """
    return "\n".join(f"export {name}={_quoted(value)}" for name, value in variables.items())


def _direct(around: str) -> str:
    """Return the hosts to reach without the gateway: this machine, and what was so before unless it is Azure's."""
    kept = [each.strip() for each in around.split(",") if each.strip()]
    return ",".join(dict.fromkeys([*LOOPBACK, *(each for each in kept if not _covers_azure(each))]))


def _covers_azure(entry: str) -> bool:
    suffix = entry.lower().lstrip("*").lstrip(".").partition(":")[0]
    return any(host == suffix or host.endswith(f".{suffix}") or not suffix for host in AZURE_HOSTS)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "'\"'\"'") + "'"
