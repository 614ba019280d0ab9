"""The seal inside a page: the hash of its record and of the page itself, so that an edited number is found without its run.

It is one comment before the end of the page, of one line; the page's own hash is taken over everything else.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from harness.digest import Digest
from harness.errors import ChangedError, HarnessError
from harness.storage import canonical_json

_SEAL = re.compile(r"<!-- harness-seal (\{.*?\}) -->\n?")
_END = "</body>"


@dataclass(frozen=True)
class PageSeal:
    """What a page says of itself."""

    run: str
    """Name of the run folder that it was made from."""
    record_sha256: str
    """Of that run's `record.json`."""
    page: str
    """Hash of the page without this seal."""


def has_own_seal(name: str) -> bool:
    """Whether a page of this name can hold a comment; JSON cannot, and is sealed in `seal.json` alone."""
    return name.endswith((".html", ".md"))


def seal_page(html: str, run: str, record_sha256: str) -> str:
    """A page with its seal; one that has a seal already gets a new one."""
    bare = _SEAL.sub("", html)
    seal = {"run": run, "record": record_sha256, "page": _page_hash(bare, run, record_sha256)}
    comment = f"<!-- harness-seal {canonical_json(seal)} -->\n"
    head, end, tail = bare.rpartition(_END)
    return head + comment + end + tail if end else bare + comment


def read_page_seal(html: str, where: object) -> PageSeal:
    """The seal of a page; a page that is not as it was sealed is refused."""
    found = _SEAL.findall(html)
    if len(found) != 1:
        raise HarnessError(
            "the page has no seal" if not found else "the page has several seals",
            where=where,
            expected="one comment harness-seal, as harness writes it",
        )
    try:
        told = json.loads(found[0])
        seal = PageSeal(str(told["run"]), str(told["record"]), str(told["page"]))
    except (ValueError, KeyError, TypeError):
        raise ChangedError("the seal of the page is damaged", where=where, got=found[0][:80]) from None
    own = _page_hash(_SEAL.sub("", html), seal.run, seal.record_sha256)
    if own != seal.page:
        raise ChangedError(
            "the page has changed since it was sealed", where=where, got=own, expected=seal.page
        )
    return seal


def _page_hash(bare: str, run: str, record_sha256: str) -> str:
    return Digest("page").field("run", run).field("record", record_sha256).field("html", bare).hexdigest()
