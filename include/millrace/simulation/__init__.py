"""Plays the outside world: sources with a known truth, for the demo, tests, drills and benchmarks."""
