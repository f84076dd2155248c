"""The Open Inference Protocol, without a transport: its requests, answers and documents -> those of the core, and back.

`rpc/` and `http/` read what comes into the tuples of `messages`, and write what goes; what is said about models is a
dictionary with the names of the .proto files, which is a message to the one and a JSON object to the other.
"""
