"""The service: what a request means (`core`), how it comes over gRPC (`rpc`), and the process around both (`app`)."""
