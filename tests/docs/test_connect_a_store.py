"""Each linked service on the page about stores can be opened as it stands there."""

import json
import re
from pathlib import Path

import pytest

from manara.plugin.connection import CONNECTORS, LinkedServiceGiven, Store

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "connect-a-store.md"
TYPES = {
    "Azure: blobs and ADLS Gen2": ["AzureBlobStorage", "AzureStorage", "AzureBlobFS"],
    "Azure: file shares": ["AzureFileStorage"],
    "S3, what speaks like it, and Google": ["AmazonS3", "GoogleCloudStorage", "AmazonS3Compatible"],
    "SFTP": ["Sftp"],
    "FTP": ["FtpServer"],
    "A web server": ["HttpServer"],
    "HDFS": ["Hdfs"],
}


def examples() -> list[tuple[str, str]]:
    """Return the type and the text of each example; a store that needs an address is tried where there is one."""
    found = []
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        lines = [line for block in re.findall(r"```json\n(.*?)```", body, re.DOTALL) for line in block.splitlines()]
        for kind in TYPES.get(title, []):
            found += [(kind, line) for line in lines if kind != "AmazonS3Compatible" or "serviceUrl" in line]
    return found


def test_every_section_has_examples() -> None:
    assert {kind for kind, _ in examples()} == {kind for kinds in TYPES.values() for kind in kinds}


@pytest.mark.parametrize(("kind", "text"), examples())
def test_an_example_opens_a_store(tmp_path: Path, kind: str, text: str) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "id_ed25519").write_text("a key", encoding="ascii")
    given = LinkedServiceGiven(name="Lake", type=kind, properties=json.loads(text), root=tmp_path)
    assert isinstance(CONNECTORS.find(kind)(given), Store)
