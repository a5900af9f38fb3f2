"""Pages for people: what a page says, as data, and one template that makes HTML of it. No I/O, no script."""
