"""Copy 10,000 files of 1 kB by a Copy of Binary, beside a plain loop on threads that does the same durable work.

The loop writes each file beside its name, syncs it, renames it, and syncs each folder once at the end: what is left is
the same as after the Copy. It neither lists by wildcards, counts, reports nor keeps a journal. The rounds alternate.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from manara.activities import copy as _copy
from manara.plugin.activity import ACTIVITIES, Given
from manara.plugin.connection import CONNECTORS, LinkedServiceGiven, Mark, Store
from manara.plugin.dataset import DATASETS, Dataset, DatasetGiven

assert _copy
AT_A_TIME = 8


def make(folder: Path, files: int) -> None:
    for number in range(files):
        path = folder / f"{number % 10}" / f"{number:06d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(1024))


def plain(source: Path, target: Path) -> None:
    def one(path: Path) -> None:
        sink = target / path.relative_to(source)
        unfinished = sink.with_name(f".unfinished-{sink.name}")
        with path.open("rb") as read, unfinished.open("xb") as written:
            written.write(read.read())
            written.flush()
            os.fsync(written.fileno())
        unfinished.replace(sink)

    folders = [folder for folder in source.iterdir() if folder.is_dir()]
    for folder in folders:
        (target / folder.name).mkdir(parents=True)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(one, source.rglob("*.bin")))
    for folder in folders:
        handle = os.open(target / folder.name, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def manara(root: Path, source: str, target: str) -> None:
    service = LinkedServiceGiven(name="Files", type="FileServer", properties={"host": "."}, root=root)
    store = CONNECTORS.find("FileServer")(service)
    assert isinstance(store, Store)

    def dataset(reference: object) -> Dataset:
        properties = {"location": {"type": "FileServerLocation", "folderPath": reference["referenceName"]}}  # type: ignore[index]
        return DATASETS.find("Binary")(DatasetGiven(name="x", type="Binary", properties=properties, connection=store))

    given = Given(
        name="Copy",
        properties={
            "source": {"type": "BinarySource", "storeSettings": {"recursive": True}},
            "sink": {"type": "BinarySink"},
            "parallelCopies": AT_A_TIME,
        },
        inputs=[{"referenceName": source}],
        outputs=[{"referenceName": target}],
        linked_service=None,
        mark=Mark(run_id="bench", step="Copy", attempt=1),
        dataset=dataset,
        connect=lambda _reference: store,
        text=lambda _kind, name: name,
        report=lambda _figures: None,
        root=root,
    )
    ACTIVITIES.find("Copy")(given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to work; a folder on the disk in question")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=told.folder) as work:
        root = Path(work)
        make(root / "in", told.files)
        times: dict[str, list[float]] = {"plain": [], "manara": []}
        for _ in range(told.rounds):
            for name, taken in times.items():
                os.sync()
                start = time.perf_counter()
                plain(root / "in", root / "out") if name == "plain" else manara(root, "in", "out")
                taken.append(time.perf_counter() - start)
                assert sum(1 for _ in (root / "out").rglob("*.bin")) == told.files
                shutil.rmtree(root / "out")
        for name, found in times.items():
            print(f"{name:8} {statistics.median(found):6.2f} s  (of {', '.join(f'{one:.2f}' for one in found)})")
        print(f"ratio    {statistics.median(times['manara']) / statistics.median(times['plain']):6.2f}")


if __name__ == "__main__":
    main()
