"""A template as the list of what it wants."""

from typing import Any

import pytest
from tests.resources.template.templates import (
    FACTORY,
    PIPELINES,
    PLACE,
    Json,
    faults,
    names,
    plan,
    resource,
    template,
    value,
    wanted,
)

from manara.resources.template.template import read_template

NESTED = "Microsoft.Resources/deployments"
TRIGGERS = "Microsoft.DataFactory/factories/triggers"


def nested(inner: Json, name: str = "n", scope: str = "inner", given: Json | None = None, **more: Any) -> Json:
    options = {"scope": scope}
    properties = {"mode": "Incremental", "template": inner, "expressionEvaluationOptions": options}
    return resource(name, NESTED, properties={**properties, "parameters": given or {}}, **more)


def test_a_resource_has_its_id_and_its_body() -> None:
    (found,) = wanted(template(resource(location="x", properties={"a": "[[b]"}, comments="no", dependsOn=[])))
    assert (found.id, found.type, found.name) == (f"{FACTORY}/pipelines/p", PIPELINES, "f/p")
    assert (found.body, found.api_version) == ({"location": "x", "properties": {"a": "[b]"}}, "2018-06-01")


def test_what_is_waited_for_comes_first_else_the_order_stays() -> None:
    document = template(
        resource("f/a", dependsOn=[f"{FACTORY}/pipelines/c"]),
        resource("f/b", dependsOn=["Microsoft.DataFactory/factories/f/pipelines/c"]),
        resource("f/c", dependsOn=["f/d"]),
        resource("f/d"),
        resource("f/e"),
    )
    assert names(document) == ["f/d", "f/c", "f/a", "f/b", "f/e"]
    assert wanted(document)[1].depends == (f"{FACTORY}/pipelines/d",)


def test_an_outer_resource_comes_before_what_lies_in_it() -> None:
    inner = resource("k", "triggers", resources=[])
    document = template(resource("f/p"), resource("f", "Microsoft.DataFactory/factories", resources=[inner]))
    assert names(document) == ["f", "f/p", "f/k"]


@pytest.mark.parametrize(
    ("resources", "says"),
    [
        ([resource("f/a", dependsOn=["f/b"]), resource("f/b", dependsOn=["f/a"])], "Circular dependency detected"),
        ([resource("f/a", dependsOn=["f/a"])], "waits for itself"),
        ([resource("f/a", dependsOn=["f/x"])], "The resource 'f/x' is not defined in the template."),
        ([resource("f/a"), resource("F/A")], "is defined twice"),
        ([resource("a")], "has incorrect segment lengths"),
        ([resource("f/../x")], "has incorrect segment lengths"),
        ([resource("f/..")], "'..' in 'f/..' cannot be a name."),
        ([resource("f/")], "cannot be a name"),
        ([resource("f/a%2Fb")], "cannot be a name"),
        ([resource("f/a?b")], "cannot be a name"),
        ([resource("f/" + "a" * 300)], "more than 260 characters"),
        ([resource("f/a", "nonsense")], "is no resource type"),
        ([resource("f/a", "../../x")], "is no resource type"),
        ([{"type": PIPELINES}], "A resource has a name, a text."),
        (["a"], "A resource is an object, and this is a text."),
        ([resource(condition="yes")], "A condition is true or false, and this is a text."),
        ([resource(dependsOn="f/a")], "An array of texts belongs here."),
        ([resource(copy={"name": "l", "count": 801})], "A loop goes round 0 to 800 times, and this says 801."),
        ([resource(copy={"name": "l"})], "A loop goes round"),
        ([resource("f/[x]"), resource("[concat('f/', variables('no'))]")], "There is no variable 'no'."),
    ],
)
def test_what_is_wrong_with_a_resource_is_told(resources: list[Any], says: str) -> None:
    assert says in " ".join(fault.message for fault in faults(template(*resources)))


def test_all_faults_are_told_at_once_each_with_its_path() -> None:
    document = template(
        resource("f/a", properties={"x": ["[nothing()]"]}),
        resource("f"),
        parameters={"p": {"type": "string"}},
        variables={"v": "[parameters('p')]", "w": "[broken]"},
    )
    found = [fault.path for fault in faults(document)]
    assert found == ["parameters.p", "variables.w", "resources[1].name"]
    document["resources"].pop()
    document |= {"parameters": {}, "variables": {}}
    assert [fault.path for fault in faults(document)] == ["resources[0].properties.x[0]"]


def test_a_condition_leaves_a_resource_out_and_those_that_wait_for_it_go_on() -> None:
    document = template(resource("f/a", condition="[equals(1, 2)]"), resource("f/b", dependsOn=["f/a"]))
    assert names(document) == ["f/b"]


def test_a_loop_makes_a_resource_each_round() -> None:
    loop = {"name": "l", "count": "[length(variables('v'))]"}
    each = resource("[concat('f/', variables('v')[copyIndex()])]", copy=loop, properties={"n": "[copyIndex('l', 10)]"})
    document = template(each, resource("f/last", dependsOn=["l"]), variables={"v": ["a", "b"]})
    found = wanted(document)
    assert [each.name for each in found] == ["f/a", "f/b", "f/last"]
    assert found[1].body == {"properties": {"n": 11}}
    assert len(found[2].depends) == 2


def test_loops_make_arrays_in_properties_variables_and_outputs() -> None:
    loop = [{"name": "xs", "count": 2, "input": {"n": "[copyIndex('xs')]"}}]
    assert wanted(template(resource(properties={"copy": loop})))[0].body["properties"] == {"xs": [{"n": 0}, {"n": 1}]}
    assert value("[variables('xs')[1].n]", variables={"copy": loop}) == 1
    output = {"type": "array", "copy": {"count": 2, "input": "[copyIndex(5)]"}}
    assert plan(template(outputs={"o": output})).outputs["o"]["value"] == [5, 6]


