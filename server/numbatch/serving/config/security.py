"""Options: who may ask the server for what, and over what they ask it."""

from dataclasses import dataclass
from pathlib import Path

from numbatch.serving.config.options import Options, option
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

REPOSITORY_CONTROL = ("auto", "on", "off")
HTTP_INFERENCE = ("auto", "on", "off")


@dataclass(frozen=True, kw_only=True)
class SecurityOptions(Options):
    """Who may ask for what."""

    tls_certificate: Path | None = option(
        None,
        "Encrypt: the server's certificate chain, a PEM file. Files that change are read again; until they are whole "
        "and match, the last good ones stay in use.",
        metavar="FILE",
    )
    tls_key: Path | None = option(None, "The private key of --tls-certificate, a PEM file.", metavar="FILE")
    tls_client_ca: Path | None = option(
        None,
        "Let in only clients with a certificate of these authorities, a PEM file.",
        metavar="FILE",
    )
    http_tls: str = option(
        "off",
        "Whether HTTP is encrypted, too, with the same certificate. Health and metrics never ask for the client's own, "
        "as --tls-client-ca does.",
        choices=("off", "on"),
    )
    http_inference: str = option(
        "auto",
        "Whether HTTP answers more than health and metrics. auto: unless that lets in whom gRPC does not: if gRPC is "
        "encrypted and HTTP not, or gRPC is on a unix socket.",
        choices=HTTP_INFERENCE,
    )
    inference_tokens_file: Path | None = option(
        None,
        "Answer only callers with one of the bearer tokens in this file, one a line, # for comments. It is read again "
        "when it changes. Further tokens: $NUMBATCH_INFERENCE_TOKENS.",
        metavar="FILE",
    )
    control_tokens_file: Path | None = option(
        None,
        "Let callers with one of these bearer tokens load and unload models and read weights; they may infer as well. "
        "Further tokens: $NUMBATCH_CONTROL_TOKENS.",
        metavar="FILE",
    )
    repository_control: str = option(
        "auto",
        "Whether models can be loaded, unloaded, and read with their weights, over the network. auto: by holders of a "
        "control token; where there are no tokens at all, on a server that only this machine can reach.",
        choices=REPOSITORY_CONTROL,
    )

    def __post_init__(self) -> None:
        """Check every field, and that those that belong together are there."""
        super().__post_init__()
        needed = {"tls_key": self.tls_certificate or self.tls_client_ca, "tls_certificate": self.tls_key}
        for name, other in needed.items():
            if other is not None and getattr(self, name) is None:
                problem = "TLS needs a certificate and its key"
                raise error(Reason.INVALID_FIELD, problem, field=name, got="none", expected="a PEM file")
        if self.http_tls == "on" and self.tls_certificate is None:
            problem = "TLS needs a certificate and its key"
            raise error(
                Reason.INVALID_FIELD, problem, field="http_tls", got="'on'", expected="--tls-certificate as well"
            )
