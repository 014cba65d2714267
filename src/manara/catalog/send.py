"""Events handed on: into a file of JSON lines, or to a server that takes OpenLineage; each once, after a break too."""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from manara.errors import Conflict, ManaraError, NotAllowed, Transient, WrongDefinition
from manara.secret import Secret
from manara.web import Request, pause, send

Events = Callable[[int], Iterable[tuple[int, dict[str, Any]]]]

_TRIES = 4
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_PATH = "/api/v1/lineage"


def to_file(path: Path, events: Events, tick: Callable[[int], None] = lambda _: None) -> int:
    """Append the events that are not in the file yet, one JSON object a line, and return how many they were.

    The file itself says what it holds; half a line at its end, of an export that was killed, is taken away first.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file, _locked(file.fileno(), path):
            last, end = _held(file)
            file.truncate(end)
            file.seek(end)
            count = 0
            for _, event in events(last):
                file.write(json.dumps(event, ensure_ascii=False).encode() + b"\n")
                count += 1
                tick(count)
            file.flush()
            os.fsync(file.fileno())
            return count
    except OSError as error:
        raise NotAllowed(f"The file cannot be written: {error.strerror}.", where=str(path)) from error


def to_server(
    url: str, key: Secret | None, state: Path, events: Events, tick: Callable[[int], None] = lambda _: None
) -> int:
    """Send the events that were not sent yet to `POST url/api/v1/lineage`, in order, and return how many they were.

    After each answer the place is kept in the folder `state`; what was killed between an answer and that is sent again,
    the same event under the same run. A server that is busy is asked again; what it refuses ends the export there.
    Raises NotAllowed, Transient or WrongDefinition.
    """
    address = url if url.rstrip("/").endswith(_PATH) else url.rstrip("/") + _PATH
    state.mkdir(parents=True, exist_ok=True)
    place = state / f"{hashlib.sha256(address.encode()).hexdigest()[:16]}.json"
    with place.open("a+b") as file, _locked(file.fileno(), place):
        file.seek(0)
        text = file.read()
        count = 0
        for seq, event in events(int(json.loads(text)["sent"]) if text else 0):
            _post(address, key, event)
            _keep(place, address, seq)
            count += 1
            tick(count)
    return count


def _post(address: str, key: Secret | None, event: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key.open()}"
    request = Request(
        method="POST", url=address, timeout=timedelta(seconds=30), headers=headers,
        body=json.dumps(event, ensure_ascii=False).encode(),
    )  # fmt: skip
    for attempt in range(1, _TRIES + 1):
        try:
            answer = send(request)
        except Transient:
            if attempt == _TRIES:
                raise
            pause(0.2 * 2**attempt, lambda: None)
            continue
        if answer.status < 300:
            return
        if answer.status not in _BUSY or attempt == _TRIES:
            raise _refused(address, answer.status, answer.text)
        pause(0.2 * 2**attempt, lambda: None)


def _refused(address: str, status: int, text: str) -> ManaraError:
    told = " ".join(text.split())[:200]
    if status in {401, 403}:
        return NotAllowed(
            f"The server answers {status}: {told}",
            where=address,
            advice="Set MANARA_LINEAGE_KEY to a key that may write.",
        )
    kind = Transient if status in _BUSY else WrongDefinition
    return kind(f"The server answers {status}: {told}", where=address, advice="What was sent before stays sent.")


def _keep(place: Path, address: str, seq: int) -> None:
    """Note how far the sending is, whole or not at all."""
    with place.open("r+b") as file:
        text = json.dumps({"sent": seq, "to": address}).encode()
        file.write(text.ljust(512) + b"\n")
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _held(file: Any) -> tuple[int, int]:
    """Return the sequence of the last whole event in a file, and where it ends."""
    last, end = 0, 0
    file.seek(0)
    for line in _lines(file):
        try:
            last = int(json.loads(line)["run"]["facets"]["manara"]["sequence"])
        except (ValueError, KeyError, TypeError) as error:
            raise WrongDefinition(
                "The file holds something that is no event of ours.", advice="Name a new file, or move this one away."
            ) from error
        end += len(line)
    return last, end


def _lines(file: Any) -> Iterator[bytes]:
    yield from (line for line in file if line.endswith(b"\n"))


@contextmanager
def _locked(handle: int, path: Path) -> Iterator[None]:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Conflict("Another export is writing there.", where=str(path), advice="Wait for it.") from error
    yield
