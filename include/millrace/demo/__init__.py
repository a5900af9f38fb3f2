"""`millrace demo`: every problem from raw files to served, explained predictions, on the running stack."""
