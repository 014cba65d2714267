"""Integration runtimes over the API: their keys, and the workers that have joined them."""

import base64
import secrets
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from manara import clock
from manara.server.answer import Answer, Problem, bad_request, not_found
from manara.server.arm.resources import factory, put_part, shown_part
from manara.server.site import Call
from manara.store.documents import Document
from manara.store.nodes import Node, forget_node, list_nodes

KEYS = "authKeys"
"""Where the keys of a self-hosted integration runtime stand in its document; no answer but that to listAuthKeys."""

_KEY_NAMES = ("authKey1", "authKey2")


def put_runtime(call: Call) -> Answer:
    """Make or replace an integration runtime; a self-hosted one keeps its keys, or gets new ones."""
    old = call.documents.get(call.path)
    answer = put_part(call)
    document = _runtime(call)
    keys = (old.body.get(KEYS) if old else None) or {name: _new_key(call) for name in _KEY_NAMES}
    if _is_self_hosted(document):
        document = call.documents.put(document.path, document.type, document.parent, {**document.body, KEYS: keys})
        return Answer(status=answer.status, body=shown_part(call, document))
    return answer


def patch_runtime(call: Call) -> Answer:
    """Take the settings of automatic updates, which say nothing here, and answer with the runtime."""
    document = _runtime(call)
    if not isinstance(call.body, Mapping):
        raise bad_request("The request's body must be a JSON object.", target=call.path)
    told = {key: call.body[key] for key in ("autoUpdate", "updateDelayOffset") if key in call.body}
    body = {**document.body, "updates": told}
    return Answer(body=shown_part(call, call.documents.put(document.path, document.type, document.parent, body)))


def runtime_status(call: Call) -> Answer:
    """Answer with the state of an integration runtime, and of the workers that have joined it."""
    document = _runtime(call)
    nodes = list_nodes(call.site.journal, document.id)
    is_online = any(node.is_online for node in nodes)
    kind = "SelfHosted" if _is_self_hosted(document) else "Managed"
    properties: dict[str, Any] = {"type": kind, "dataFactoryName": call.names["factoryName"]}
    if kind == "Managed":
        properties |= {"state": "Online", "typeProperties": {"createTime": clock.stamp(document.created), "nodes": []}}
    else:
        properties |= {
            "state": "Online" if is_online else "Offline" if nodes else "NeedRegistration",
            "typeProperties": {
                "createTime": clock.stamp(document.created),
                "nodes": [_shown_node(node) for node in nodes],
                "autoUpdate": document.body.get("updates", {}).get("autoUpdate", "Off"),
                "version": _version(),
                "capabilities": {},
                "links": [],
            },
        }
    return Answer(body={"name": document.name, "properties": properties})


def list_keys(call: Call) -> Answer:
    """Answer with the keys with which a worker joins a self-hosted integration runtime."""
    return Answer(body=_keys(call))


def new_key(call: Call) -> Answer:
    """Make one of the two keys anew; the old one opens nothing any more."""
    keys = _keys(call)
    name = str(call.body.get("keyName")) if isinstance(call.body, Mapping) else ""
    if name not in _KEY_NAMES:
        raise bad_request(f"keyName must be one of {', '.join(_KEY_NAMES)}.", target=call.path)
    document = _runtime(call)
    told = {**keys, name: _new_key(call)}
    call.documents.put(document.path, document.type, document.parent, {**document.body, KEYS: told})
    return Answer(body=told)


def connection_info(call: Call) -> Answer:
    """Answer with how a worker reaches this server."""
    _runtime(call)
    return Answer(
        body={
            "serviceToken": "",
            "identityCertThumbprint": "",
            "hostServiceUri": call.base,
            "version": _version(),
            "publicKey": "",
            "isIdentityCertExprired": False,
        }
    )


def monitoring_data(call: Call) -> Answer:
    """Answer with what the workers of an integration runtime last told of themselves."""
    document = _runtime(call)
    nodes = list_nodes(call.site.journal, document.id)
    shown = [
        {
            "nodeName": node.name,
            "availableMemoryInMB": node.body.get("availableMemoryInMB"),
            "cpuUtilization": node.body.get("cpuUtilization"),
            "concurrentJobsLimit": node.body.get("concurrentJobsLimit"),
            "concurrentJobsRunning": node.body.get("concurrentJobsRunning"),
            "maxConcurrentJobs": node.body.get("concurrentJobsLimit"),
        }
        for node in nodes
    ]
    return Answer(body={"name": document.name, "nodes": shown})


def get_node(call: Call) -> Answer:
    """Answer with one worker of an integration runtime."""
    return Answer(body=_shown_node(_node(call)))


def patch_node(call: Call) -> Answer:
    """Answer with the worker: how many runs it does at once is a setting of its own process."""
    return Answer(body=_shown_node(_node(call)))


def delete_node(call: Call) -> Answer:
    """Take a worker off the list."""
    document = _runtime(call)
    gone = forget_node(call.site.journal, document.id, call.names["nodeName"])
    return Answer(status=200 if gone else 204)


def node_address(call: Call) -> Answer:
    """Answer with the machine that a worker is on."""
    return Answer(body={"ipAddress": str(_node(call).body.get("address") or "")})


def _runtime(call: Call) -> Document:
    factory(call)
    path = call.path_of(11)
    found = call.documents.get(path)
    if found is None:
        raise not_found(path)
    return found


def _keys(call: Call) -> dict[str, Any]:
    document = _runtime(call)
    if not _is_self_hosted(document):
        raise bad_request("Only a self-hosted integration runtime has keys.", target=document.path)
    return dict(document.body.get(KEYS) or {})


def _node(call: Call) -> Node:
    wanted = call.names["nodeName"].lower()
    for node in list_nodes(call.site.journal, _runtime(call).id):
        if node.name.lower() == wanted:
            return node
    told = f"The integration runtime has no node '{call.names['nodeName']}'."
    raise Problem(404, "IntegrationRuntimeNodeNotFound", told, target=call.path)


def _is_self_hosted(document: Document) -> bool:
    return str(document.body.get("properties", {}).get("type")).lower() == "selfhosted"


def _new_key(call: Call) -> str:
    return f"IR@{call.path_of(11).rpartition('/')[2]}@{call.names['factoryName']}@{_random()}"


def _random() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _shown_node(node: Node) -> dict[str, Any]:
    return {
        "nodeName": node.name,
        "machineName": node.body.get("machine"),
        "status": "Online" if node.is_online else "Offline",
        "registerTime": node.body.get("since"),
        "lastConnectTime": clock.stamp(node.seen),
        "concurrentJobsLimit": node.body.get("concurrentJobsLimit"),
        "maxConcurrentJobs": node.body.get("concurrentJobsLimit"),
        "version": _version(),
        "versionStatus": "UpToDate",
        "isActiveDispatcher": False,
        "lastUpdateResult": "None",
    }


def _version() -> str:
    return version("manara")
