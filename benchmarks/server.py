"""What the management API answers in a second, beside a bare server; runs asked for at once; a store of 100,000 runs.

Run: make bench, or .venv/bin/python benchmarks/server.py
"""

import asyncio
import json
import sqlite3
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, Popen

import httpx

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from tests.manara_server import FACTORY, ManaraServer, manara_server  # noqa: E402 # found by the line above

from manara import clock  # noqa: E402
from manara.store.journal import Journal  # noqa: E402

CLIENTS = 50
VERSION = "?api-version=2018-06-01"
NOTE = {
    "activities": [{"name": "S", "type": "SetVariable", "typeProperties": {"variableName": "v", "value": "x"}}],
    "variables": {"v": {"type": "String"}},
}
RUNS = 100_000
BARE = textwrap.dedent(
    """
    import socket, sys, uvicorn
    async def app(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])
    """
)


def main() -> None:
    """Print every figure, each beside its reference."""
    with tempfile.TemporaryDirectory(prefix="manara-bench-") as folder:
        home = Path(folder) / "home"
        began = time.perf_counter()
        with manara_server(home) as server:
            print(f"Server start to first answer: {time.perf_counter() - began:.2f} s (goal 1.5, a home made too)")
            server.make_factory()
            server.put("pipelines/Load", NOTE)
            print(f"Memory at rest: {memory_mb(server):.0f} MB (goal 150)")
            rates(server)
            at_once(server)
        fill(home)
        with manara_server(home) as server:
            queries(server)


def rates(server: ManaraServer) -> None:
    """Print requests a second and the slowest of a hundred, for reads of a run and writes of a pipeline."""
    run_id = server.send("POST", f"{FACTORY}/pipelines/Load/createRun", {}).json()["runId"]
    server.wait_for(run_id, "Succeeded")
    body = json.dumps({"properties": NOTE})
    token = server.sign_in()
    with Popen([sys.executable, "-c", BARE], stdout=PIPE, text=True) as bare:
        assert bare.stdout
        port = int(bare.stdout.readline())
        try:
            for name, method, path, text in (
                ("reads of a run", "GET", lambda _: f"{FACTORY}/pipelineruns/{run_id}{VERSION}", ""),
                ("writes of a pipeline", "PUT", lambda n: f"{FACTORY}/pipelines/p{n}{VERSION}", body),
            ):
                reference = load(port, method, path, text, "", 4000)
                ours = load(server.state["port"], method, path, text, token, 2000)
                print(
                    f"{name}: {ours[0]:.0f}/s, p99 {ours[1]:.0f} ms; a bare uvicorn {reference[0]:.0f}/s, "
                    f"p99 {reference[1]:.0f} ms (ratio {reference[0] / ours[0]:.1f})"
                )
        finally:
            bare.terminate()


def at_once(server: ManaraServer) -> None:
    """Ask for a thousand runs at once, and wait until all have ended."""
    began = time.perf_counter()
    path = f"{FACTORY}/pipelines/Load/createRun{VERSION}"
    rate, p99 = load(server.state["port"], "POST", lambda _: path, "{}", server.sign_in(), 1000)
    while server.send("GET", "/ready").json()["unfinishedRuns"]:
        time.sleep(0.2)
    took = time.perf_counter() - began
    print(f"1,000 createRun at once: {rate:.0f}/s, p99 {p99:.0f} ms; all ended after {took:.1f} s, none lost")


def fill(home: Path) -> None:
    """Put a hundred thousand runs into the store."""
    journal = Journal(home / "journal.sqlite")
    digest = journal.keep_snapshot("{}")
    with journal.transaction():
        for number in range(RUNS):
            journal.write_kept_command(f"p{number % 50}", {}, digest, {"factory": FACTORY.lower()})
    now = clock.stamp(clock.now())
    journal.close()
    with sqlite3.connect(home / "journal.sqlite") as connection:
        connection.execute(
            "insert into event (run_id, step, kind, at, body) select run_id, '', 'runEnded', ?, ? from unfinished",
            (now, json.dumps({"status": "Succeeded", "output": {}, "error": None})),
        )
        connection.execute("delete from unfinished")


def queries(server: ManaraServer) -> None:
    """Print how long queries over all those runs take."""
    span = {"lastUpdatedAfter": "2020-01-01T00:00:00Z", "lastUpdatedBefore": "2999-01-01T00:00:00Z"}
    failed = [{"operand": "Status", "operator": "Equals", "values": ["Failed"]}]
    named = [{"operand": "PipelineName", "operator": "Equals", "values": ["p7"]}]
    for name, more in (
        ("newest", {}),
        ("by start", {"orderBy": [{"orderBy": "RunStart", "order": "ASC"}]}),
        ("failed ones", {"filters": failed}),
        ("of a pipeline", {"filters": named}),
    ):
        took = []
        headers = {"Authorization": f"Bearer {server.sign_in()}"}
        with httpx.Client(base_url=server.address, headers=headers) as client:
            for _ in range(100):
                began = time.perf_counter()
                answer = client.post(f"{FACTORY}/queryPipelineRuns{VERSION}", json={**span, **more})
                took.append(time.perf_counter() - began)
                assert answer.status_code == 200
        print(f"query over {RUNS:,} runs, {name}: p99 {1000 * sorted(took)[98]:.0f} ms (goal 50)")


def load(port: int, method: str, path: Callable[[int], str], body: str, token: str, count: int) -> tuple[float, float]:
    """Send requests from CLIENTS connections; return how many a second, and the 99th percentile in milliseconds."""
    took: list[float] = []

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn in range(count // CLIENTS):
            head = f"{method} {path(number * count + turn)} HTTP/1.1\r\nHost: localhost\r\n"
            head += f"Authorization: Bearer {token}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            began = time.perf_counter()
            writer.write((head + body).encode())
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert answer.startswith(b"http/1.1 20"), answer
            await reader.readexactly(int(answer.partition(b"content-length:")[2].split(b"\r\n")[0]))
            took.append(time.perf_counter() - began)
        writer.close()

    async def all_clients() -> None:
        await asyncio.gather(*map(client, range(CLIENTS)))

    began = time.perf_counter()
    asyncio.run(all_clients())
    rate = len(took) / (time.perf_counter() - began)
    return rate, 1000 * sorted(took)[int(len(took) * 0.99)]


def memory_mb(server: ManaraServer) -> float:
    """Return the resident memory of the server's process."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
