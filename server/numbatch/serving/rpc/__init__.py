"""The services over gRPC: bytes in, bytes out, every failure a status with details.

Handlers are generic and move bytes. The generated way of registering methods costs each call time that grows with the
number of methods (grpc#43092), and lets gRPC parse messages, which copies tensors and answers malformed ones without a
reason.
"""
