"""What both sides of the wire share: errors, arrays, messages and names. It imports neither grpc nor numba."""
