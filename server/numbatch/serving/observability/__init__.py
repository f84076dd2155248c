"""What a server tells of itself while it runs: metrics, a line for a request that failed, traces."""