def test_a_property_called_copy_that_is_no_loop_stays() -> None:
    assert wanted(template(resource(properties={"copy": ["a"]})))[0].body == {"properties": {"copy": ["a"]}}


def test_variables_that_name_each_other_are_told_once() -> None:
    document = template(variables={"a": "[variables('b')]", "b": "[variables('a')]", "c": "[variables('a')]"})
    (fault,) = faults(document)
    assert fault.message == "The variables name each other in a ring: a -> b -> a."


def test_a_nested_deployment_is_part_of_the_list() -> None:
    inner = template(resource("f/b", properties={"x": "[parameters('x')]"}), parameters={"x": {"type": "string"}})
    document = template(
        nested(inner, given={"x": {"value": "[toUpper('a')]"}}, dependsOn=["f/c"]),
        resource("f/a", dependsOn=["n"]),
        resource("f/c"),
    )
    found = wanted(document)
    assert [each.name for each in found] == ["f/c", "f/b", "f/a"]
    assert found[1].body == {"properties": {"x": "A"}}
    assert found[1].path == "resources[0].properties.template.resources[0]"
    assert found[2].depends == ()  # it waits for the deployment, and that for what lies in it


def test_a_nested_template_of_the_outer_scope_sees_the_outer_variables() -> None:
    inner = template(resource("f/b", properties={"x": "[variables('v')]", "y": "[[variables('v')]"}))
    inner["variables"] = {"v": "inner"}
    (found,) = wanted(template(nested(inner, scope="outer"), variables={"v": "outer"}))
    assert found.body == {"properties": {"x": "outer", "y": "inner"}}


def test_a_nested_deployment_may_go_to_another_group() -> None:
    (found,) = wanted(template(nested(template(resource()), resourceGroup="h")))
    assert found.scope == "/subscriptions/s/resourceGroups/h"
    assert "/resourceGroups/h/" in found.id


def test_a_reference_gives_what_the_template_says_of_a_resource() -> None:
    inner = template(outputs={"o": {"type": "string", "value": "deep"}})
    document = template(
        nested(inner), resource("f/a", properties={"x": 1}), resource("f/b", properties={"y": "[reference('f/a').x]"})
    )
    document["outputs"] = {"o": {"type": "string", "value": "[reference('n').outputs.o.value]"}}
    found = plan(document)
    assert found.wanted[1].body == {"properties": {"y": 1}}
    assert found.outputs == {"o": {"type": "string", "value": "deep"}}


def test_a_reference_asks_for_what_is_there_already() -> None:
    held = {f"{FACTORY}/pipelines/old": {"location": "x", "properties": {"a": 1}}}
    target = "resourceId('Microsoft.DataFactory/factories/pipelines', 'f', 'old')"
    document = template(
        outputs={"o": {"type": "string", "value": f"[reference({target}, '2018-06-01', 'Full').location]"}}
    )
    assert read_template(document, {}, PLACE, existing=held.get).outputs["o"]["value"] == "x"


def test_a_reference_gives_no_secret_of_what_is_there() -> None:
    held = {f"{FACTORY}/pipelines/old": {"properties": {"password": "hunter2"}}}
    document = template(outputs={"o": {"type": "object", "value": f"[reference('{FACTORY}/pipelines/old')]"}})
    assert "hunter2" not in str(read_template(document, {}, PLACE, existing=held.get).outputs)


def test_resources_that_refer_to_each_other_are_refused() -> None:
    document = template(
        resource("f/a", properties={"x": "[reference('f/b').y]"}),
        resource("f/b", properties={"y": "[reference('f/a').x]"}),
    )
    assert "refers to itself" in faults(document)[0].message


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"templateLink": {"uri": "https://x.org/a.json"}}, "Linked templates are not fetched"),
        ({}, "A nested deployment has its template in it."),
    ],
)
def test_a_deployment_without_its_template_is_refused(properties: Json, says: str) -> None:
    (fault,) = faults(template(resource("n", NESTED, properties=properties)))
    assert says in fault.message


def test_resources_may_have_symbolic_names() -> None:
    document = template()
    document["resources"] = {
        "first": resource("f/a", dependsOn=["second"]),
        "second": resource("f/b"),
        "known": {"existing": True, "type": PIPELINES, "name": "f/old"},
    }
    assert names(document) == ["f/b", "f/a"]


def test_secret_outputs_and_parameters_are_not_shown() -> None:
    document = template(
        parameters={"k": {"type": "secureString"}, "n": {"type": "int", "defaultValue": 1}},
        outputs={"k": {"type": "securestring", "value": "[parameters('k')]"}},
    )
    found = plan(document, k="hidden")
    assert found.parameters == {"k": {"type": "SecureString"}, "n": {"type": "Int", "value": 1}}
    assert found.outputs == {"k": {"type": "securestring"}}


def test_the_name_of_a_property_may_be_an_expression() -> None:
    (found,) = wanted(template(resource(properties={"[concat('a', 1)]": 2, "[[b]": 3})))
    assert found.body == {"properties": {"a1": 2, "[b]": 3}}


def test_more_resources_than_azure_takes_are_refused() -> None:
    (fault,) = faults(template(*(resource(f"f/p{number}") for number in range(805))))
    assert fault.message == "A template has at most 800 resources."


@pytest.mark.parametrize("section", ["resources", "variables", "parameters", "outputs"])
def test_a_section_of_the_wrong_kind_is_told(section: str) -> None:
    assert faults(template(**{section: "text"}))[0].path == section
