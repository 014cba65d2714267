"""The environment that leads each client here, and keeps what the user had."""

from pathlib import Path

import pytest

from manara.server.gateway.environment import Local, environment, exports

HOME = Path("/h")


def told(identity: Local = Local(), outer: dict[str, str] | None = None) -> dict[str, str]:  # noqa: B008 # frozen
    places = {"bundle": HOME / "bundle.pem", "authority": HOME / "authority.pem", "az": HOME / "az"}
    return environment(8441, **places, identity=identity, outer=outer)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "http://127.0.0.1:8441"),
        ("https_proxy", "http://127.0.0.1:8441"),
        ("NO_PROXY", "localhost,127.0.0.1,::1"),
        ("no_proxy", "localhost,127.0.0.1,::1"),
        ("REQUESTS_CA_BUNDLE", "/h/bundle.pem"),
        ("SSL_CERT_FILE", "/h/bundle.pem"),
        ("CURL_CA_BUNDLE", "/h/bundle.pem"),
        ("NODE_EXTRA_CA_CERTS", "/h/authority.pem"),
        ("AZURE_CONFIG_DIR", "/h/az"),
    ],
)
def test_each_client_finds_its_variable(name: str, value: str) -> None:
    assert told()[name] == value


def test_who_the_client_is_is_told_only_if_known() -> None:
    assert not [name for name in told() if name.startswith("AZURE_CLIENT") or name.startswith("AZURE_TENANT")]
    found = told(Local(tenant="t", client="c", secret="s", subscription="u"))  # noqa: S106
    names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_SUBSCRIPTION_ID")
    assert [found[name] for name in names] == ["t", "c", "s", "u"]


@pytest.mark.parametrize(
    ("around", "direct"),
    [
        ("db.intern,10.0.0.1", "localhost,127.0.0.1,::1,db.intern,10.0.0.1"),
        ("localhost, .intern", "localhost,127.0.0.1,::1,.intern"),
        ("*,.azure.com,windows.net,management.azure.com:443", "localhost,127.0.0.1,::1"),
    ],
)
def test_hosts_that_were_reached_directly_stay_so_unless_they_are_azures(around: str, direct: str) -> None:
    assert told(outer={"no_proxy": around})["NO_PROXY"] == direct


def test_a_shell_can_evaluate_the_lines() -> None:
    assert exports({"A": "a b", "B": "$x"}) == "export A='a b'\nexport B='$x'"
