import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manara.errors import WrongDefinition
from manara.secret import Secret
from manara.store.seal import Seal, is_sealed, new_key


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "home" / "seal.key"
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda _: Seal(path).close("text"), range(16)))
    assert {Seal(path).open(text) for text in sealed} == {"text"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["seal.key"]


def test_the_same_text_is_sealed_differently_each_time(tmp_path: Path) -> None:
    seal = Seal(tmp_path / "seal.key")
    assert seal.close("text") != seal.close("text")


def test_a_text_that_is_not_sealed_comes_back(tmp_path: Path) -> None:
    assert Seal(tmp_path / "seal.key").open("plain") == "plain"
    assert not is_sealed("plain")


def test_keys_of_the_environment_take_the_place_of_the_file(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    text = Seal(tmp_path / "no", Secret(old)).close("text")
    both = Seal(tmp_path / "no", Secret(f"{new}, {old}"))
    assert both.open(text) == "text"
    assert not both.is_current(text)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("key", ["", "short", "no base64 !", "AAAA" * 20])
def test_what_is_no_key_is_refused(tmp_path: Path, key: str) -> None:
    (tmp_path / "seal.key").write_text(key or "x")
    with pytest.raises(WrongDefinition, match="no key"):
        Seal(tmp_path / "seal.key").close("text")
