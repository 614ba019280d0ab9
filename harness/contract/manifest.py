"""`submission.toml`: what a submission is, how it is run, what it may be tuned by, and what it claims to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from harness.contract.models import Record
from harness.errors import HarnessError, UnknownNameError
from harness.storage import read_toml

MANIFEST = "submission.toml"
WAYS = ("module", "command", "image", "build")
"""How a submission can be started; a manifest names exactly one."""

Number = Annotated[float, Field(allow_inf_nan=False)]
Param = bool | int | Number | str | list[bool | int | Number | str]
ParamName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=64)]
VariantName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]*$", max_length=64)]
Line = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$", max_length=300)
]
"""One line of text that says something: no line ends, no control characters, not only blanks."""
InnerPath = Annotated[str, StringConstraints(pattern=r"^[^/\\\x00-\x1f][^\\\x00-\x1f]*$", max_length=300)]
"""A relative path with forward slashes."""
Package = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Run(Record):
    """How the submission is started: exactly one of `module`, `command`, `image` and `build`."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [way], "properties": {way: {"not": {"type": "null"}}}} for way in WAYS]
        }
    )

    module: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$")] | None
    ) = None
    """Python: `package.module:object` with `predict(task) -> Predictions`."""
    command: Annotated[list[str], Field(min_length=1)] | None = None
    """Any program, as a list of words, started in the submission folder."""
    image: Annotated[str, StringConstraints(pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$")] | None = None
    """A container image by digest: `name@sha256:…`."""
    build: InnerPath | None = None
    """A Containerfile, relative to the repository or the submission folder."""
    runtime: Literal["process", "venv", "docker", "podman", "apptainer"] = "process"
    """Where it runs unless `--runtime` says otherwise."""
    requirements: InnerPath | None = None
    """A lock file for the `venv` runtime, relative to the submission folder."""
    packages: list[Package] = []
    """Python packages outside of the folder that are part of the submission: their source enters its content hash."""
    input_format: Literal["folder", "h5ad"] = "folder"
    """`h5ad` replaces the train and query folders of the task by `train.h5ad` and `query.h5ad`."""

    @field_validator("build", "requirements")
    @classmethod
    def _stays_inside(cls, path: str | None) -> str | None:
        if path is not None and ".." in path.split("/"):
            raise ValueError(f"the path may not climb out of its folder, got {path!r}")
        return path

    @model_validator(mode="after")
    def _one_way_to_start(self) -> Run:
        given = [way for way in WAYS if getattr(self, way) is not None]
        if len(given) != 1:
            raise ValueError(
                f"exactly one of {', '.join(WAYS)} is needed, got {' and '.join(given) or 'none'}"
            )
        return self


class Claims(Record):
    """What the submission says it can do; tasks outside its claims are declined, not failed."""

    unseen_contexts: bool = True
    """It can predict in a context without labelled cells."""
    unseen_perturbations: bool = True
    """It can predict perturbations that training never showed."""
    combinations: bool = True
    """It can predict several perturbations at once."""
    uncertainty: Literal["native", "none"] = "none"
    """`native`: it writes `var`; `none`: the harness fills the variance and says so."""
    var_kind: Literal["effect", "observed", "cell"] = "effect"
    """What its variance is the variance of."""
    inputs: list[str] = ["expression"]
    """What it reads: `expression`, `graph`, `counts`, names of embeddings."""


class Resources(Record):
    """What a run may use."""

    cpus: Annotated[int, Field(ge=1)] = 2
    memory: Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?[KMGT]$")] = "8G"
    """A number with K, M, G or T (powers of 1024)."""
    gpus: Annotated[int, Field(ge=0)] = 0
    time: Annotated[str, StringConstraints(pattern=r"^([0-9]+-)?[0-9]{1,2}:[0-5][0-9]:[0-5][0-9]$")] = (
        "00:30:00"
    )
    """`[days-]hours:minutes:seconds`."""

    @model_validator(mode="after")
    def _allows_something(self) -> Resources:
        if not self.memory_bytes or not self.seconds:
            raise ValueError(f"memory and time may not be zero, got {self.memory} and {self.time}")
        return self

    @property
    def memory_bytes(self) -> int:
        return int(float(self.memory[:-1]) * 1024 ** (" KMGT".index(self.memory[-1])))

    @property
    def seconds(self) -> int:
        days, _, clock = self.time.rpartition("-")
        hours, minutes, seconds = (int(part) for part in clock.split(":"))
        return int(days or 0) * 86_400 + hours * 3600 + minutes * 60 + seconds


class Submission(Record):
    """The manifest of a submission folder, `submission.toml`."""

    has_schema: ClassVar[bool] = True

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    """Version of this format."""
    name: Name
    """Unique on the board: lower-case letters, digits and dashes."""
    version: Version
    title: Line
    authors: list[Line]
    license: Line
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2000)] | None = None
    run: Run
    params: dict[ParamName, Param] = {}
    """Everything tunable, with its default; recorded resolved in every run."""
    variants: dict[VariantName, dict[ParamName, Param]] = {}
    """Named patches over `params`, submitted as `folder@variant`."""
    claims: Claims = Claims()
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _variants_patch_known_params(self) -> Submission:
        for name, patch in self.variants.items():
            for key, value in patch.items():
                if key not in self.params:
                    raise ValueError(
                        f"variant {name!r} patches {key!r}, which is not among the params {sorted(self.params)}"
                    )
                if not _same_kind(self.params[key], value):
                    raise ValueError(
                        f"variant {name!r} sets {key} = {value!r}, its default is {self.params[key]!r}"
                    )
        return self

    def resolve(self, variant: str | None, overrides: dict[str, Param]) -> dict[str, Param]:
        """The parameters of one run: defaults, then the variant's patch, then what the user passed."""
        patch: dict[str, Param] = {}
        if variant is not None:
            if variant not in self.variants:
                raise UnknownNameError("variant", variant, self.variants, where=self.name)
            patch = self.variants[variant]
        for key, value in overrides.items():
            if key not in self.params:
                raise UnknownNameError("parameter", key, self.params, where=self.name)
            if not _same_kind(self.params[key], value):
                raise HarnessError(
                    f"parameter {key!r} has the wrong type",
                    got=f"{value!r} ({type(value).__name__})",
                    expected=f"{type(self.params[key]).__name__}, like its default {self.params[key]!r}",
                )
        return {**self.params, **patch, **overrides}


def load_manifest(folder: Path) -> Submission:
    """Read and validate the manifest of a submission folder."""
    path = folder / MANIFEST
    if not path.is_file():
        raise HarnessError(
            "no submission here",
            where=folder,
            got="no submission.toml" if folder.is_dir() else "no such folder",
            expected=f"a folder with {MANIFEST}",
            mend="harness new NAME makes one",
        )
    return Submission.read(read_toml(path, MANIFEST), where=path)


def parse_reference(text: str) -> tuple[Path, str | None]:
    """`submissions/v2@no_graph` as (folder, variant)."""
    folder, at, variant = text.rpartition("@")
    return (Path(folder), variant or None) if at else (Path(text), None)


def _same_kind(default: Param, value: Param) -> bool:
    """Whether a value can stand for a default: the same type, or a whole number for a decimal one."""
    whole_for_decimal = isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool)
    return type(value) is type(default) or whole_for_decimal
