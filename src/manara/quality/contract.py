"""Data contracts, read from YAML with all their faults at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from manara.errors import Fault, Faults, WrongDefinition
from manara.plugin.activity import checker
from manara.quality import anomaly
from manara.quality.expression import columns_of, read_expression
from manara.quality.measures import BOUNDS, REFUSED_SHARE
from manara.quality.odcs import MEASURED, Contract, Property, Quality, ServiceLevel
from manara.quality.query import read_query
from manara.registry import near

_TEXT_OPTIONS = ("pattern", "min_length", "max_length")
_RANGE_OPTIONS = ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum")
_MISFITS = {"string": _RANGE_OPTIONS, "boolean": (*_RANGE_OPTIONS, *_TEXT_OPTIONS)}
_HARMLESS_OPTIONS = {"timezone", "defaultTimezone"}
_RESERVED_PREFIX = "__"
_RESERVED_NAMES = {"_origin", "_row", "_run"}


def read_contract(text: str, file: str) -> Contract:
    """Return the contract that the YAML text holds.

    Raises Faults with everything that is wrong at once, each with `file` and its path in the YAML
    (`schema[0].properties[2].logicalType`).
    """
    document = _document(text, file)
    faults = [*_shape_faults(document, file), *_sense_faults(document, file)]
    if faults:
        raise Faults(faults)
    return Contract.model_validate(document)


@checker("contract")
def check_contract(text: str, file: str) -> None:
    """Raise Faults where the text is no contract: what `manara check` asks of each file in `contract/`."""
    read_contract(text, file)


def _document(text: str, file: str) -> Any:
    try:
        document = yaml.load(text, Loader=_OnceLoader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise Faults([_fault(file, place, f"This is not YAML: {error.problem}.")]) from error
    except yaml.YAMLError as error:
        raise Faults([_fault(file, "", f"This is not YAML: {error}.")]) from error
    except RecursionError as error:
        raise Faults([_fault(file, "", "The YAML is nested too deeply.")]) from error
    if not isinstance(document, dict):
        raise Faults([_fault(file, "", "A contract is a YAML mapping that begins with apiVersion.")])
    return document


class _OnceLoader(yaml.SafeLoader):
    """YAML's safe loader that refuses a key given twice, where YAML would let the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                problem = f"'{key.value}' stands here twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(str(key.value))
        return dict(super().construct_mapping(node, deep))


def _fault(file: str, path: str, message: str, advice: str = "") -> Fault:
    return Fault(file=file, path=path, message=message, advice=advice)


def _shape_faults(document: Any, file: str) -> list[Fault]:
    try:
        Contract.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False)
        places = [each["loc"] for each in details]
        details = [each for each in details if not (each["type"] == "too_short" and _is_around(each["loc"], places))]
        return _once([_fault(file, _path(each["loc"]), *_message(each)) for each in details])
    return []


def _is_around(place: Sequence[str | int], places: Sequence[Sequence[str | int]]) -> bool:
    """Whether a list is only too short because what is in it is wrong."""
    return any(len(other) > len(place) and other[: len(place)] == place for other in places)


def _once(faults: list[Fault]) -> list[Fault]:
    return list({fault.path: fault for fault in reversed(faults)}.values())[::-1]


