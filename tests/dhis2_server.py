"""A DHIS2 in small: real HTTP on this machine over generated data, with a clock of its own."""

import base64
import json
import operator
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
Query = Mapping[str, list[str]]

USER, PASSWORD, TOKEN = "admin", "district", "d2pat_test"
START = datetime(2025, 1, 30, 8, 0)  # noqa: DTZ001 # the server's own wall
MONTHS = [f"2024{month:02}" for month in range(1, 13)]
DEFAULT_COMBO = "HllvX50cXC0"
_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_KEY = ("dataElement", "period", "orgUnit", "categoryOptionCombo", "attributeOptionCombo")


@dataclass(kw_only=True)
class Problem(Exception):
    """An answer that is no success."""

    status: int
    body: Json


class Dhis2:
    """The data of one instance, and the answers to requests."""

    def __init__(self, seed: int = 1, facilities: int = 4) -> None:
        self.random = random.Random(seed)  # noqa: S311 # data for tests
        self.now = START
        self.asked: list[str] = []
        self.busy = 0
        self.row_limit = 50_000
        self.names_rejected = True
        self.denies_deleted = False
        self.loses_summaries = False
        self.jobs: dict[str, Json] = {}
        self.deleted: list[Json] = []
        self.lock = threading.Lock()
        self.lists: dict[str, list[Json]] = {}
        self._make_units(facilities)
        self.lists["dataElements"] = [
            self._object(name, valueType="INTEGER", aggregationType="SUM", code=f"DE_{index}")
            for index, name in enumerate(("BCG doses", "OPV doses", "Measles doses", "Stock, start", "Stock, end"))
        ]
        elements = [{"dataElement": {"id": found["id"]}} for found in self.lists["dataElements"]]
        units = [{"id": unit["id"]} for unit in self.facilities]
        self.lists["dataSets"] = [
            self._object(
                "Stock", periodType="Monthly", dataSetElements=elements, organisationUnits=units, indicators=[]
            )
        ]
        combo = {**self._object("default", code="default"), "id": DEFAULT_COMBO}
        self.lists["categoryOptionCombos"] = [combo]
        self.lists |= {name: [] for name in ("organisationUnitGroups", "dataElementGroups", "indicators")}
        self.values: dict[tuple[str, ...], Json] = {}
        for unit in self.facilities:
            for element in self.lists["dataElements"]:
                for month in MONTHS:
                    self.put(element["id"], month, unit["id"], str(self.random.randrange(100)))
        self.pass_time(days=30)

    @property
    def units(self) -> list[Json]:
        return self.lists["organisationUnits"]

    @property
    def facilities(self) -> list[Json]:
        return [unit for unit in self.units if unit["level"] == 3]

    @property
    def root(self) -> str:
        return str(self.units[0]["id"])

    @property
    def data_set(self) -> str:
        return str(self.lists["dataSets"][0]["id"])

    @property
    def elements(self) -> list[str]:
        return [str(found["id"]) for found in self.lists["dataElements"]]

    @property
    def live(self) -> list[Json]:
        return [value for value in self.values.values() if not value["deleted"]]

    def pass_time(self, **length: float) -> None:
        self.now += timedelta(**length)

    def put(self, element: str, period: str, unit: str, value: str | None) -> str:
        """Save a value, or delete it where it is None; returns what was done."""
        key = (element, period, unit, DEFAULT_COMBO, DEFAULT_COMBO)
        old = self.values.get(key)
        if value is None and (old is None or old["deleted"]):
            return "ignored"
        made = {**dict(zip(_KEY, key, strict=True)), "storedBy": USER, "created": self.stamp(), "followup": False}
        kept = old or made
        gone = value is None
        self.values[key] = {
            **kept, "value": kept["value"] if value is None else value, "lastUpdated": self.stamp(), "deleted": gone,
        }  # fmt: skip
        return "deleted" if gone else "updated" if old and not old["deleted"] else "imported"

    def remove(self, resource: str, uid: str) -> None:
        """Delete an object of the metadata."""
        klass = f"{resource[:1].upper()}{resource[1:-1]}"
        gone = next(found for found in self.lists[resource] if found["id"] == uid)
        self.lists[resource] = [found for found in self.lists[resource] if found["id"] != uid]
        told = {"uid": uid, "klass": klass, "code": gone.get("code"), "deletedAt": self.stamp()}
        self.deleted.append(told)

    def rename(self, resource: str, uid: str, name: str) -> None:
        found = next(found for found in self.lists[resource] if found["id"] == uid)
        found |= {"name": name, "displayName": name, "lastUpdated": self.stamp()}

    def stamp(self) -> str:
        return self.now.isoformat(timespec="milliseconds")

    def answer(self, method: str, path: str, query: Query, body: bytes) -> Any:  # noqa: C901, PLR0911, PLR0912 # a table
        parts = [part.removesuffix(".json") for part in path.strip("/").split("/")]
        parts = parts[1:] if parts[0] == "api" else ["unknown"]
        parts = parts[1:] if parts and parts[0].isdigit() else parts
        match (method, *parts):
            case ("GET", "ping"):
                return "pong"
            case ("GET", "me"):
                return {"username": USER}
            case ("GET", "system", "info"):
                return {"version": "2.41.0", "revision": "abc", "serverDate": self.stamp(), "systemName": "Small"}
            case ("GET", "system", "tasks", kind, job):
                return self._job_notes(kind, job)
            case ("GET", "system", "taskSummaries", _, job):
                return None if self.loses_summaries else self.jobs[job]["summary"]
            case ("GET", "dataValueSets"):
                return self._get_values(query)
            case ("POST", "dataValueSets"):
                return self._post_values(query, json.loads(body))
            case ("GET", "analytics"):
                return self._analytics(query)
            case ("GET", "deletedObjects"):
                if self.denies_deleted:
                    raise Problem(status=403, body=problem(403, "Access is denied"))
                found = [row for row in self.deleted if row["klass"] in query.get("klass", [row["klass"]])]
                since = query.get("deletedAt", [""])[0]
                return self._paged("deletedObjects", [row for row in found if row["deletedAt"] >= since], query)
            case ("GET", "filledOrganisationUnitLevels"):
                return [{"id": f"level{level}", "name": f"Level {level}", "level": level} for level in (1, 2, 3)]
            case ("GET", resource) if resource in self.lists:
                return self._list(resource, query)
            case ("GET", resource, uid) if resource in self.lists:
                found = [one for one in self.lists[resource] if one["id"] == uid]
                if found:
                    return found[0]
        raise Problem(status=404, body=problem(404, f"Nothing at {path}"))

    def _make_units(self, facilities: int) -> None:
        root = self._unit("Land", None)
        self.lists["organisationUnits"] = [root]
        for district in range(3):
            area = self._unit(f"District {district}", root)
            self.units.append(area)
            self.units.extend(self._unit(f"Facility {district}.{number}", area) for number in range(facilities))

    def _unit(self, name: str, parent: Json | None) -> Json:
        made = self._object(name, code=name.upper().replace(" ", "_"))
        made["level"] = parent["level"] + 1 if parent else 1
        made["path"] = f"{parent['path'] if parent else ''}/{made['id']}"
        made["ancestors"] = [*parent["ancestors"], {"id": parent["id"], "name": parent["name"]}] if parent else []
        return {**made, "parent": {"id": parent["id"], "name": parent["name"]}} if parent else made

    def _object(self, name: str, **more: Any) -> Json:
        uid = self.random.choice(_SIGNS[:52]) + "".join(self.random.choices(_SIGNS, k=10))
        return {
            "id": uid,
            "name": name,
            "displayName": name,
            "created": self.stamp(),
            "lastUpdated": self.stamp(),
            **more,
        }

    def _list(self, resource: str, query: Query) -> Json:
        filters = [told.split(":", 2) for told in query.get("filter", [])]
        found = [one for one in self.lists[resource] if all(matches(one, *told) for told in filters)]
        for told in reversed(query.get("order", [])):
            name, _, way = told.partition(":")
            found = sorted(found, key=operator.itemgetter(name), reverse=way == "desc")
        wanted = read_fields(",".join(query.get("fields", ["id,displayName"])))
        return self._paged(resource, [picked(one, wanted) for one in found], query)

    def _paged(self, key: str, found: Sequence[Json], query: Query) -> Json:
        if query.get("paging", ["true"])[0].lower() == "false":
            return {key: list(found)}
        page, size = int(query.get("page", ["1"])[0]), int(query.get("pageSize", ["50"])[0])
        count = max(1, -(-len(found) // size))
        pager: Json = {"page": page, "pageCount": count, "total": len(found), "pageSize": size}
        if page < count:
            pager["nextPage"] = f"http://elsewhere.invalid/api/{key}?page={page + 1}&pageSize={size}"
        return {"pager": pager, key: list(found[(page - 1) * size : page * size])}

    def _get_values(self, query: Query) -> Json:
        sets, units = query.get("dataSet", []), query.get("orgUnit", [])
        if not (sets or query.get("dataElement") or query.get("dataElementGroup")):
            raise Problem(status=409, body=problem(409, "At least one data set must be specified", "E2001"))
        when = ("period", "startDate", "lastUpdated", "lastUpdatedDuration")
        if not any(query.get(name) for name in when):
            raise Problem(status=409, body=problem(409, "At least one period must be specified", "E2002"))
        if not units:
            raise Problem(status=409, body=problem(409, "At least one org unit must be specified", "E2006"))
        if sets and self.data_set not in sets:
            return {}
        if is_set(query, "children"):
            units = [unit["id"] for unit in self.units if any(f"/{root}" in unit["path"] for root in units)]
        since = query.get("lastUpdated", [""])[0]
        gone = is_set(query, "includeDeleted")
        values = [
            value
            for value in self.values.values()
            if value["orgUnit"] in units
            and value["period"] in query.get("period", [value["period"]])
            and value["dataElement"] in query.get("dataElement", [value["dataElement"]])
            and value["lastUpdated"] >= since
            and (gone or not value["deleted"])
        ]
        told = [
            value if gone else {name: part for name, part in value.items() if name != "deleted"} for value in values
        ]
        return {"dataValues": told} if told else {}

    def _post_values(self, query: Query, body: Json) -> Any:
        summary = self._import(body.get("dataValues", []), query)
        if is_set(query, "async"):
            job = f"job{len(self.jobs)}"
            self.jobs[job] = {"summary": summary, "polls": 0}
            return {"httpStatus": "OK", "status": "OK", "response": {"id": job, "jobType": "DATAVALUE_IMPORT"}}
        failed = bool(summary["conflicts"])
        whole = {"httpStatus": "Conflict" if failed else "OK", "status": summary["status"], "response": summary}
        if failed:
            raise Problem(status=409, body={**whole, "httpStatusCode": 409, "message": "One or more errors occurred"})
        return whole

    def _import(self, values: Sequence[Json], query: Query) -> Json:
        dry = is_set(query, "dryRun")
        strategy = query.get("importStrategy", ["CREATE_AND_UPDATE"])[0]
        counts = {"imported": 0, "updated": 0, "ignored": 0, "deleted": 0}
        conflicts: list[Json] = []
        units, before = {unit["id"] for unit in self.units}, dict(self.values)
        for at, value in enumerate(values):
            wrong = self._conflict(value, units)
            if wrong:
                conflicts.append({**wrong, **({"indexes": [at]} if self.names_rejected else {})})
                counts["ignored"] += 1
                continue
            gone = strategy == "DELETE" or value.get("deleted") is True
            done = self.put(value["dataElement"], value["period"], value["orgUnit"], None if gone else value["value"])
            counts[done] += 1
        if dry:
            self.values = before
        found = {
            "responseType": "ImportSummary",
            "status": "WARNING" if conflicts else "SUCCESS",
            "importCount": counts,
        }
        rejected = [at for one in conflicts for at in one.get("indexes", [])]
        return {**found, "conflicts": conflicts, **({"rejectedIndexes": rejected} if self.names_rejected else {})}

    def _conflict(self, value: Json, units: set[str]) -> Json | None:
        if value.get("dataElement") not in self.elements:
            told = f"Data element not found or not accessible: `{value.get('dataElement')}`"
            return {"object": value.get("dataElement"), "value": told, "errorCode": "E7610"}
        if value.get("orgUnit") not in units:
            told = f"Organisation unit not found or not accessible: `{value.get('orgUnit')}`"
            return {"object": value.get("orgUnit"), "value": told, "errorCode": "E7612"}
        if not str(value.get("value", "")).lstrip("-").isdigit() and not value.get("deleted"):
            told = f"Value `{value.get('value')}` is not a valid integer"
            return {"object": value["dataElement"], "value": told, "errorCode": "E7619"}
        return None

    def _job_notes(self, _kind: str, job: str) -> list[Json]:
        self.jobs[job]["polls"] += 1
        done = self.jobs[job]["polls"] > 1
        return [{"uid": "n", "level": "INFO", "message": "Import", "completed": done}]

    def _analytics(self, query: Query) -> Json:
        wanted = dict(told.partition(":")[::2] for told in query.get("dimension", []))
        units = self._meant(wanted.get("ou", "").split(";"))
        rows = []
        for element in wanted["dx"].split(";"):
            for period in wanted["pe"].split(";"):
                for unit in units:
                    found = [
                        int(value["value"])
                        for value in self.live
                        if value["dataElement"] == element
                        and value["period"] == period
                        and f"/{unit['id']}" in self._path(value["orgUnit"])
                    ]
                    if found:
                        rows.append([element, period, unit["id"], f"{sum(found)}.0"])
        if len(rows) > self.row_limit and not is_set(query, "ignoreLimit"):
            told = f"Query result set exceeded max limit: `{self.row_limit}`"
            raise Problem(status=409, body=problem(409, told, "E7128"))
        names = (("dx", "Data"), ("pe", "Period"), ("ou", "Organisation unit"))
        headers = [{"name": name, "column": column, "valueType": "TEXT", "meta": True} for name, column in names]
        headers.append({"name": "value", "column": "Value", "valueType": "NUMBER", "meta": False})
        return {"headers": headers, "metaData": {}, "rows": rows, "width": 4, "height": len(rows), "headerWidth": 4}

    def _meant(self, items: Sequence[str]) -> list[Json]:
        levels = [int(item.removeprefix("LEVEL-")) for item in items if item.startswith("LEVEL-")]
        roots = [item for item in items if not item.startswith("LEVEL-")]
        if not levels:
            return [unit for unit in self.units if unit["id"] in roots]
        below = [unit for unit in self.units if not roots or any(f"/{root}" in unit["path"] for root in roots)]
        return [unit for unit in below if unit["level"] in levels]

    def _path(self, uid: str) -> str:
        return next(str(unit["path"]) for unit in self.units if unit["id"] == uid)


def is_set(query: Query, name: str) -> bool:
    """Return whether a flag is true, in any spelling that Spring takes."""
    return query.get(name, ["false"])[0].lower() in ("true", "on", "yes", "1")


def problem(status: int, message: str, code: str = "") -> Json:
    return {"httpStatusCode": status, "status": "ERROR", "message": message, "errorCode": code}


def matches(one: Json, name: str, way: str, value: str = "") -> bool:
    """Return whether an object is what a filter of DHIS2 means."""
    held = one.get(name)
    if isinstance(held, int):
        number: Callable[[int, int], bool] = _NUMERIC[way]
        return number(held, int(value))
    told = "" if held is None else str(held)
    tests: dict[str, Callable[[], bool]] = {
        "eq": lambda: told == value,
        "!eq": lambda: told != value,
        "in": lambda: told in value.strip("[]").split(","),
        "like": lambda: value in told,
        "ilike": lambda: value.lower() in told.lower(),
        "$like": lambda: told.startswith(value),
        "gt": lambda: told > value,
        "ge": lambda: told >= value,
        "lt": lambda: told < value,
        "le": lambda: told <= value,
        "null": lambda: held is None,
        "!null": lambda: held is not None,
    }
    return tests[way]()


_NUMERIC: dict[str, Callable[[int, int], bool]] = {
    "eq": int.__eq__, "gt": int.__gt__, "ge": int.__ge__, "lt": int.__lt__, "le": int.__le__,
}  # fmt: skip


def read_fields(text: str) -> dict[str, Any]:
    """Return the wanted fields, those inside of brackets as the value of the field before them."""
    found: dict[str, Any] = {}
    name, at = "", 0
    while at < len(text):
        sign = text[at]
        if sign == "[":
            depth, end = 1, at + 1
            while depth:
                depth += (text[end] == "[") - (text[end] == "]")
                end += 1
            found[name.strip()] = read_fields(text[at + 1 : end - 1])
            name, at = "", end
        elif sign == ",":
            if name.strip():
                found[name.strip()] = None
            name, at = "", at + 1
        else:
            name, at = name + sign, at + 1
    return {**found, **({name.strip(): None} if name.strip() else {})}


def picked(one: Any, wanted: Mapping[str, Any]) -> Any:
    if isinstance(one, list):
        return [picked(part, wanted) for part in one]
    if any(name in ("*", ":all", ":owner") for name in wanted):
        return one
    return {name: picked(one[name], inner) if inner else one[name] for name, inner in wanted.items() if name in one}


@dataclass
class Running:
    """A server under way: its data, its address, and how many lines were opened to it."""

    data: Dhis2
    url: str = ""
    lines: int = 0


@contextmanager
def dhis2_server(data: Dhis2 | None = None) -> Iterator[Running]:
    """Run a DHIS2 for the length of the `with` block."""
    running = Running(data or Dhis2())
    listener = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"running": running}))
    running.url = f"http://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    running: Running
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.running.lines += 1

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = self.running.data
        with data.lock:
            data.asked.append(f"{method} {self.path}")
            status, told = self._told(data, method, body)
        content = told.encode() if isinstance(told, str) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=UTF-8")
        self.send_header("Content-Length", str(len(content)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(content)

    def _told(self, data: Dhis2, method: str, body: bytes) -> tuple[int, Any]:
        known = {"Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(), f"ApiToken {TOKEN}"}
        if self.headers.get("Authorization") not in known:
            return 401, problem(401, "Unauthorized")
        if data.busy:
            data.busy -= 1
            return 429, problem(429, "Too many requests")
        parts = urlsplit(self.path)
        try:
            return 200, data.answer(method, parts.path, parse_qs(parts.query), body)
        except Problem as error:
            return error.status, error.body

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
        """Say nothing."""
