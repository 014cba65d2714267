"""Data values written to a DHIS2: tried first, imported then, and each refused row named with its reason."""

import gzip
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa

from manara.connectors.formats.text import plain_rows
from manara.connectors.services.answers import Answers
from manara.connectors.services.client import Client, failed
from manara.errors import BadRows, WrongDefinition
from manara.plugin.dataset import Refused, Tally
from manara.resources.timespan import read_timespan
from manara.web import Answer, pause

Row = dict[str, Any]
Settings = Mapping[str, Any]

BATCH_ROWS = 5_000
_STRATEGIES = ("CREATE_AND_UPDATE", "CREATE", "UPDATE", "DELETE")
_NEEDED = ("dataElement", "period", "orgUnit")
_KNOWN = (
    *(*_NEEDED, "categoryOptionCombo", "attributeOptionCombo", "value", "storedBy", "created", "lastUpdated"),
    *("comment", "followup", "deleted"),
)
_PARAMETERS = (
    *("idScheme", "dataElementIdScheme", "orgUnitIdScheme", "categoryOptionComboIdScheme", "skipAudit", "force"),
    *("attributeOptionComboIdScheme", "dataSetIdScheme", "preheatCache", "skipExistingCheck", "skipPatternValidation"),
)
_COUNTS = ("imported", "updated", "ignored", "deleted")
_POLL_S = 0.2
_LONGEST_POLL_S = 5.0
_TIMEOUT = timedelta(hours=1)


def write_values(
    client: Client, answers: Answers, settings: Settings, rows: pa.RecordBatchReader, tally: Tally
) -> dict[str, Any]:
    """Write the rows as data values, and return what the server says it did with them (`importCount`).

    All batches are first tried with `dryRun`: a row that the server refuses goes to `tally.refuse` with the server's
    reason, so that a copy that is to fail has written nothing. Then the good rows are imported in batches of
    `writeBatchSize`, with `async` as jobs that are waited for. Importing is CREATE_AND_UPDATE unless `importStrategy`
    says otherwise, so that a batch that arrives twice changes nothing. With `dryRun: true` it ends after the trial, and
    with `skipTrial: true` there is none. What is sent is kept in the raw store beside the answers.
    """
    strategy = str(settings.get("importStrategy") or _STRATEGIES[0]).upper()
    if strategy not in _STRATEGIES:
        raise WrongDefinition(
            f"There is no importStrategy '{strategy}'.", where="sink", advice=f"Use {', '.join(_STRATEGIES)}."
        )
    wanted = {name: _plain(settings[name]) for name in _PARAMETERS if settings.get(name) is not None}
    only_tried, tries = _flag(settings, "dryRun"), not _flag(settings, "skipTrial")
    size = _size(settings)
    importing = _Import(
        client=client,
        answers=answers,
        tally=tally,
        parameters={**wanted, "importStrategy": strategy},
        in_jobs=_flag(settings, "async"),
        timeout=read_timespan(settings.get("jobTimeout"), _TIMEOUT),
    )
    with tempfile.TemporaryDirectory(prefix="manara-values-") as folder:
        held = _Held(Path(folder))
        for batch in _batches(_checked(rows, tally), size):
            good = importing.send(batch, dry=True) if tries or only_tried else batch
            held.add(good)
            tally.rows_copied += len(good) if only_tried else 0
        for batch in () if only_tried else held.batches():
            good = importing.send(batch, dry=False)
            tally.rows_copied += len(good)
            tally.tick()
    answers.complete({"dryRun": only_tried, "importCount": importing.counts})
    return {"importCount": importing.trial if only_tried else importing.counts, "dryRun": only_tried}


Numbered = tuple[int, Row]


@dataclass(slots=True)
class _Held:
    """Batches of rows on the disk, between the trial and the import."""

    folder: Path
    count: int = 0

    def add(self, batch: Sequence[Numbered]) -> None:
        if batch:
            self.count += 1
            self._path(self.count).write_bytes(gzip.compress(json.dumps(batch).encode(), 3))

    def batches(self) -> Iterator[list[Numbered]]:
        for number in range(1, self.count + 1):
            yield [(at, row) for at, row in json.loads(gzip.decompress(self._path(number).read_bytes()))]

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.json.gz"


