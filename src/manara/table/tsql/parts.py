"""A T-SQL batch taken apart: its statements, which need no semicolons between them, and its IF, WHILE, TRY, BEGIN."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import SqlglotError

from manara.errors import WrongDefinition

SHOWN = 300
_STARTERS = {
    "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "DROP", "CREATE", "ALTER", "EXEC", "EXECUTE",
    "DECLARE", "SET", "IF", "BEGIN", "PRINT", "WHILE", "RETURN", "USE", "COMMIT", "ROLLBACK", "THROW", "RAISERROR",
    "GRANT", "REVOKE", "DENY", "OPEN", "CLOSE", "DEALLOCATE", "FETCH", "SAVE", "WAITFOR", "BREAK", "CONTINUE", "GOTO",
}  # fmt: skip
_VERBS = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"}
_OBJECTS = {"TABLE", "VIEW", "PROCEDURE", "PROC", "FUNCTION", "INDEX", "SCHEMA", "COLUMN", "CONSTRAINT", "SEQUENCE"}
_PARTS = {"COLUMN", "CONSTRAINT"}
"""What an ALTER TABLE alters or drops."""
_PROGRAMS = {"PROCEDURE", "PROC", "FUNCTION", "TRIGGER"}
_NOT_HERE = {
    "GRANT": "rights",
    "REVOKE": "rights",
    "DENY": "rights",
    "SAVE": "a savepoint",
    "GOTO": "a jump",
    "WAITFOR": "a wait",
    "USE": "another database",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """One statement: its first word in capitals, and its text."""

    word: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class If:
    """What is done where a condition holds, and otherwise."""

    condition: str
    then: "tuple[Part, ...]"
    other: "tuple[Part, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class While:
    """What is done again for as long as a condition holds."""

    condition: str
    body: "tuple[Part, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """What is done, and what is done where that fails."""

    body: "tuple[Part, ...]"
    handler: "tuple[Part, ...]"


Part = Plain | If | While | Try


def parts(text: str) -> list[Part]:
    """Return the statements of a batch. Raises WrongDefinition for what has no counterpart, with the statement.

    >>> [part.text for part in parts("truncate table a insert into b select 1 update b set x = 2") if part]
    ['truncate table a', 'insert into b select 1', 'update b set x = 2']
    """
    return list(_Reader(text, tokens_of(text)).all())


class _Tokenizer(TSQL.Tokenizer):
    COMMANDS: ClassVar[set[Any]] = set()  # or all that follows END, say, would be one text


def tokens_of(text: str) -> list[Any]:
    """Return the tokens of T-SQL. Raises WrongDefinition."""
    try:
        return list(_Tokenizer(dialect="tsql").tokenize(text))
    except SqlglotError as error:
        raise WrongDefinition(f"This T-SQL cannot be read: {shown(text)}.", advice=str(error)[:200]) from error


def refuse(statement: str, what: str) -> NoReturn:
    """Raise the error for a statement that the stand-in cannot answer."""
    raise WrongDefinition(
        f"This statement holds {what}, which cannot be translated: {shown(statement)}.",
        advice="Write it otherwise, or put a script for the stand-in in its place.",
        code="UserErrorCannotTranslateSql",
    )


def shown(text: str) -> str:
    """Return a statement as a message shows it: on one line, and cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 4]} ..."


