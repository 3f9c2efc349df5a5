"""Guards: what stands between a file from anyone and the rest of the library."""
