"""One file for each outside system. What crosses this line is plain data; what a system calls things stays behind it."""
