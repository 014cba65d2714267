"""The number formats of .NET, for English."""

import re
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import NamedTuple

from manara.expr.table import Unfit
from manara.expr.value import float_text

MAX_DECIMALS = 400

_STANDARD = re.compile(r"([A-Za-z])(\d{0,9})")
_PIECE = re.compile(r"'[^']*'|\"[^\"]*\"|\\.|[eE][+-]?0+|.", re.DOTALL)


def format_number(number: int | float, form: str) -> str:
    """Return the number in a standard format (`N2`, `C`, `P1`, `X`, `E3`, ...) or a custom one (`#,##0.00`).

    Halves are rounded away from zero. Raises Unfit for a format that .NET does not know.
    """
    if isinstance(number, float) and number in (float("inf"), float("-inf")):
        return float_text(number)
    with localcontext() as context:
        context.prec = 1200  # a float has at most 767 significant digits: nothing is lost
        context.rounding = ROUND_HALF_UP
        if found := _STANDARD.fullmatch(form or "G"):
            return _standard(number, found[1], int(found[2]) if found[2] else None)
        return _custom(Decimal(number), form)


def _standard(number: int | float, letter: str, digits: int | None) -> str:
    if digits is not None and digits > MAX_DECIMALS:
        raise Unfit(f"The format asks for {digits} digits; {MAX_DECIMALS} are possible.")
    value, kind = Decimal(number), letter.upper()
    if kind in "GR":
        return _general(number, digits if kind == "G" else None, letter)
    if kind == "E":
        return _exponential(value, 6 if digits is None else digits, letter)
    decimals = 2 if digits is None else digits
    if kind in "FNCP":
        text = _fixed(abs(value) * 100 if kind == "P" else abs(value), decimals, grouped=kind != "F")
        text = {"C": f"${text}", "P": f"{text}%"}.get(kind, text)
        return f"-{text}" if value < 0 and any(digit in "123456789" for digit in text) else text
    if kind in "DXB" and isinstance(number, int):
        return _integer(number, kind, letter, digits or 0)
    raise Unfit(f"'{letter}{'' if digits is None else digits}' is no format for {number}.")


def _fixed(value: Decimal, decimals: int, *, grouped: bool) -> str:
    return f"{value.quantize(Decimal(1).scaleb(-decimals)):{',' if grouped else ''}f}"


def _integer(number: int, kind: str, letter: str, digits: int) -> str:
    if kind == "D":
        return f"{'-' if number < 0 else ''}{abs(number):0{digits}d}" if digits else str(number)
    bits = number & (2**64 - 1) if number < 0 else number
    return f"{bits:0{digits}{letter if kind == 'X' else 'b'}}" if digits else f"{bits:{letter if kind == 'X' else 'b'}}"


def _general(number: int | float, digits: int | None, letter: str) -> str:
    if not digits:
        return str(number) if isinstance(number, int) else float_text(number)
    value = Decimal(number)
    if not value:
        return "0"
    rounded = +value if len(value.as_tuple().digits) <= digits else round_to(value, digits)
    power = rounded.adjusted()
    if -5 < power < digits:
        text = f"{rounded:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa = f"{rounded.scaleb(-power):f}"
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}{'E' if letter == 'G' else 'e'}{'-' if power < 0 else '+'}{abs(power):02d}"


def round_to(value: Decimal, digits: int) -> Decimal:
    """Return the value rounded to so many significant digits."""
    return value.quantize(Decimal(1).scaleb(value.adjusted() - digits + 1))


def _exponential(value: Decimal, decimals: int, letter: str) -> str:
    rounded = round_to(value, decimals + 1) if value else value
    power = rounded.adjusted() if rounded else 0
    mantissa = rounded.scaleb(-power).quantize(Decimal(1).scaleb(-decimals))
    return f"{mantissa:f}{letter}{'-' if power < 0 else '+'}{abs(power):03d}"


class _Picture(NamedTuple):
    """A section of a custom format: what stands before, in and after the number, and how the number is scaled."""

    pieces: tuple[str, ...]
    whole: int  # placeholders before the point
    least_whole: int  # digits before the point that are always written
    decimals: int  # placeholders after the point
    least_decimals: int
    grouped: bool
    scale: int  # power of ten
    exponent: str


