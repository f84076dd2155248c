"""TLS for gRPC: every handshake uses the certificates that are in use then."""

import grpc

from numbatch.serving.security.certificates import CertificateFiles, Certificates


def server_credentials(files: CertificateFiles) -> grpc.ServerCredentials:
    """Return credentials that follow the files. Connections that are open keep what they began with."""
    last = files.current()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal last
        now = files.current()
        if now is last:
            return None
        last = now
        return _configuration(now)

    return grpc.dynamic_ssl_server_credentials(_configuration(last), fetch, files.mutual)


def _configuration(certificates: Certificates) -> grpc.ServerCertificateConfiguration:
    pair = (certificates.key, certificates.chain)
    return grpc.ssl_server_certificate_configuration([pair], certificates.client_ca)
