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
    told = given.properties.get("fieldList")
    asked = [str(field) for field in told] if isinstance(told, list) else []
    unknown = [field for field in asked if field.lower() not in known]
    if unknown or not asked:
        raise WrongDefinition(
            f"The field '{unknown[0]}' is unknown." if unknown else "The fieldList is empty.",
            where=f"{given.name}: typeProperties.fieldList",
            advice=near(unknown[0] if unknown else "", _FIELDS),
        )
    settings = given.properties.get("storeSettings") or {}
    if "childItems" in asked and (settings.get("modifiedDatetimeStart") or settings.get("modifiedDatetimeEnd")):
        raise WrongDefinition(
            "childItems cannot be chosen by when they were modified.",
            where=f"{given.name}: typeProperties.storeSettings",
            advice="Take modifiedDatetimeStart away here, and let the Copy choose the files by it.",
        )
    return given.dataset(reference).metadata([known[field.lower()] for field in asked])