class _Reader:
    def __init__(self, text: str, tokens: Sequence[Any]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 0
        self._loops = self._handlers = 0  # how many there are around the place

    def all(self) -> Iterator[Part]:
        while self._at < len(self._tokens):
            yield from self._one()

    def _word(self, at: int) -> str:
        """Return the word at a place in capitals; nothing for what is quoted, or part of a longer name."""
        if not 0 <= at < len(self._tokens):
            return ""
        token = self._tokens[at]
        if token.token_type.name in {"IDENTIFIER", "STRING", "NATIONAL_STRING", "NUMBER"}:
            return ""
        if at and self._tokens[at - 1].text in {".", "@", "#"}:
            return ""
        return str(token.text).upper()

    def _one(self) -> Iterator[Part]:
        word = self._word(self._at)
        if word == ";" or self._is_go(self._at):
            self._at += 1
        elif word == "BEGIN":
            yield from self._block()
        elif word == "IF":
            yield self._if()
        elif word == "WHILE":
            yield self._while()
        elif word in {"ELSE", "END"}:
            raise WrongDefinition(f"There is an {word} without its beginning: {shown(self._text)}")
        else:
            yield self._plain()

    def _is_go(self, at: int) -> bool:
        if self._word(at) != "GO":
            return False
        line = self._tokens[at].line
        others = [self._tokens[n].line for n in (at - 1, at + 1) if 0 <= n < len(self._tokens)]
        return line not in others

    def _block(self) -> Iterator[Part]:
        follows = self._word(self._at + 1)
        if follows in {"TRAN", "TRANSACTION"}:
            yield self._plain()
            return
        if follows == "TRY":
            yield self._try()
            return
        if follows == "CATCH":
            raise WrongDefinition(f"There is a CATCH without its TRY: {shown(self._text)}")
        self._at += 1
        yield from self._up_to_end()
        self._at += 1

    def _up_to_end(self) -> Iterator[Part]:
        while self._word(self._at) != "END":
            if self._at >= len(self._tokens):
                raise WrongDefinition(f"A BEGIN has no END: {shown(self._text)}")
            yield from self._one()

    def _try(self) -> Try:
        self._at += 2
        body = tuple(self._up_to_end())
        self._expect("END", "TRY")
        while self._word(self._at) == ";":
            self._at += 1
        self._expect("BEGIN", "CATCH")
        self._handlers += 1
        handler = tuple(self._up_to_end())
        self._handlers -= 1
        self._expect("END", "CATCH")
        return Try(body=body, handler=handler)

    def _expect(self, *words: str) -> None:
        for word in words:
            if self._word(self._at) != word:
                raise WrongDefinition(f"{' '.join(words)} is missing: {shown(self._text)}")
            self._at += 1

    def _while(self) -> While:
        condition = self._condition()
        self._loops += 1
        body = self._branch()
        self._loops -= 1
        return While(condition=condition, body=body)

    def _condition(self) -> str:
        """Return what stands behind IF or WHILE, up to the statement that depends on it."""
        self._at += 1
        start, depth = self._at, 0
        while self._at < len(self._tokens):
            depth += self._depth(self._at)
            if not depth and self._word(self._at) in _STARTERS and self._at > start:
                break
            self._at += 1
        return self._between(start, self._at)

    def _if(self) -> If:
        condition = self._condition()
        then = self._branch()
        mark = self._at
        while self._word(self._at) == ";":
            self._at += 1
        if self._word(self._at) == "ELSE":
            self._at += 1
            return If(condition=condition, then=then, other=self._branch())
        self._at = mark
        return If(condition=condition, then=then)

    def _branch(self) -> tuple[Part, ...]:
        found = tuple(self._one())
        if not found and self._at >= len(self._tokens):
            raise WrongDefinition(f"An IF or WHILE has nothing to do: {shown(self._text)}")
        return found

    def _depth(self, at: int) -> int:
        text = self._tokens[at].text
        return 1 if text == "(" else -1 if text == ")" else 0

    def _plain(self) -> Plain:
        start, first = self._at, self._word(self._at)
        self._check_first(start, first)
        verb, seen, depth, cases = first, set[str](), 0, 0
        self._at += 1
        while self._at < len(self._tokens):
            word = self._word(self._at)
            depth += self._depth(self._at)
            if not depth:
                cases += word == "CASE"
                if cases and word == "END":
                    cases -= 1
                elif (not cases and (word in {";", "ELSE", "END"} or self._is_go(self._at))) or (
                    word in _STARTERS and not self._belongs(word, verb, seen)
                ):
                    break
                elif verb == "WITH" and word in _VERBS:
                    verb, seen = word, set()
                elif word in _STARTERS or word in {"VALUES", "DEFAULT", "WITH"}:
                    seen.add(word)
            self._at += 1
        return Plain(word=verb, text=self._between(start, self._at))

    def _check_first(self, start: int, first: str) -> None:
        """Raise WrongDefinition for a statement that cannot be answered, or that does not belong here."""
        told = self._between(start, min(start + 20, len(self._tokens)))
        if first in _NOT_HERE:
            refuse(told, _NOT_HERE[first])
        if first == "ROLLBACK" and not self._handlers:
            refuse(told, "a ROLLBACK outside of a CATCH")
        if first in {"BREAK", "CONTINUE"} and not self._loops:
            raise WrongDefinition(f"There is a {first} outside of a loop: {shown(self._text)}")
        if first in {"CREATE", "ALTER"} and _PROGRAMS & {self._word(start + n) for n in (1, 2, 3)}:
            refuse(self._between(start, len(self._tokens)), "a program of the database")

    def _belongs(self, word: str, verb: str, seen: set[str]) -> bool:  # noqa: PLR0911 # a table of rules
        """Say whether a word that may begin a statement is still a part of the one that is being read."""
        before = self._word(self._at - 1)
        if word in _VERBS and verb == "WITH":
            return True
        if word in {"OPEN", "CLOSE"}:  # these may be names of columns
            follows = self._tokens[self._at + 1].token_type.name if self._at + 1 < len(self._tokens) else ""
            return before in {",", "SELECT", "BY", "AS"} or follows not in {"VAR", "IDENTIFIER", "PARAMETER", "GLOBAL"}
        if word == "SELECT":
            has_source = bool(seen & {"SELECT", "VALUES", "EXEC", "EXECUTE", "DEFAULT"})
            is_of_cursor = verb in {"DECLARE", "SET"} and (before == "FOR" or ("WITH" in seen and not has_source))
            goes_on = before in {"UNION", "ALL", "EXCEPT", "INTERSECT", "AS"}
            return goes_on or is_of_cursor or (verb == "INSERT" and not has_source)
        if word in {"INSERT", "UPDATE", "DELETE"}:
            return before in {"THEN", "ON", "FOR"}
        if word == "SET":
            return (verb == "UPDATE" and "SET" not in seen) or before in {"UPDATE", "DELETE"}
        if word in {"EXEC", "EXECUTE"}:
            return verb == "INSERT" and not seen & {"SELECT", "VALUES", "EXEC", "EXECUTE", "DEFAULT"}
        if word in {"DROP", "ALTER"}:
            return (verb == "ALTER" and self._word(self._at + 1) not in _OBJECTS - _PARTS) or before == "OR"
        if word == "FETCH":
            return before in {"ROW", "ROWS"}
        return word == "IF" and verb in {"DROP", "ALTER", "CREATE"} and before in _OBJECTS

    def _between(self, start: int, end: int) -> str:
        if end <= start:
            return ""
        return self._text[self._tokens[start].start : self._tokens[end - 1].end + 1]
