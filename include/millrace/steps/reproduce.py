"""Step: fit a registered version again from its own record, and compare contents."""

from typing import Any

from millrace.adapters import champions, package_store
from millrace.domain.fitting import Configuration
from millrace.domain.package import MANIFEST, open_package
from millrace.steps.fit_candidate import fit_candidate
from millrace.steps.training_rows import read_training_rows


def reproduce(problem: str, version: int) -> dict[str, Any]:
    """Read the tagged gold, fit the recorded configuration, compare the content hash.

    Returns:
        version, same, recorded and refitted (content hashes), different_files, versions (libraries of the record).

    Raises:
        MillraceError: If there is no such version or package.
    """
    recorded = open_package(package_store.get(champions.registration(problem, version)["uri"]))
    provenance = recorded.manifest.provenance
    rows = read_training_rows(recorded.problem, int(provenance["gold_snapshot_id"]))
    configuration = Configuration.model_validate(provenance["configuration"])
    refitted = open_package(fit_candidate(recorded.problem, rows, configuration, {}))
    different = {
        name
        for name in (recorded.files.keys() | refitted.files.keys()) - {MANIFEST}
        if recorded.files.get(name) != refitted.files.get(name)
    }
    return {
        "version": version,
        "same": recorded.manifest.content_hash == refitted.manifest.content_hash,
        "recorded": recorded.manifest.content_hash,
        "refitted": refitted.manifest.content_hash,
        "different_files": sorted(different),
        "versions": provenance["versions"],
    }
