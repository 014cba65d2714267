"""The activity GetMetadata: what there is to know about a file, a folder or a table."""

from manara.errors import WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.registry import near

_FIELDS = (
    "childItems",
    "columnCount",
    "contentMD5",
    "created",
    "exists",
    "itemName",
    "itemType",
    "lastModified",
    "size",
    "structure",
)


@activity("GetMetadata")
def get_metadata(given: Given) -> Output:
    """Return the fields that `fieldList` asks for (rule 91).

    With `exists` in the list, a missing item gives `exists: false` and nothing else; without it, it is an error.
    """
    reference = given.properties.get("dataset")
    if not reference:
        raise WrongDefinition("A GetMetadata needs typeProperties.dataset.", where=given.name)
    known = {field.lower(): field for field in _FIELDS}
    asked = [str(field) for field in given.properties.get("fieldList") or ()]
    unknown = [field for field in asked if field.lower() not in known]
    if unknown or not asked:
        raise WrongDefinition(
            f"The field '{unknown[0]}' is unknown." if unknown else "The fieldList is empty.",
            where=f"{given.name}: typeProperties.fieldList",
            advice=near(unknown[0] if unknown else "", _FIELDS),
        )
    return given.dataset(reference).metadata([known[field.lower()] for field in asked])
