"""One file for each outside system. What crosses this line is plain data; a system's own words stay behind it."""
