"""XML documents as a small tree that keeps prefixes and knows its parents; with JSON in both directions."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any
from xml.parsers import expat

from manara.expr.table import Unfit
from manara.expr.value import kind_of, text_of

MAX_NESTED = 200

_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({'"': "&quot;", "\n": "&#xA;", "\r": "&#xD;", "\t": "&#x9;"})


class XmlNode:
    """A node of a document. `kind` is document, element, attribute, text, comment or instruction.

    `value` is the text of all but documents and elements; `order` is the place in the document.
    """

    __slots__ = ("attributes", "children", "is_closed_at_once", "kind", "name", "order", "parent", "spaces", "value")

    def __init__(self, kind: str, order: int, *, name: str = "", value: str = "") -> None:
        self.kind, self.order, self.name, self.value = kind, order, name, value
        self.parent: XmlNode | None = None
        self.children: list[XmlNode] = []
        self.attributes: list[XmlNode] = []
        self.spaces: dict[str, str] = {}
        self.is_closed_at_once = False

    @property
    def is_element(self) -> bool:
        return self.kind == "element"

    @property
    def local_name(self) -> str:
        return self.name.rpartition(":")[2]

    def space(self) -> str:
        """Return the address of the namespace of the name; empty where it has none."""
        prefix = self.name.rpartition(":")[0]
        if self.kind == "attribute":
            return self.parent.spaces.get(prefix, "") if prefix and self.parent else ""
        return self.spaces.get(prefix, "") if self.is_element else ""

    def text_content(self) -> str:
        """Return all text in the node, in the order of the document."""
        if self.kind not in ("element", "document"):
            return self.value
        return "".join(node.value for node in self.descendants() if node.kind == "text")

    def descendants(self) -> Iterator["XmlNode"]:
        """Yield all nodes below, in the order of the document."""
        pending = list(reversed(self.children))
        while pending:
            node = pending.pop()
            yield node
            pending.extend(reversed(node.children))

    def add(self, child: "XmlNode") -> "XmlNode":
        child.parent = self
        (self.attributes if child.kind == "attribute" else self.children).append(child)
        return child


def read(text: str) -> XmlNode:
    """Return the document. Raises Unfit for what is no XML, and for a DTD (its entities could grow without end)."""
    return _Reader(text).document


class _Reader:
    def __init__(self, text: str) -> None:
        self.data = text.encode("utf-8", "replace")
        self.orders = count()
        self.document = self.node = XmlNode("document", next(self.orders))
        self.depth = 0
        self.parser = expat.ParserCreate("utf-8")
        self.parser.ordered_attributes = True
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.CommentHandler = lambda value: self.add("comment", value=value)
        self.parser.ProcessingInstructionHandler = lambda name, value: self.add("instruction", name=name, value=value)
        self.parser.XmlDeclHandler = self.declaration
        self.parser.StartDoctypeDeclHandler = self.refuse
        try:
            self.parser.Parse(self.data, True)
        except expat.ExpatError as error:
            raise Unfit(f"The text is not XML: {error}.") from error

    def add(self, kind: str, *, name: str = "", value: str = "") -> XmlNode:
        return self.node.add(XmlNode(kind, next(self.orders), name=name, value=value))

    def start(self, name: str, attributes: list[str]) -> None:
        self.depth += 1
        if self.depth > MAX_NESTED:
            raise Unfit(f"The XML is nested more than {MAX_NESTED} deep.")
        spaces = self.node.spaces
        self.node = self.add("element", name=name)
        pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
        declared = {key.partition(":")[2]: value for key, value in pairs if key.split(":")[0] == "xmlns"}
        self.node.spaces = {**spaces, **declared} if declared else spaces
        for key, value in pairs:
            self.add("attribute", name=key, value=value)

    def end(self, _: str) -> None:
        at = self.parser.CurrentByteIndex
        self.node.is_closed_at_once = self.data[at - 2 : at] == b"/>" and not self.node.children
        self.depth -= 1
        self.node = self.node.parent or self.document

    def text(self, value: str) -> None:
        if value.strip():  # blanks between elements mean nothing
            self.add("text", value=value)

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        parts = {"version": version, "encoding": encoding, "standalone": {1: "yes", 0: "no"}.get(standalone)}
        value = " ".join(f'{name}="{part}"' for name, part in parts.items() if part)
        self.add("instruction", name="xml", value=value)

    def refuse(self, *_: object) -> None:
        raise Unfit("An XML document with a DTD (<!DOCTYPE ...>) is not read.")


def write(node: XmlNode) -> str:
    """Return the node as XML text."""
    if node.kind == "document":
        return "".join(map(write, node.children))
    if node.kind == "element":
        opening = node.name + "".join(f' {one.name}="{one.value.translate(_IN_ATTRIBUTE)}"' for one in node.attributes)
        if node.is_closed_at_once:
            return f"<{opening} />"
        return f"<{opening}>{''.join(map(write, node.children))}</{node.name}>"
    if node.kind == "comment":
        return f"<!--{node.value}-->"
    if node.kind == "instruction":
        return f"<?{node.name} {node.value}?>"
    return node.value.translate(_IN_TEXT)


def to_object(node: XmlNode) -> Any:
    """Return a document as JSON: `@name` for attributes, `#text` beside elements, an array for a repeated name."""
    if node.is_element and not node.attributes:
        if not node.children:
            return None if node.is_closed_at_once else ""
        if all(child.kind == "text" for child in node.children):
            return node.text_content()
    made: dict[str, Any] = {f"@{one.name}": one.value for one in node.attributes}
    for child in node.children:
        if child.kind == "instruction":
            parts = (part.partition("=") for part in child.value.split())
            made[f"?{child.name}"] = {f"@{name}": value.strip('"') for name, _, value in parts}
        elif child.kind != "comment":
            _put(made, "#text" if child.kind == "text" else child.name, _part(child))
    return made


def _part(child: XmlNode) -> Any:
    return child.value if child.kind == "text" else to_object(child)


def _put(made: dict[str, Any], name: str, value: Any) -> None:
    if name not in made:
        made[name] = value
    elif isinstance(made[name], list):
        made[name].append(value)
    else:
        made[name] = [made[name], value]


def from_object(value: Mapping[str, Any]) -> XmlNode:
    """Return the document that an object stands for; the reverse of `to_object`."""
    orders = count()
    document = XmlNode("document", next(orders))
    _fill(document, value, orders)
    if sum(child.is_element for child in document.children) != 1:
        raise Unfit("An XML document has one root: the object needs one property, which is not an array.")
    # What was built is read again: that refuses names which XML does not allow.
    return read(write(document))


def _fill(parent: XmlNode, value: Any, orders: Iterator[int]) -> None:
    if not isinstance(value, Mapping):
        if isinstance(value, (list, tuple)):
            raise Unfit(f"An array needs a name in XML; {kind_of(value)} has none.")
        text = str(value).lower() if isinstance(value, bool) else text_of(value)
        parent.is_closed_at_once = value is None
        if text:
            parent.add(XmlNode("text", next(orders), value=text))
        return
    parent.is_closed_at_once = not any(not name.startswith("@") for name in value)
    for name, part in value.items():
        _fill_property(parent, name, part, orders)


def _fill_property(parent: XmlNode, name: str, part: Any, orders: Iterator[int]) -> None:
    if name.startswith("?"):
        if isinstance(part, Mapping):
            text = " ".join(f'{key.removeprefix("@")}="{text_of(one)}"' for key, one in part.items())
            parent.add(XmlNode("instruction", next(orders), name=name[1:], value=text))
    elif name.startswith("@"):
        parent.add(XmlNode("attribute", next(orders), name=name[1:], value=text_of(part)))
    elif name in ("#text", "#cdata-section"):
        parent.add(XmlNode("text", next(orders), value=text_of(part)))
    else:
        for one in part if isinstance(part, (list, tuple)) else [part]:
            _fill(parent.add(XmlNode("element", next(orders), name=name)), one, orders)
