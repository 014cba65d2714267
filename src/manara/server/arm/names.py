"""What things may be called: Azure's rules for the names in the path of a request."""

import re

from manara.errors import WrongDefinition

_LIKE_A_HOST = (r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*", 3, 63, "letters, digits and single hyphens between them")
_LIKE_A_TITLE = (r"[A-Za-z0-9_][^<>*#.%&:\\+?/]*", 1, 260, "no one of < > * # . % & : \\ + ? /, and begins plainly")
_LIKE_A_PIPELINE = (_LIKE_A_TITLE[0], 1, 140, _LIKE_A_TITLE[3])
_LIKE_A_WORD = (r"[_A-Za-z0-9](?:[-_A-Za-z0-9]*[_A-Za-z0-9])?", 1, 127, "letters, digits, _ and hyphens inside")

_RULES: dict[str, tuple[str, int, int, str]] = {
    "subscriptionId": (r"[0-9A-Za-z-]+", 1, 64, "letters, digits and hyphens"),
    "resourceGroupName": (r"[\w().-]*[\w()-]", 1, 90, "letters, digits, _ ( ) . and -, with no dot at the end"),
    "deploymentName": (r"[\w().-]+", 1, 64, "letters, digits, _ ( ) . and -"),
    "factoryName": _LIKE_A_HOST,
    "integrationRuntimeName": _LIKE_A_HOST,
    "pipelineName": _LIKE_A_PIPELINE,
    "datasetName": _LIKE_A_TITLE,
    "linkedServiceName": _LIKE_A_TITLE,
    "dataFlowName": _LIKE_A_TITLE,
    "triggerName": _LIKE_A_TITLE,
    "globalParameterName": _LIKE_A_TITLE,
    "credentialName": _LIKE_A_WORD,
    "managedVirtualNetworkName": _LIKE_A_WORD,
    "managedPrivateEndpointName": _LIKE_A_WORD,
    "roleAssignmentName": (r"[0-9A-Fa-f-]+", 36, 36, "hexadecimal digits and hyphens, as a GUID is written"),
    "roleDefinitionId": (r"[0-9A-Fa-f-]+", 36, 36, "hexadecimal digits and hyphens, as a GUID is written"),
}
_COMPILED = {parameter: re.compile(rule[0]) for parameter, rule in _RULES.items()}


def check_name(parameter: str, name: str) -> None:
    """Raise WrongDefinition where Azure would not take a name; `parameter` is what the path calls it.

    >>> check_name("factoryName", "field-data")
    >>> check_name("factoryName", "-x")
    Traceback (most recent call last):
    manara.errors.WrongDefinition: The name '-x' is not valid for factoryName: it has 3 to 63 characters: letters, ...
    """
    if parameter not in _RULES:
        return
    _, least, most, words = _RULES[parameter]
    if not least <= len(name) <= most or not _COMPILED[parameter].fullmatch(name):
        length = f"{least} to {most} characters" if least < most else f"{most} characters"
        raise WrongDefinition(
            f"The name '{name[:most]}' is not valid for {parameter}: it has {length}: {words}.",
            code="InvalidResourceName",
            advice="Choose another name.",
        )


def pattern_of(parameter: str) -> dict[str, int | str]:
    """Return the rule for a name as JSON Schema has it; one letter at least where any name will do."""
    if parameter not in _RULES:
        return {"minLength": 1}
    pattern, least, most, _ = _RULES[parameter]
    return {"pattern": f"^(?:{pattern})$", "minLength": least, "maxLength": most}
