"""What is in the memory of a replica that nobody has asked for anything."""

import subprocess
import sys

from millrace.settings import ROOT

# Of training, of the lake: together they take more than the 250 MiB that a replica may have.
HEAVY = ("onnxmltools", "pandas", "pyarrow", "pyiceberg", "sklearn", "xgboost")


def test_a_replica_imports_no_library_that_it_does_not_need() -> None:
    told = f"import sys, serving.app; print(*{{*{HEAVY}}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""
