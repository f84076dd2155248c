"""The service over HTTP: health and metrics. Each file has the routes of one subject; `listener` serves them."""
