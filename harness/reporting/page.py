"""One Jinja environment for every page: one file that asks nothing of the outside, the same bytes each time."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

UNDEFINED = "undefined"
"""Printed for a number that is none where nobody told why."""
_MINUS = "−"


def render(template: str, **context: Any) -> str:
    """A page from its template; what the context holds is escaped, a name that it lacks is an error."""
    return _environment().get_template(template).render(**context)


def number(value: float | None, digits: int = 3, undefined: str = UNDEFINED) -> str:
    """A number to so many significant digits, whole ones whole; what is none is said, never 0 and never blank.

    >>> number(0.0868139), number(54), number(1.2e-9), number(float("nan"))
    ('0.0868', '54', '1.20e−9', 'undefined')
    """
    if value is None or not math.isfinite(value):
        return undefined
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f").replace("-", _MINUS)
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e6:
        places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return f"{value:.{places}f}".replace("-", _MINUS)
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", _MINUS)


def signed(value: float | None, digits: int = 3, undefined: str = UNDEFINED) -> str:
    """A number with its sign, for a difference."""
    text = number(value, digits, undefined)
    return f"+{text}" if value is not None and math.isfinite(value) and value > 0 else text


def share(value: float | None, places: int = 0, undefined: str = UNDEFINED) -> str:
    """A share as a percentage."""
    if value is None or not math.isfinite(value):
        return undefined
    return f"{100 * value:.{places}f}\u202f%".replace("-", _MINUS)


def when(moment: str) -> str:
    """A UTC moment from its ISO 8601 text, to the minute; a text that is no moment as it is."""
    try:
        told = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return f"{told.day} {_MONTHS[told.month - 1]} {told.year}, {told:%H:%M} UTC"


def size(count: float | None, undefined: str = UNDEFINED) -> str:
    """Bytes in the unit that a reader would take."""
    if count is None:
        return undefined
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{number(float(count))}\u202f{unit}" if unit != "B" else f"{int(count)}\u202fB"
        count /= 1000
    return undefined


def seconds(value: float | None, undefined: str = UNDEFINED) -> str:
    """A time that something took."""
    if value is None or not math.isfinite(value):
        return undefined
    if value < 60:
        return f"{number(float(value))}\u202fs"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}\u202fh {minutes:02d}\u202fmin" if hours else f"{minutes}\u202fmin {rest:02d}\u202fs"


def markdown(words: object) -> str:
    """Somebody's words as Markdown reads them: plain, on one line."""
    return _ACTIVE.sub(r"\\\1", " ".join(str(words).split()))


def heading(title: str) -> str:
    """A title that begins with a capital, unless it begins with a name that has its own spelling."""
    return title if "," in title else title[:1].upper() + title[1:]


_ACTIVE = re.compile(r"([\\`*_{}\[\]<>|#~&])")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FILTERS = {
    "number": number,
    "signed": signed,
    "share": share,
    "when": when,
    "size": size,
    "seconds": seconds,
    "markdown": markdown,
    "heading": heading,
}


@cache
def _environment() -> Environment:
    env = Environment(
        loader=PackageLoader("harness.reporting"),
        autoescape=_escaped,  # noqa: S701 - HTML always
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update(FILTERS)
    script = _asset("page.js")
    env.globals.update(
        css=Markup(_asset("page.css")),  # noqa: S704 - files of this package
        script=Markup(script),  # noqa: S704
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return env


def _escaped(name: str | None) -> bool:
    """Everything but Markdown, which has other characters to escape."""
    return name is None or name.endswith(".html.j2")


def _asset(name: str) -> str:
    found = resources.files("harness.reporting") / "templates" / name
    return found.read_text(encoding="utf-8") if found.is_file() else ""
