"""The report of a run: a page for each stage, made of what the run recorded. `writing` leaves it."""
