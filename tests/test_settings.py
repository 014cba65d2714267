from pathlib import Path

import pytest

from manara.errors import WrongDefinition
from manara.settings import ROWS, Settings, read_settings


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {}) == Settings()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "manara.toml").write_text("[worker]\nthreads = 3\nlease_s = 7\n", encoding="utf-8")
    read = read_settings(tmp_path, {"MANARA_WORKER_THREADS": "5"})
    assert (read.worker_threads, read.worker_lease_s) == (5, 7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[worker]\nthread = 3\n", "no setting 'worker.thread'. Did you mean 'worker.threads'?"),
        ("[worker]\nthreads = 'many'\n", "'many' is no whole number above zero"),
        ("[worker]\nthreads = 0\n", "'0' is no whole number above zero"),
        ("[store]\njournal = 3\n", "'3' is no text"),
        ("[worker", "This is no TOML"),
    ],
)
def test_a_wrong_setting_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "manara.toml").write_text(text, encoding="utf-8")
    with pytest.raises(WrongDefinition, match=r"manara\.toml") as error:
        read_settings(tmp_path, {})
    assert says in str(error.value)


def test_every_setting_has_a_sentence() -> None:
    assert all(row.says.endswith(".") and row.unit for row in ROWS)
