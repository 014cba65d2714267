import base64
import hashlib

import pytest

from manara.server.identity.passwords import COST, fits, fits_none, hashed, new_secret


def test_a_secret_fits_its_own_hash_only() -> None:
    kept = hashed("open sesame")
    assert fits("open sesame", kept)
    assert not fits("open sesam", kept)
    assert not fits("", kept)


def test_the_hash_says_how_it_was_made_and_not_of_what() -> None:
    assert hashed("open sesame").startswith(f"scrypt${COST}:8:1$")
    assert "open" not in hashed("open sesame")
    assert hashed("open sesame") != hashed("open sesame")


def test_an_older_cost_still_fits() -> None:
    older = "scrypt$1024:8:1$AAAAAAAAAAAAAAAAAAAAAA==$"
    digest = hashlib.scrypt(b"old", salt=bytes(16), n=1024, r=8, p=1, dklen=32)
    assert fits("old", older + base64.b64encode(digest).decode())


@pytest.mark.parametrize("kept", ["", "plain", "scrypt$x$y$z", "md5$1:1:1$AAAA$AAAA", "scrypt$1:2$AAAA$AAAA"])
def test_what_is_no_hash_fits_nothing(kept: str) -> None:
    assert not fits("plain", kept)


def test_an_endless_secret_is_refused_before_it_is_hashed() -> None:
    assert not fits("x" * 5000, hashed("x"))


def test_nobody_fits_nothing() -> None:
    assert not fits_none("")


def test_new_secrets_differ_and_are_long() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) == 43