def _path(location: Sequence[str | int]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.lstrip(".")


def _message(detail: Any) -> tuple[str, str]:
    kind, given = detail["type"], detail.get("input")
    if kind == "missing":
        return "This is missing.", ""
    if kind == "string_type" and isinstance(given, bool | int | float | date):
        return f"{given} is not a text.", "Put it in quotes."
    if kind == "value_error":
        return str(detail["ctx"]["error"]), ""
    if kind == "too_long":
        return f"There is room for {detail['ctx']['max_length']} here.", "Write a contract for each table."
    if kind == "literal_error":
        return f"'{given}' is not known here.", f"Known are: {detail['ctx']['expected']}."
    return f"{detail['msg']} (it says {given!r:.80}).", ""


def _sense_faults(document: Any, file: str) -> Iterator[Fault]:
    """Yield what each part says well but cannot mean, for all the parts that could be read."""
    schemas = document.get("schema")
    if not isinstance(schemas, list) or not schemas or not isinstance(schemas[0], dict):
        return
    properties = list(_readable(schemas[0].get("properties"), "schema[0].properties", Property.model_validate))
    for path, each in properties:
        yield from _property_faults(each, path, file)
    yield from _table_faults(schemas[0], properties, file)
    yield from _sla_faults(document, {each.name for _, each in properties}, file)


def _readable(raw: Any, path: str, read: Callable[[Any], Any]) -> Iterator[tuple[str, Any]]:
    for index, each in enumerate(raw if isinstance(raw, list) else []):
        try:
            yield f"{path}[{index}]", read(each)
        except ValidationError:
            continue


def _property_faults(each: Property, path: str, file: str) -> Iterator[Fault]:
    if each.name.lower() in _RESERVED_NAMES or each.name.startswith(_RESERVED_PREFIX):
        yield _fault(file, f"{path}.name", f"'{each.name}' is a name that the gate needs.", "Take another name.")
    yield from _option_faults(each, path, file)
    yield from _custom_property_faults(each, path, file)
    for index, rule in enumerate(each.quality):
        yield from _rule_faults(rule, each, f"{path}.quality[{index}]", file)
        yield from _valid_values_faults(rule, each, f"{path}.quality[{index}]", file)


def _option_faults(each: Property, path: str, file: str) -> Iterator[Fault]:
    options, where = each.logical_type_options, f"{path}.logicalTypeOptions"
    for unknown in (options.model_extra or {}).keys() - _HARMLESS_OPTIONS:
        advice = "Say it as a quality rule of type custom." if unknown != "format" else "Say it as customProperties."
        yield _fault(file, f"{where}.{unknown}", f"'{unknown}' is not checked by the gate.", advice)
    misfits = _MISFITS.get(each.logical_type, _TEXT_OPTIONS)
    for name in misfits:
        if getattr(options, name) is not None:
            message = f"A value of type {each.logical_type} has no {to_camel(name)}."
            yield _fault(file, f"{where}.{to_camel(name)}", message)
    for name in _RANGE_OPTIONS:
        bound = getattr(options, name)
        if bound is not None and name not in misfits and not _is_value(bound, each.logical_type):
            message = f"'{bound}' is not of type {each.logical_type}."
            yield _fault(file, f"{where}.{to_camel(name)}", message)


def _is_value(value: Any, logical_type: str) -> bool:
    """Whether a bound or a listed value from YAML can be compared with values of the type."""
    if logical_type in ("integer", "number"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if logical_type in ("date", "timestamp"):
        return isinstance(value, date) or (isinstance(value, str) and _is_moment(value))
    if logical_type == "boolean":
        return isinstance(value, bool)
    return isinstance(value, str)


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _custom_property_faults(each: Property, path: str, file: str) -> Iterator[Fault]:
    for index, custom in enumerate(each.custom_properties):
        where = f"{path}.customProperties[{index}].value"
        if custom.property not in ("formats", "missingValues"):
            continue
        if not isinstance(custom.value, list) or not all(isinstance(text, str) for text in custom.value):
            yield _fault(file, where, f"{custom.property} is a list of texts.", "Put each in quotes.")
        elif custom.property == "formats" and each.logical_type not in ("date", "timestamp"):
            yield _fault(file, where, f"A value of type {each.logical_type} has no formats.")


def _rule_faults(rule: Quality, each: Property | None, path: str, file: str) -> Iterator[Fault]:
    if rule.type == "sql":
        yield from _query_faults(rule, each, path, file)
    elif rule.type == "library" and rule.metric not in MEASURED:
        advice = f"Known are: {', '.join(MEASURED)}. Use required, unique or a rule of type custom for others."
        yield _fault(file, f"{path}.metric", f"The metric '{rule.metric}' is not checked by the gate.", advice)
    elif rule.type == "library" and rule.metric == "invalidValues" and not rule.valid_values:
        yield _fault(file, f"{path}.arguments.validValues", "invalidValues needs the list validValues.")
    elif rule.metric == "rowCount" and ".properties[" in path:
        told = "The metric 'rowCount' is not checked of a column."
        yield _fault(file, f"{path}.metric", told, "Move it under the table's quality.")
    elif rule.is_measured:
        yield from _bound_faults(rule, path, file)
    elif rule.is_ours:
        yield from _implementation_faults(rule, path, file)


def _query_faults(rule: Quality, each: Property | None, path: str, file: str) -> Iterator[Fault]:
    if not rule.id:
        yield _fault(file, f"{path}.id", "A rule of type sql needs an id: what it measures is kept under it.")
    try:
        read_query(rule, each)
    except WrongDefinition as error:
        yield _fault(file, f"{path}.query", error.message, error.advice)
    yield from _bound_faults(rule, path, file)


def _bound_faults(rule: Quality, path: str, file: str) -> Iterator[Fault]:
    if not rule.bounds:
        advice = "Such as mustBeLessThan: 5, with unit: percent."
        yield _fault(file, path, f"The rule does not say what {rule.metric or 'its query'} must be.", advice)
    for key, value in rule.bounds.items():
        if key not in BOUNDS:
            yield _fault(file, f"{path}.{key}", "This is not known here.", f"Known are: {', '.join(BOUNDS)}.")
            continue
        numbers = value if key.endswith("Between") and isinstance(value, list) and len(value) == 2 else [value]
        if key.endswith("Between") and len(numbers) != 2:
            yield _fault(file, f"{path}.{key}", "This is a list of two numbers.", "Such as [10, 20].")
        elif any(isinstance(each, bool) or not isinstance(each, int | float) for each in numbers):
            yield _fault(file, f"{path}.{key}", f"{value!r} is no number.")
    unit = (rule.model_extra or {}).get("unit", "rows")
    if unit not in ("rows", "percent"):
        yield _fault(file, f"{path}.unit", f"'{unit}' is not known here.", "Known are: rows and percent.")


def _implementation_faults(rule: Quality, path: str, file: str) -> Iterator[Fault]:
    if not rule.id:
        yield _fault(file, f"{path}.id", "A custom rule needs an id: findings are counted under it.")
    if not isinstance(rule.implementation, str):
        yield _fault(file, f"{path}.implementation", "This is a SQL expression over the target columns, as a text.")
        return
    try:
        read_expression(rule.implementation)
    except WrongDefinition as error:
        yield _fault(file, f"{path}.implementation", error.message, error.advice)


def _valid_values_faults(rule: Quality, each: Property, path: str, file: str) -> Iterator[Fault]:
    for index, value in enumerate(rule.valid_values or []):
        if not _is_value(value, each.logical_type):
            advice = "Put it in quotes." if each.logical_type == "string" else ""
            where = f"{path}.arguments.validValues[{index}]"
            yield _fault(file, where, f"{value!r} is not of type {each.logical_type}.", advice)


def _table_faults(raw: Mapping[str, Any], properties: Sequence[tuple[str, Property]], file: str) -> Iterator[Fault]:
    listed = raw.get("properties")
    if isinstance(listed, list) and not any(isinstance(each, dict) and each.get("primaryKey") for each in listed):
        advice = "Set primaryKey: true on the properties that tell one row from another."
        yield _fault(file, "schema[0].properties", "The table has no primary key.", advice)
    yield from _repeated(((path, each.name.lower()) for path, each in properties), "name", file)
    rules = list(_readable(raw.get("quality"), "schema[0].quality", Quality.model_validate))
    for path, rule in rules:
        yield from _rule_faults(rule, None, path, file)
        if rule.type == "library" and rule.metric != "rowCount":
            yield _fault(file, path, "This rule belongs to a property.", "Move it under the property's quality.")
    yield from _share_faults(raw, file)
    rules += [placed for path, each in properties for placed in _placed(each.quality, path)]
    ours = _ours(rules)
    named = [*ours, *((path, rule) for path, rule in rules if rule.type == "sql")]
    yield from _repeated(((path, rule.id or path) for path, rule in named), "id", file)
    if isinstance(listed, list) and len(properties) == len(listed):
        yield from _unknown_columns(ours, {each.name for _, each in properties}, file)


def _share_faults(raw: Mapping[str, Any], file: str) -> Iterator[Fault]:
    listed = raw.get("customProperties")
    for index, each in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(each, dict) and each.get("property") == "anomalies" and isinstance(each.get("value"), dict):
            path = f"schema[0].customProperties[{index}].value"
            yield from _anomaly_faults(each["value"], path, file)
        if isinstance(each, dict) and each.get("property") == REFUSED_SHARE:
            share = each.get("value")
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                path = f"schema[0].customProperties[{index}].value"
                yield _fault(file, path, f"{share!r} is no share from 0 to 1.", "Such as 0.05 for five in a hundred.")


def _anomaly_faults(value: Any, path: str, file: str) -> Iterator[Fault]:
    try:
        anomaly.Settings.model_validate(value)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            yield _fault(file, f"{path}.{_path(each['loc'])}", *_message(each))


def _sla_faults(document: Mapping[str, Any], known: set[str], file: str) -> Iterator[Fault]:
    """Yield the latencies that cannot be checked: of a column that is not there, or without a time."""
    for path, level in _readable(document.get("slaProperties"), "slaProperties", ServiceLevel.model_validate):
        if level.named.lower() not in ("latency", "freshness"):
            continue
        if level.seconds is None:
            yield _fault(file, f"{path}.value", "The latency gives no time.", "Such as value: 3, unit: d.")
        if level.column.lower() not in {name.lower() for name in known}:
            told = f"There is no column '{level.column}'."
            yield _fault(file, f"{path}.element", told, near(level.column, known))


def _placed(rules: Sequence[Quality], path: str) -> list[tuple[str, Quality]]:
    return [(f"{path}.quality[{index}]", rule) for index, rule in enumerate(rules)]


def _ours(rules: Iterable[tuple[str, Quality]]) -> list[tuple[str, Quality]]:
    return [(path, rule) for path, rule in rules if rule.is_ours and isinstance(rule.implementation, str)]


def _repeated(named: Iterable[tuple[str, str]], field: str, file: str) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for path, name in named:
        if name in seen:
            yield _fault(file, f"{path}.{field}", f"'{name}' stands here a second time, first at {seen[name]}.")
        seen.setdefault(name, path)


def _unknown_columns(rules: Sequence[tuple[str, Quality]], known: set[str], file: str) -> Iterator[Fault]:
    folded = {name.lower() for name in known}
    for path, rule in rules:
        try:
            columns = columns_of(read_expression(rule.implementation))
        except WrongDefinition:
            continue
        for column in columns:
            if column.lower() not in folded:
                message = f"The contract has no property '{column}'."
                yield _fault(file, f"{path}.implementation", message, near(column, known))
