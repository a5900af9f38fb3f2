"""Looking at a file nobody has described yet: what it seems to hold, and a first contract that says so.

Everything here is a guess from what was seen; the draft marks each guess that a person has to decide.
"""