@dataclass(slots=True, kw_only=True)
class _Import:
    """One import under way, and what the server counted."""

    client: Client
    answers: Answers
    tally: Tally
    parameters: Mapping[str, str]
    in_jobs: bool
    timeout: timedelta
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    trial: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    sent: int = 0

    def send(self, batch: Sequence[Numbered], *, dry: bool) -> list[Numbered]:
        """Send one batch; return the rows that were taken, and hand the others to `tally.refuse`."""
        if not batch:
            return []
        summary = self._summary([row for _, row in batch], dry=dry)
        conflicts = [found for found in summary.get("conflicts") or () if isinstance(found, Mapping)]
        told = summary.get("importCount") or {}
        ignored = int(told.get("ignored") or 0)
        rejected = _rejected(summary, conflicts, len(batch))
        if ignored >= len(batch):
            rejected = {place: rejected.get(place, _reason(conflicts)) for place in range(len(batch))}
        if ignored and len(rejected) != ignored and len(batch) > 1:
            middle = len(batch) // 2  # the answer does not say which rows: their halves do
            return [*self.send(batch[:middle], dry=dry), *self.send(batch[middle:], dry=dry)]
        counts = self.trial if dry else self.counts
        for name in _COUNTS:
            counts[name] += int(told.get(name) or 0)
        if str(summary.get("status")).upper() == "ERROR" and not ignored and not rejected:
            raise BadRows(
                f"The import failed: {_reason(conflicts) or summary.get('description') or summary.get('message')}.",
                where=f"linked service '{self.client.service.name}'",
                advice="Mend what it names.",
                code="UserErrorImportFailed",
            )
        for place, reason in sorted(rejected.items()):
            number, row = batch[place]
            self.tally.refuse(Refused(file="", row=number, text=json.dumps(row, ensure_ascii=False), reason=reason))
        return [numbered for place, numbered in enumerate(batch) if place not in rejected]

    def _summary(self, rows: list[Row], *, dry: bool) -> Mapping[str, Any]:
        body = json.dumps({"dataValues": rows}, ensure_ascii=False, separators=(",", ":")).encode()
        self.sent += 1
        self.answers.keep(f"sent-{self.sent:05}{'-trial' if dry else ''}.json", body)
        in_job = self.in_jobs and not dry
        query = {**self.parameters, "dryRun": str(dry).lower(), **({"async": "true"} if in_job else {})}
        url = f"{self.client.service.url}/dataValueSets?{urlencode(query, safe=':')}"
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        # The same values again change nothing (CREATE may refuse them then, which the answer says).
        answer = self.client.ask(
            "POST", url, headers=headers, body=body, repeatable=query["importStrategy"] != "CREATE"
        )
        self.tally.data_written += 0 if dry else len(body)
        self.answers.keep(f"answer-{self.sent:05}.json", answer.text.encode())
        found = self._read(answer)
        return self._job(found) if in_job else found

    def _read(self, answer: Answer) -> Mapping[str, Any]:
        """Return the import summary, which a 409 holds too."""
        try:
            body = json.loads(answer.text)
        except ValueError:
            body = None
        summary = body.get("response", body) if isinstance(body, Mapping) else None
        held = isinstance(summary, Mapping) and ("importCount" in summary or "id" in summary or "conflicts" in summary)
        if answer.status >= 300 and not (answer.status == 409 and held):
            raise failed(answer, self.client.service)
        if not isinstance(summary, Mapping) or not held:
            raise BadRows("The answer to the import is no import summary.", advice="Check the address and the version.")
        return summary

    def _job(self, started: Mapping[str, Any]) -> Mapping[str, Any]:
        """Wait for the job's end, and return its summary."""
        job, kind = str(started.get("id")), str(started.get("jobType") or "DATAVALUE_IMPORT")
        left, wait = self.timeout.total_seconds(), _POLL_S
        while (said := self._said(kind, job)) is None:
            if left <= 0:
                raise BadRows(
                    f"The import job {job} has not ended in {self.timeout}.",
                    where=f"linked service '{self.client.service.name}'",
                    advice="Look at it in DHIS2, or raise jobTimeout.",
                )
            pause(wait, self.tally.tick)
            left, wait = left - wait, min(wait * 1.5, _LONGEST_POLL_S)
        answer = self.client.fetch("GET", f"{self.client.service.url}/system/taskSummaries/{kind}/{job}")
        self.answers.keep(f"answer-{self.sent:05}-job.json", answer.text.encode())
        if answer.text.strip() in ("", "null", "{}"):
            raise BadRows(
                f"The import job {job} ended without a summary: {said or 'it says nothing'}.",
                where=f"linked service '{self.client.service.name}'",
                advice="Look at it in DHIS2; what it took can be sent again.",
                code="UserErrorImportFailed",
            )
        return self._read(answer)

    def _said(self, kind: str, job: str) -> str | None:
        """Return what the job said at its end; None where it has not ended."""
        answer = self.client.fetch("GET", f"{self.client.service.url}/system/tasks/{kind}/{job}")
        try:
            notes = json.loads(answer.text)
        except ValueError:
            notes = None
        if not isinstance(notes, list):
            raise BadRows(f"The job {job} cannot be followed: its notes are no list.", advice="Import without async.")
        ended = [note for note in notes if isinstance(note, Mapping) and note.get("completed")]
        return str(ended[-1].get("message") or "") if ended else None


