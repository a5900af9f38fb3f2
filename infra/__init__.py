"""The native stack: what it consists of, how it is set up, started, watched and ended."""
