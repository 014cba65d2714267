"""Functions on arrays, objects, and on strings as rows of characters."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from manara.expr.table import Array, Collection, Object, Unfit, function
from manara.expr.text import folded
from manara.expr.value import MISSING, find, identity, kind_of, text_of


@function("Collection")
def contains(collection: Any, value: Any) -> bool:
    """Return whether an array holds a value, an object a property (whatever its case), a text another (same case)."""
    if isinstance(collection, str) and isinstance(value, str):
        return value in collection
    if isinstance(collection, Mapping) and isinstance(value, str):
        return find(collection, value) is not MISSING
    if isinstance(collection, (list, tuple)):
        wanted = identity(value)
        return any(identity(one) == wanted for one in collection)
    raise Unfit(f"It looks in a string, an array or an object, not for {kind_of(value)} in {kind_of(collection)}.")


@function("Collection")
def empty(value: Any) -> bool:
    """Return whether a string, array or object holds nothing; null holds nothing."""
    if value is None or isinstance(value, (str, list, tuple, Mapping)):
        return not value
    raise Unfit(f"It takes a string, an array or an object, not {kind_of(value)}.")


@function("Collection")
def first(collection: Collection) -> Any:
    """Return the first element or character; null of an empty array."""
    return collection[0] if collection else _nothing(collection)


@function("Collection")
def last(collection: Collection) -> Any:
    """Return the last element or character; null of an empty array."""
    return collection[-1] if collection else _nothing(collection)


@function("Collection")
def intersection(*collections: Any) -> Any:
    """Return the elements that all arrays hold, or the properties that all objects hold with equal values."""
    if _are_objects(collections):
        return _shared_properties(collections)
    rest = [{identity(one) for one in collection} for collection in collections[1:]]
    return [one for key, one in _distinct(collections[0]).items() if all(key in keys for keys in rest)]


@function("Collection")
def union(*collections: Any) -> Any:
    """Return all elements of arrays, each once, or all properties of objects; the last of a name wins."""
    if _are_objects(collections):
        return {name: value for collection in collections for name, value in collection.items()}
    return list(_distinct([one for collection in collections for one in collection]).values())


@function("Collection")
def join(array: Array, delimiter: str) -> str:
    """Return the texts of all elements with a delimiter between them."""
    return delimiter.join([text_of(value) for value in array])


@function("Collection")
def length(collection: Collection) -> int:
    """Return how many elements or characters there are."""
    return len(collection)


@function("Collection")
def skip(collection: Collection, count: int) -> Any:
    """Return what follows the first `count` elements or characters."""
    return collection[_not_negative(count) :]


@function("Collection")
def take(collection: Collection, count: int) -> Any:
    """Return the first `count` elements or characters, or all where there are fewer."""
    return collection[: _not_negative(count)]


@function("Collection", documented=False)
def chunk(collection: Collection, length: int) -> list[Any]:
    """Return the parts of a string or array, each of the length but the last, which may be shorter."""
    if length < 1:
        raise Unfit(f"The length of a part is at least 1, not {length}.")
    return [collection[at : at + length] for at in range(0, len(collection), length)]


@function("Collection", documented=False)
def reverse(array: Array) -> list[Any]:
    """Return the array from its end to its start."""
    return list(reversed(array))


@function("Collection", documented=False)
def sort(array: Array, property_: str = "") -> list[Any]:
    """Return the array in order; of objects, by one property. All values are numbers, or all are strings."""
    keys = [_sort_key(find(one, property_) if property_ and isinstance(one, Mapping) else one) for one in array]
    if len({isinstance(key, str) for key in keys}) > 1:
        raise Unfit("Numbers and strings have no order between them.")
    return [array[at] for at in sorted(range(len(keys)), key=keys.__getitem__)]


@function("Collection", documented=False)
def add_property(object_: Object, property_: str, value: Any) -> Object:
    """Return the object with one more property, which must not be there yet."""
    if find(object_, property_) is not MISSING:
        raise Unfit(f"The property '{property_}' is there already; setProperty replaces it.")
    return {**object_, property_: value}


@function("Collection", documented=False)
def set_property(object_: Object, property_: str, value: Any) -> Object:
    """Return the object with a property set, whether it was there or not."""
    return {**object_, _spelling(object_, property_): value}


@function("Collection", documented=False)
def remove_property(object_: Object, property_: str) -> Object:
    """Return the object without the property."""
    dropped = _spelling(object_, property_)
    return {name: value for name, value in object_.items() if name != dropped}


def _spelling(object_: Object, property_: str) -> str:
    return next((name for name in object_ if str(name).lower() == property_.lower()), property_)


def _nothing(collection: Collection) -> Any:
    return "" if isinstance(collection, str) else None


def _not_negative(count: int) -> int:
    if count < 0:
        raise Unfit(f"The count is not negative, as {count} is.")
    return count


def _are_objects(collections: Sequence[Any]) -> bool:
    """Return whether all are objects; raises Unfit unless all are objects or all are arrays."""
    if all(isinstance(one, Mapping) for one in collections):
        return True
    if all(isinstance(one, (list, tuple)) for one in collections):
        return False
    raise Unfit(f"It takes arrays only or objects only, not {' and '.join(map(kind_of, collections))}.")


def _distinct(values: Sequence[Any]) -> dict[Any, Any]:
    kept: dict[Any, Any] = {}
    for value in values:
        kept.setdefault(identity(value), value)
    return kept


def _shared_properties(collections: Sequence[Object]) -> Object:
    head, rest = collections[0], list(islice(collections, 1, None))
    return {
        name: value
        for name, value in head.items()
        if all(name in one and identity(one[name]) == identity(value) for one in rest)
    }


def _sort_key(value: Any) -> Any:
    if isinstance(value, str):
        return folded(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise Unfit(f"It sorts numbers or strings, not {'a missing property' if value is MISSING else kind_of(value)}.")