def _rejected(summary: Mapping[str, Any], conflicts: Sequence[Mapping[str, Any]], size: int) -> dict[int, str]:
    """Return the places of the refused rows with their reasons, as newer versions of DHIS2 give them."""
    found: dict[int, str] = {}
    for conflict in conflicts:
        for place in conflict.get("indexes") or ():
            if isinstance(place, int) and 0 <= place < size:
                found[place] = "; ".join(filter(None, [found.get(place), _told(conflict)]))
    for place in summary.get("rejectedIndexes") or ():
        if isinstance(place, int) and 0 <= place < size:
            found.setdefault(place, _reason(conflicts))
    listed = summary.get("rejectedIndexes")
    return {place: reason for place, reason in found.items() if listed is None or place in listed}


def _told(conflict: Mapping[str, Any]) -> str:
    parts = (conflict.get("errorCode"), conflict.get("value") or conflict.get("object"))
    return " ".join(str(part) for part in parts if part)


def _reason(conflicts: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(dict.fromkeys(_told(conflict) for conflict in conflicts))[:500] or "the server ignored it"


def _checked(rows: pa.RecordBatchReader, tally: Tally) -> Iterator[Numbered]:
    """Yield the rows with their numbers; one without a place for its value is refused here."""
    _check_columns(rows.schema)
    number = 0
    for batch in rows:
        for row in plain_rows(batch):
            number += 1
            told = {name: _value(name, value) for name, value in row.items() if value is not None}
            missing = [name for name in _NEEDED if told.get(name) in (None, "")]
            if missing:
                text = json.dumps(row, ensure_ascii=False, default=str)
                tally.refuse(Refused(file="", row=number, text=text, reason=f"it has no {' and no '.join(missing)}"))
            else:
                yield number, told


def _check_columns(schema: pa.Schema) -> None:
    missing = [name for name in _NEEDED if name not in schema.names]
    unknown = [name for name in schema.names if name not in _KNOWN]
    if missing or unknown:
        told = [f"'{missing[0]}' is missing" if missing else "", f"'{unknown[0]}' is unknown" if unknown else ""]
        raise WrongDefinition(
            f"The columns are not those of data values: {' and '.join(filter(None, told))}.",
            where="sink",
            advice=f"Map them to {', '.join(_KNOWN)}.",
        )


def _value(name: str, value: Any) -> Any:
    """Return a value as DHIS2 takes it: texts, but true and false for its two flags."""
    if name in ("followup", "deleted"):
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _batches(rows: Iterator[Numbered], size: int) -> Iterator[list[Numbered]]:
    held: list[Numbered] = []
    for row in rows:
        held.append(row)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held


def _size(settings: Settings) -> int:
    value = settings.get("writeBatchSize")
    try:
        size = int(str(value)) if value not in (None, "") else BATCH_ROWS
    except ValueError:
        size = 0
    if size < 1:
        raise WrongDefinition(f"'{value}' is no writeBatchSize.", where="sink", advice="Give a whole number.")
    return size


def _flag(settings: Settings, name: str) -> bool:
    return str(settings.get(name, False)).lower() == "true"


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
