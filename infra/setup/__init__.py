"""`make setup`: the environments and programs of the native stack. Needs rich only: the rest is being installed."""
