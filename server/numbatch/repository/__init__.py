"""Models on disk and in memory: which versions there are, loading them, swapping them, unloading them."""
