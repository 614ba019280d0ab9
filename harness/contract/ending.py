"""How a run ended, as the run's record says it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import ConfigDict, StringConstraints, model_validator

from harness.contract.models import Record
from harness.contract.status import RunStatus


class RunEnding(Record):
    """The ending of a run: its status and, unless it is `ok`, the reason that the scorecard and the board show."""

    has_schema: ClassVar[bool] = True

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"status": {"const": "ok"}}},
            "else": {"required": ["reason"], "properties": {"reason": {"type": "string"}}},
        }
    )

    status: RunStatus
    reason: Annotated[str, StringConstraints(min_length=1)] | None = None
    """One sentence; a run that is not `ok` stays visible with it."""

    @model_validator(mode="after")
    def _says_why(self) -> RunEnding:
        if self.status is not RunStatus.OK and self.reason is None:
            raise ValueError(f"a run that ended as {self.status.value} needs a reason")
        return self

    @classmethod
    def schema_name(cls) -> str:
        return "status"
