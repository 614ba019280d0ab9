"""How this command says no: what, where, what was found, what was expected, how to mend it."""

from __future__ import annotations

from harness.sdk import SdkError

REFUSED = 3


class RefusedError(SdkError):
    """Something that pretraining will not do."""

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        got: object = None,
        expected: object = None,
        mend: str | None = None,
    ) -> None:
        parts = {"where": where, "got": got, "expected": expected, "mend": mend}
        told = [f"  {label}: {text}" for label, text in parts.items() if text is not None]
        super().__init__("\n".join([what, *told]))
