"""`millrace drill`: a fault is put into the running stack, and what Millrace promises is seen to hold all the same."""
