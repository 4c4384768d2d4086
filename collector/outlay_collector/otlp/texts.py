"""Values of OTLP as text, to the letter as ClickHouse writes them in the view `otlp_to_spans`.

Integers are digits, doubles the shortest ones that are theirs, booleans true and false, bytes base64, arrays and
key-value lists JSON. Messages may be strict or lenient: their texts are then bytes.
"""

from __future__ import annotations

import base64
import math
import re
from decimal import Decimal
from typing import Any

NESTED = ("array_value", "kvlist_value")
POINT_POWERS = range(-6, 21)
"""Powers of ten up to which a double is written without an exponent."""
_ESCAPED = re.compile('["\\\\\x00-\x1f\u2028\u2029]')
_ESCAPES = {
    **{chr(code): f"\\u{code:04X}" for code in (*range(32), 0x2028, 0x2029)},
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}


def value_text(value: Any) -> str:
    """An AnyValue as `attributes` holds it: strings as they are, arrays and key-value lists as JSON."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return text(value.string_value)
    return json_text(value) if kind in NESTED else scalar_text(value, kind)


def scalar_text(value: Any, kind: str | None) -> str:
    """An AnyValue of this kind that is neither text nor nested."""
    if kind is None:
        return ""
    got = getattr(value, kind)
    if kind == "bool_value":
        return "true" if got else "false"
    if kind == "double_value":
        return double_text(got)
    return base64.b64encode(got).decode() if kind == "bytes_value" else str(got)


def json_text(value: Any) -> str:
    """An AnyValue as JSON without spaces; keys that are there twice stay so."""
    kind = value.WhichOneof("value")
    if kind is None:
        return "null"
    if kind == "string_value":
        return json_string(text(value.string_value))
    if kind == "array_value":
        return f"[{','.join(map(json_text, value.array_value.values))}]"
    if kind == "kvlist_value":
        pairs = (f"{json_string(text(pair.key))}:{json_text(pair.value)}" for pair in value.kvlist_value.values)
        return f"{{{','.join(pairs)}}}"
    said = scalar_text(value, kind)
    quoted = kind == "bytes_value" or (kind == "double_value" and not math.isfinite(value.double_value))
    return f'"{said}"' if quoted else said


def json_string(given: str) -> str:
    """A text in quotes."""
    return f'"{_ESCAPED.sub(lambda found: _ESCAPES[found[0]], given)}"'


def double_text(number: float) -> str:
    """A double: whole ones without a point, `nan` and `inf` by name, exponents only of the very small and large."""
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    shortest = repr(number)
    digits, _, power = shortest.partition("e")
    if power and int(power) in POINT_POWERS:
        return format(Decimal(shortest), "f")
    digits = digits.removesuffix(".0")
    return f"{digits}e{int(power)}" if power else digits


def text(raw: Any) -> str:
    """A text of a strict or a lenient message; what is not UTF-8 is replaced by a mark."""
    return raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
