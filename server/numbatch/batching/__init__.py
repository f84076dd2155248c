"""Dynamic batching: which requests wait, which run together and when, which are refused."""
