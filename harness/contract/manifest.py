"""`submission.toml`: what a submission is, how it is run, what it may be tuned by, and what it claims to do."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from harness.contract.models import Record
from harness.errors import HarnessError, UnknownNameError

MANIFEST = "submission.toml"
Param = bool | int | float | str | list[bool | int | float | str]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]


class Run(Record):
    """How the submission is started: exactly one of `module`, `command`, `image` and `build`."""

    module: str | None = None
    """Python: `package.module:object` with `predict(task) -> Predictions`."""
    command: list[str] | None = None
    """Any program, as a list of words, started in the submission folder."""
    image: str | None = None
    """A container image by digest: `name@sha256:…`."""
    build: str | None = None
    """A Containerfile, relative to the repository or the submission folder."""
    runtime: Literal["process", "venv", "docker", "podman", "apptainer"] = "process"
    """Where it runs unless `--runtime` says otherwise."""
    requirements: str | None = None
    """A lock file for the `venv` runtime."""
    input_format: Literal["folder", "h5ad"] = "folder"
    """`h5ad` replaces the train and query folders of the task by `train.h5ad` and `query.h5ad`."""

    @model_validator(mode="after")
    def _one_way_to_start(self) -> Run:
        given = [way for way in ("module", "command", "image", "build") if getattr(self, way) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of module, command, image, build is needed, got {given or 'none'}")
        if self.module is not None and not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", self.module):
            raise ValueError(f"module is 'package.module:object', got {self.module!r}")
        if self.command is not None and not self.command:
            raise ValueError("command is an empty list")
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
    memory: Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?[KMGT]$")] = "8G"
    gpus: Annotated[int, Field(ge=0)] = 0
    time: Annotated[str, StringConstraints(pattern=r"^(\d+-)?\d{1,2}:\d{2}:\d{2}$")] = "00:30:00"

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

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    """Version of this format."""
    name: Name
    """Unique on the board: lower-case letters, digits and dashes."""
    version: str
    title: str
    authors: list[str]
    license: str
    url: str | None = None
    run: Run
    params: dict[str, Param] = {}
    """Everything tunable, with its default; recorded resolved in every run."""
    variants: dict[str, dict[str, Param]] = {}
    """Named patches over `params`, submitted as `folder@variant`."""
    claims: Claims = Claims()
    resources: Resources = Resources()

    @field_validator("variants")
    @classmethod
    def _variant_names(cls, variants: dict[str, dict[str, Param]]) -> dict[str, dict[str, Param]]:
        for name in variants:
            if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
                raise ValueError(f"variant name {name!r} may hold only a-z, 0-9, _ and -")
        return variants

    @model_validator(mode="after")
    def _variants_patch_known_params(self) -> Submission:
        for name, patch in self.variants.items():
            unknown = sorted(set(patch) - set(self.params))
            if unknown:
                raise ValueError(f"variant {name!r} patches unknown params {unknown}")
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
            _same_kind(key, self.params[key], value)
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
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HarnessError("submission.toml is not readable TOML", where=path, got=error) from None
    return Submission.read(document, where=path)


def parse_reference(text: str) -> tuple[Path, str | None]:
    """`submissions/v2@no_graph` as (folder, variant)."""
    folder, at, variant = text.rpartition("@")
    return (Path(folder), variant) if at else (Path(text), None)


def _same_kind(key: str, default: Param, value: Param) -> None:
    numeric = (int, float)
    same = type(value) is type(default) or (
        isinstance(default, float) and isinstance(value, numeric) and not isinstance(value, bool)
    )
    if not same:
        raise HarnessError(
            f"parameter {key!r} has the wrong type",
            got=f"{value!r} ({type(value).__name__})",
            expected=f"{type(default).__name__}, like its default {default!r}",
        )
