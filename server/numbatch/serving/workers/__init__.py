"""Several processes that are one server: a supervisor, and the workers that it starts and keeps running.

The supervisor imports neither grpc nor numba, and spawns its workers: neither survives a fork. It has a channel to each
of them, over which the worker says how far it is, and the supervisor when to listen and what the others have changed.
"""
