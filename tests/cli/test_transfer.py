"""Factories moved in and out from the command line."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from manara.blueprints.make import make_factory
from manara.cli import transfer
from manara.cli.azure_factory import Access, read_azure
from manara.errors import Conflict, Faults, ManaraError, NotAllowed, NotFound, WrongDefinition
from manara.resources.factory import Factory, read_factory
from manara.resources.published import factory_id
from manara.secret import Secret

Out = pytest.CaptureFixture[str]
HIDDEN = {"type": "SecureString", "value": "hidden"}


def service(password: dict[str, str]) -> dict[str, Any]:
    return {"name": "Sql", "properties": {"type": "AzureSqlDatabase", "typeProperties": {"password": password}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_factory(tmp_path / "north", "supply")
    (tmp_path / "north" / "linkedService" / "Sql.json").write_text(json.dumps(service(HIDDEN)), encoding="utf-8")
    return tmp_path / "north"


def said(factory: Factory) -> dict[str, Any]:
    return {item.file: item.data.get("properties", {}) for item in factory.definitions.values()}


def export(folder: Path, out: Path, *, with_secrets: bool = True, force: bool = False) -> tuple[Path, Path]:
    transfer.export_arm(folder, out, home=None, factory="", with_secrets=with_secrets, force=force)
    return out / "ARMTemplateForFactory.json", out / "ARMTemplateParametersForFactory.json"


def test_a_folder_goes_out_as_a_template_and_comes_back(folder: Path, tmp_path: Path) -> None:
    template, parameters = export(folder, tmp_path / "arm")
    transfer.import_arm(template, parameters, out=tmp_path / "back", home=None, name="", force=False)
    assert said(read_factory(tmp_path / "back")) == said(read_factory(folder))


def test_a_folder_goes_into_a_store_and_comes_back(folder: Path, tmp_path: Path, capsys: Out) -> None:
    home = tmp_path / "home"
    transfer.import_git(folder, home=home, name="", subscription="", group="")
    transfer.export_git(tmp_path / "back", home=home, factory="SUPPLY", with_secrets=True, force=False)
    assert said(read_factory(tmp_path / "back")) == said(read_factory(folder))
    transfer.import_git(folder, home=home, name="", subscription="", group="")
    assert "0 made, 0 changed, 0 removed" in capsys.readouterr().out


def test_a_template_goes_into_a_store_under_another_name(folder: Path, tmp_path: Path) -> None:
    template, parameters = export(folder, tmp_path / "arm")
    home = tmp_path / "home"
    transfer.import_arm(template, parameters, out=None, home=home, name="south", force=False)
    out = tmp_path / "out"
    whole = factory_id("south")
    transfer.export_arm(folder, out, home=home, factory=whole, with_secrets=False, force=False)
    told = json.loads((out / "ARMTemplateForFactory.json").read_text(encoding="utf-8"))
    assert told["parameters"]["factoryName"]["defaultValue"] == "south"


def test_secrets_stay_behind_and_are_named(folder: Path, tmp_path: Path, capsys: Out) -> None:
    template, parameters = export(folder, tmp_path / "arm", with_secrets=False)
    transfer.import_arm(template, parameters, out=tmp_path / "back", home=None, name="", force=False)
    assert "MANARA_SECRET_SQL_PASSWORD" in capsys.readouterr().out
    assert not [path for path in tmp_path.rglob("*.json") if "north" not in path.parts and "hidden" in path.read_text()]


def test_a_folder_that_is_there_is_not_touched_without_force(folder: Path, tmp_path: Path) -> None:
    template, parameters = export(folder, tmp_path / "arm")
    back = tmp_path / "back"
    (back / "pipeline").mkdir(parents=True)
    (back / "pipeline" / "old.json").write_text("{}", encoding="utf-8")
    (back / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(Conflict, match="is not empty"):
        transfer.import_arm(template, parameters, out=back, home=None, name="", force=False)
    assert (back / "pipeline" / "old.json").exists()
    transfer.import_arm(template, parameters, out=back, home=None, name="", force=True)
    assert said(read_factory(back)) == said(read_factory(folder))
    assert (back / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arm", "back", "north"]


def test_a_template_that_is_there_is_not_replaced_without_force(folder: Path, tmp_path: Path) -> None:
    export(folder, tmp_path)
    with pytest.raises(Conflict, match="is there already"):
        export(folder, tmp_path)
    export(folder, tmp_path, force=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"resources": [', "template.json line"),
        ('{"resources": []}', "The template makes nothing."),
        ('{"name": "p", "properties": {}}', "Export it from Data Factory"),
        (
            '{"resources": [{"type": "Microsoft.DataFactory/factories/pipelines", "name": "f/../../x"}]}',
            "incorrect segment",
        ),
    ],
)
def test_a_broken_template_writes_nothing(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "template.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ManaraError) as error:
        transfer.import_arm(path, None, out=tmp_path / "back", home=None, name="", force=False)
    assert says in str(error.value).replace("template.json: This is no JSON", "template.json line")
    assert not (tmp_path / "back").exists()


def test_where_a_factory_goes_must_be_said(folder: Path, tmp_path: Path) -> None:
    template, _ = export(folder, tmp_path / "arm")
    with pytest.raises(WrongDefinition, match="Say where the factory goes"):
        transfer.import_arm(template, None, out=None, home=None, name="", force=False)


def test_a_factory_that_is_not_in_the_store_is_told(folder: Path, tmp_path: Path) -> None:
    transfer.import_git(folder, home=tmp_path / "home", name="", subscription="", group="")
    with pytest.raises(NotFound, match="Did you mean 'supply'"):
        transfer.export_git(tmp_path / "x", home=tmp_path / "home", factory="suply", with_secrets=False, force=False)
    with pytest.raises(NotFound, match="There is no folder"):
        transfer.export_git(tmp_path / "x", home=tmp_path / "none", factory="a", with_secrets=False, force=False)


def test_a_folder_with_faults_is_not_published(folder: Path, tmp_path: Path) -> None:
    (folder / "pipeline" / "bad.json").write_text("{", encoding="utf-8")
    with pytest.raises(Faults, match=r"pipeline/bad\.json"):
        transfer.import_git(folder, home=tmp_path / "home", name="", subscription="", group="")


class Azure(BaseHTTPRequestHandler):
    """The management API and the token endpoint of one small factory, in pages of one."""

    protocol_version = "HTTP/1.1"
    PARTS: ClassVar[dict[str, list[dict[str, Any]]]] = {
        "pipelines": [
            {"name": "a", "properties": {"activities": [], "lastPublishTime": "2024-01-01T00:00:00Z"}},
            {"name": "b", "properties": {"activities": []}},
        ],
        "linkedservices": [service({**HIDDEN, "value": "**********"})],
    }
    elsewhere = ""

    def do_GET(self) -> None:
        whole = urlsplit(self.path)
        kind = whole.path.partition("/factories/north/")[2]
        if self.headers["Authorization"] != "Bearer good":
            self.tell(403, {"error": {"code": "AuthorizationFailed", "message": "No."}})
        elif "/factories/north" not in whole.path:
            self.tell(404, {"error": {"code": "ResourceNotFound", "message": "None."}})
        elif not kind:
            self.tell(200, {"name": "north", "location": "west", "properties": {"version": "2018-06-01"}})
        else:
            held, at = self.PARTS.get(kind, []), int(parse_qs(whole.query).get("at", ["0"])[0])
            base = self.elsewhere or f"http://{self.headers['Host']}"
            more = {"nextLink": f"{base}{whole.path}?at={at + 1}"} if at + 1 < len(held) else {}
            self.tell(200, {"value": held[at : at + 1], **more})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if form["client_secret"] == ["right"]:
            self.tell(200, {"access_token": "good"})
        else:
            self.tell(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."})

    def tell(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def azure() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Azure) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def access(url: str, **more: Any) -> Access:
    told = {"subscription": "s", "group": "g", "factory": "north", "endpoint": url, "authority": url, **more}
    return Access(**told)


def test_a_factory_of_azure_becomes_a_folder(azure: str, tmp_path: Path) -> None:
    transfer.import_azure(access(azure, token=Secret("good")), out=tmp_path / "north", home=None, force=False)
    held = said(read_factory(tmp_path / "north"))
    assert held["factory/north.json"] == {}
    assert [held[f"pipeline/{name}.json"] for name in "ab"] == [{"activities": []}, {"activities": []}]
    assert held["linkedService/Sql.json"]["typeProperties"]["password"]["secretName"] == "Sql_password"


def test_a_service_principal_may_read_it(azure: str) -> None:
    signed = access(azure, tenant="t", client="c", client_secret=Secret("right"))
    assert "pipeline/b.json" in read_azure(signed).files


@pytest.mark.parametrize(
    ("more", "error", "says"),
    [
        ({"token": Secret("bad")}, NotAllowed, "AuthorizationFailed"),
        ({"token": Secret("good"), "factory": "x/../y"}, NotFound, "ResourceNotFound"),
        ({}, WrongDefinition, "no way to sign in"),
        ({"tenant": "t", "client": "c", "client_secret": Secret("wrong")}, NotAllowed, "AADSTS7000215"),
    ],
)
def test_what_azure_refuses_is_told(azure: str, more: Any, error: type[ManaraError], says: str) -> None:
    with pytest.raises(error) as told:
        read_azure(access(azure, **more))
    assert says in str(told.value)
    assert "wrong" not in str(told.value)


def test_the_token_is_not_sent_to_another_address(azure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Azure, "elsewhere", "http://127.0.0.2:1")
    with pytest.raises(WrongDefinition, match="at another address"):
        read_azure(access(azure, token=Secret("good")))


def test_a_folder_is_published_into_the_store_that_its_own_settings_name(folder: Path, tmp_path: Path) -> None:
    (folder / "manara.toml").write_text('[store]\njournal = "data/elsewhere.sqlite"\n', encoding="utf-8")
    transfer.import_git(folder, home=folder / "data", name="", subscription="", group="")
    assert (folder / "data" / "elsewhere.sqlite").is_file()
    assert not (folder / "data" / "journal.sqlite").exists()
