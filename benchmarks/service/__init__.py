"""The service against its peers: whole servers, asked by a load generator in a process of its own."""
