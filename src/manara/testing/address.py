"""How a test names activities: by name, by path, and with the pipeline before it (`child:Each file[0]/Copy`)."""

import re
from collections.abc import Iterable, Iterator

from manara.errors import NotFound
from manara.registry import near
from manara.resources.check import links
from manara.resources.factory import Factory
from manara.resources.model import walk

_ROUND = re.compile(r"\[\d+\](?=/)")


def addresses(pipeline: str, step: str) -> list[str]:
    """Return every address of a step of a run, the most exact first.

    >>> addresses("child", "Each[0]/Copy")
    ['child:Each[0]/Copy', 'Each[0]/Copy', 'child:Each/Copy', 'Each/Copy', 'child:Copy', 'Copy']
    """
    paths = dict.fromkeys([step, without_rounds(step), step.rpartition("/")[2]])
    return [f"{prefix}{path}" for path in paths for prefix in (f"{pipeline}:", "")]


def without_rounds(address: str) -> str:
    """Return the address with the numbers of rounds taken out, as it stands in the definition.

    >>> without_rounds("child:Each[0]/Until[12]/Copy")
    'child:Each/Until/Copy'
    """
    return _ROUND.sub("", address)


def check_addresses(given: Iterable[str], factory: Factory, pipeline: str) -> None:
    """Raise NotFound, with near names, for an address that no activity of the pipeline or of those it calls has."""
    known: dict[str, str] = {}
    for name, path in _steps(factory, pipeline):
        known |= {address: path.rpartition("/")[2] for address in addresses(name, path)}
    for address in given:
        if without_rounds(address) not in known:
            looked_for = known if "/" in address or ":" in address else known.values()
            raise NotFound(
                f"There is no activity '{address}' in the pipeline '{pipeline}' or in those that it calls.",
                advice=near(address, set(looked_for)),
            )


def _steps(factory: Factory, pipeline: str) -> Iterator[tuple[str, str]]:
    """Yield (pipeline, path) of every activity that a run of the pipeline could reach."""
    ahead, seen = [pipeline], set()
    while ahead:
        name = ahead.pop()
        if name in seen or ("pipeline", name) not in factory.definitions:
            continue
        seen.add(name)
        paths: dict[str, str] = {}
        for place, activity in walk(factory.pipeline(name).properties.activities):
            above = paths.get(place.rpartition(".typeProperties.")[0])
            paths[place] = f"{above}/{activity.name}" if above else activity.name
            yield name, paths[place]
        ahead += [link.name for link in links(factory.definitions["pipeline", name]) if link.kind == "pipeline"]
