import pytest
from tests.plugin_given import Json, Place, csv, files

from manara.errors import ManaraError


@pytest.mark.parametrize(
    ("dataset", "fields", "output"),
    [
        (
            csv("in/a.csv"),
            ["exists", "ITEMNAME", "columnCount"],
            {"exists": True, "itemName": "a.csv", "columnCount": 2},
        ),
        (files("Binary", "in/"), ["childItems"], {"childItems": [{"name": "a.csv", "type": "File"}]}),
        (csv("in/b.csv"), ["exists", "structure"], {"exists": False}),
    ],
)
def test_the_fields_that_were_asked_for_are_told(place: Place, dataset: Json, fields: list[str], output: Json) -> None:
    place.write("in/a.csv", "x,y\n")
    assert place.run("GetMetadata", {"dataset": dataset, "fieldList": fields}) == output


@pytest.mark.parametrize(
    ("properties", "code", "says"),
    [
        ({"dataset": csv("b.csv"), "fieldList": ["size"]}, "UserErrorSourceBlobNotExist", "no file 'b.csv'"),
        ({"dataset": csv("b.csv"), "fieldList": ["sise"]}, "BadRequest", "'sise' is unknown. Did you mean 'size'"),
        ({"dataset": csv("b.csv"), "fieldList": []}, "BadRequest", "fieldList is empty"),
        ({"dataset": csv("b.csv"), "fieldList": "size"}, "BadRequest", "fieldList is empty"),
        (
            {
                "dataset": files("Binary", "in/"),
                "fieldList": ["childItems"],
                "storeSettings": {"modifiedDatetimeStart": "2024-01-01"},
            },
            "BadRequest",
            "cannot be chosen by when they were modified",
        ),
        ({"fieldList": ["size"]}, "BadRequest", "needs typeProperties.dataset"),
    ],
)
def test_what_cannot_be_told_is_an_error(place: Place, properties: Json, code: str, says: str) -> None:
    with pytest.raises(ManaraError, match=says) as raised:
        place.run("GetMetadata", properties)
    assert raised.value.error_code == code
