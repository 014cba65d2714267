"""The message of a failed expression: what is wrong, the text, and a caret under the place."""

from manara.errors import WrongExpression

_WIDTH = 100


def wrong(text: str, at: int, message: str, advice: str = "", signature: str = "") -> WrongExpression:
    """Return the error for the place `at` (an offset) in the text of an expression.

    The signature of the function that is concerned stands below the caret.

    >>> print(wrong("@foo(1)", 1, "There is no function 'foo'."))
    There is no function 'foo'.
      @foo(1)
       ^
    """
    said = f"{message} {advice}" if advice else message
    below = f"\n  {signature}" if signature else ""
    return WrongExpression(f"{said}\n{_excerpt(text, at)}{below}")


def _excerpt(text: str, at: int) -> str:
    """Return the line of the text that holds the place, cut to a readable width, with a caret below."""
    first = text.rfind("\n", 0, at) + 1
    last = text.find("\n", at)
    line = text[first : last if last >= 0 else len(text)].replace("\t", " ").replace("\r", " ")
    column = at - first
    cut = max(0, column - _WIDTH // 2)
    shown, column = line[cut : cut + _WIDTH], column - cut
    if cut:
        shown, column = "..." + shown, column + 3
    if cut + _WIDTH < len(line):
        shown += "..."
    return f"  {shown}\n  {' ' * column}^"
