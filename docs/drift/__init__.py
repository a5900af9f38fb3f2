"""What keeps the documentation true: pages written from the code, and checks of what the other pages name.

`python -m docs.drift` checks (`make check` runs it), `python -m docs.drift --write` writes the generated pages anew.
"""
