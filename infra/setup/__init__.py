"""`make setup`: the environments and programs of the native stack. Needs rich only; everything else is being installed."""
