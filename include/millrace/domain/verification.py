"""A package is trusted only when every hash holds and it answers its own golden rows as it did when it was built."""

from collections.abc import Mapping

from millrace.contract.errors import MillraceError
from millrace.domain.package import GOLDEN, MANIFEST, Package, open_package
from millrace.domain.scoring import check_golden

GOLDEN_TOLERANCE = 1e-6
"""Largest difference to the recorded features and probabilities: ONNX and XGBoost agree within 9e-7."""


def verified_package(files: Mapping[str, bytes], content_hash: str) -> Package:
    """Open a package that must have this content.

    Raises:
        MillraceError: If a file is missing, unknown or changed, the content is another one, or a golden row is answered
            otherwise than recorded.
    """
    package = open_package(files)
    if package.manifest.content_hash != content_hash:
        raise MillraceError(
            "The model package is another one",
            place=MANIFEST,
            found=f"content hash {package.manifest.content_hash}",
            expected=f"content hash {content_hash}",
            fix="do not serve it; see `millrace history` for what was registered under which address",
        )
    worst = check_golden(package)
    if not worst <= GOLDEN_TOLERANCE:
        raise MillraceError(
            "The model package does not answer its golden rows as recorded",
            place=GOLDEN,
            found=f"a difference of {worst:.3g}",
            expected=f"at most {GOLDEN_TOLERANCE:g}",
            fix="do not serve it; train again with the library versions of this environment",
        )
    return package
