"""The model package: the files of one version. A model is data: ONNX, UBJSON and JSON, each checked by its SHA-256."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from millrace.contract.errors import MillraceError
from millrace.contract.model import Model
from millrace.contract.problem import Problem
from millrace.domain.models import ModelKind, model_kind

MANIFEST = "manifest.json"
CONTRACT, FEATURES, CALIBRATION = "contract.json", "features.json", "calibration.json"
GOLDEN, REFERENCE = "golden.json", "reference.json"
ALWAYS = (CONTRACT, FEATURES, CALIBRATION, GOLDEN, REFERENCE)


class Manifest(Model):
    """The table of contents of a package."""

    format: Literal[1] = 1
    problem: str
    model_kind: ModelKind
    """`xgboost`: model.onnx (log-odds) and model.ubj (factors); `logistic_regression`: coefficients.json alone."""
    content_hash: str
    """SHA-256 over names and contents of all files but this one: what the model is, not where it came from."""
    files: dict[str, str]
    """SHA-256 of every other file."""
    provenance: dict[str, Any]
    """Where it came from: gold snapshot and tag, configuration, library versions, holdout figures. Not hashed."""


@dataclass(frozen=True)
class Package:
    """An opened package whose every file was checked."""

    files: Mapping[str, bytes]
    manifest: Manifest
    problem: Problem


def as_json(value: Any) -> bytes:
    """JSON that is the same for the same value: sorted keys, shortest floats, no NaN."""
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def content_hash(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the names and contents of a package's files, without the manifest (provenance)."""
    told = {name: _sha256(content) for name, content in files.items() if name != MANIFEST}
    return _sha256(json.dumps(told, sort_keys=True).encode())


def seal(files: Mapping[str, bytes], *, problem: str, provenance: Mapping[str, Any]) -> dict[str, bytes]:
    """The files with the manifest that describes them."""
    manifest = Manifest(
        problem=problem,
        model_kind=model_kind(files),
        content_hash=content_hash(files),
        files={name: _sha256(content) for name, content in sorted(files.items())},
        provenance=dict(provenance),
    )
    return {**files, MANIFEST: as_json(manifest.model_dump(mode="json"))}


def open_package(files: Mapping[str, bytes]) -> Package:
    """Check every file of a package and read its contract.

    Raises:
        MillraceError: If a file is missing, unknown or changed, or manifest or contract cannot be read; names the file.
    """
    if MANIFEST not in files:
        raise _broken("has no manifest", MANIFEST, "no such file", "the table of contents")
    try:
        manifest = Manifest.model_validate_json(files[MANIFEST])
    except ValidationError as error:
        raise _broken("has an unreadable manifest", MANIFEST, str(error), "a manifest of format 1") from error
    for name in sorted(set(files) - {MANIFEST} - set(manifest.files)):
        raise _broken("holds a file that its manifest does not list", name, "an unlisted file", "listed files only")
    for name, wanted in {**dict.fromkeys(ALWAYS, ""), **manifest.files}.items():
        if name not in files:
            raise _broken("lacks a file", name, "no such file", f"a file with SHA-256 {wanted or 'in the manifest'}")
        found = _sha256(files[name])
        if found != wanted:
            raise _broken("holds a changed file", name, f"SHA-256 {found}", f"SHA-256 {wanted}")
    if content_hash(files) != manifest.content_hash or model_kind(files) != manifest.model_kind:
        found = f"{content_hash(files)} ({model_kind(files)})"
        raise _broken("is not what its manifest says", MANIFEST, found, manifest.content_hash)
    try:
        problem = Problem.model_validate_json(files[CONTRACT])
    except ValidationError as error:
        raise _broken("has an unreadable contract", CONTRACT, str(error), "a problem") from error
    return Package(files=dict(files), manifest=manifest, problem=problem)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _broken(what: str, file: str, found: str, expected: str) -> MillraceError:
    return MillraceError(
        f"The model package {what}",
        place=file,
        found=found,
        expected=expected,
        fix="do not serve it; restore the package from storage, or train again",
    )
