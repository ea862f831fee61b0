"""One file for each stage: what it reads, what it writes, which library call makes it."""
