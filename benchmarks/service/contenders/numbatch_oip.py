"""numbatch again, asked by the Open Inference Protocol: what the protocol costs beside our own messages."""

from benchmarks.service.contenders.numbatch import CONTENDER as NATIVE

CONTENDER = NATIVE._replace(name="numbatch_oip", protocol="oip")
