"""Load tests of a server: true latencies, verified answers, and a verdict.

>>> from numbatch import loadtest
>>> results = loadtest.run(loadtest.Workload("digits", rates=[500]), server="127.0.0.1:8001")   # doctest: +SKIP
>>> results.steps[0].latency_us.percentiles["p99"]                                              # doctest: +SKIP
812.4
"""