def _custom(value: Decimal, form: str) -> str:
    sections = _sections(form)
    section, signed = sections[0], True
    if value < 0 and len(sections) > 1 and sections[1]:
        section, signed = sections[1], False
    picture = _picture(section)
    digits, power = _digits(abs(value), picture)
    if not digits.strip("0.") and len(sections) > 2 and sections[2]:
        picture = _picture(sections[2])
        digits, power = _digits(Decimal(0), picture)
    sign = "-" if signed and value < 0 and digits.strip("0.") else ""
    return sign + _filled(picture, digits, power)


def _sections(form: str) -> list[list[str]]:
    sections: list[list[str]] = [[]]
    for found in _PIECE.finditer(form):
        if found[0] == ";":
            sections.append([])
        elif found[0] in ("'", '"', "\\"):
            raise Unfit(f"A quote in the format '{form}' is not closed.")
        else:
            sections[-1].append(found[0])
    return sections


def _picture(pieces: list[str]) -> _Picture:
    point = pieces.index(".") if "." in pieces else len(pieces)
    before = [piece for piece in pieces[:point] if piece in ("0", "#", ",")]
    after = [piece for piece in pieces[point:] if piece in ("0", "#")]
    scaling = len(before) - len("".join(before).rstrip(","))
    inner = "".join(before[: len(before) - scaling])
    whole = inner.replace(",", "")
    return _Picture(
        pieces=tuple(pieces),
        whole=len(whole),
        least_whole=len(whole) - whole.index("0") if "0" in whole else 0,
        decimals=len(after),
        least_decimals=max((at + 1 for at, piece in enumerate(after) if piece == "0"), default=0),
        grouped="," in inner.strip(","),
        scale=2 * pieces.count("%") + 3 * pieces.count("‰") - 3 * scaling,
        exponent=next((piece for piece in pieces if piece[0] in "eE" and len(piece) > 1), ""),
    )


def _digits(value: Decimal, picture: _Picture) -> tuple[str, int]:
    """Return the digits with a point, and the power of ten that is written beside them."""
    value, power = value.scaleb(picture.scale), 0
    if picture.exponent and value:
        power = value.adjusted() - max(picture.whole, 1) + 1
        rounded = round_to(value, max(picture.whole, 1) + picture.decimals)
        power += rounded.adjusted() - value.adjusted()
        value = rounded.scaleb(-power)
    if picture.decimals > MAX_DECIMALS:
        raise Unfit(f"The format asks for {picture.decimals} decimals; {MAX_DECIMALS} are possible.")
    return f"{value.quantize(Decimal(1).scaleb(-picture.decimals)):f}", power


def _filled(picture: _Picture, digits: str, power: int) -> str:
    whole, _, decimals = digits.partition(".")
    whole = whole.lstrip("0").rjust(picture.least_whole, "0")
    decimals = decimals[: max(len(decimals.rstrip("0")), picture.least_decimals)]
    written, place, after_point = [], 0, False
    for piece in picture.pieces:
        if piece in ("0", "#"):
            if after_point:
                written.append(decimals[place : place + 1])
            else:
                written.append(_share(whole, picture, place))
            place += 1
        elif piece == "." and not after_point:
            if not picture.whole:
                written.append(_share(whole, picture, 0))
            written.append("." if decimals else "")
            after_point, place = True, 0
        elif piece == picture.exponent and piece:
            written.append(_power(piece, power))
        elif piece not in (",", "."):
            written.append(piece[1:-1] if piece[0] in "'\"" else piece[1] if piece[0] == "\\" else piece)
    return "".join(written)


def _share(whole: str, picture: _Picture, place: int) -> str:
    """Return the digits before the point that one placeholder stands for: the first takes all that are too many."""
    right = max(picture.whole - 1 - place, 0)  # placeholders to its right
    last = len(whole) - right
    first = 0 if place == 0 else max(last - 1, 0)
    shared = range(first, max(last, 0))
    comma = {at for at in shared if at and (len(whole) - at) % 3 == 0} if picture.grouped else set()
    return "".join(("," if at in comma else "") + whole[at] for at in shared)


def _power(piece: str, power: int) -> str:
    sign = "-" if power < 0 else "+" if "+" in piece else ""
    return f"{piece[0]}{sign}{abs(power):0{piece.count('0')}d}"
