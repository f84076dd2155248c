"""The service against its peers: whole servers, asked by load tests."""
