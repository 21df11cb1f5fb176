"""What tests of alerts share: addresses of this machine are allowed, and a certificate authority of their own."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import LazySettings

from bloop_site.lib import outbound
from tests.alerts.sinks import Answer, Sink, serving


def configure(settings: LazySettings, section: str, **values: Any) -> None:
    """Set some of a section's settings."""
    changed = getattr(settings.BLOOP, section).model_copy(update=values)
    settings.BLOOP = settings.BLOOP.model_copy(update={section: changed})


@pytest.fixture
def private_allowed(settings: LazySettings) -> None:
    """Sinks are on this machine, which is a private address."""
    configure(settings, "alerting", allow_private_addresses=True)


@pytest.fixture
def sinks() -> Iterator[Callable[[Answer], Sink]]:
    """Starts sinks, and stops them at the end."""
    with ExitStack() as stack:

        def start(answer: Answer, *, context: ssl.SSLContext | None = None) -> Sink:
            manager: AbstractContextManager[Sink] = serving(answer, context=context)
            return stack.enter_context(manager)

        yield start


@dataclass(frozen=True)
class Authority:
    """Issues certificates that this process trusts."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def context(self, *names: str) -> ssl.SSLContext:
        """What a server of these names (or addresses) speaks TLS with."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = signed(names[0], key, by=self, names=names)
        path = self.folder / f"{names[0]}.pem"
        path.write_bytes(pem_of(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def signed(
    subject: str, key: ec.EllipticCurvePrivateKey, *, by: Authority | None = None, names: tuple[str, ...] = ()
) -> x509.Certificate:
    """A certificate for a day: an authority's, signed by itself, or a server's."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((by.key if by else key).public_key()), critical=False
        )
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([name_of(each) for each in names]), critical=False)
    else:
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = builder.add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage), critical=True
        )
    return builder.sign(by.key if by else key, hashes.SHA256())


def name_of(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """Trusted through SSL_CERT_FILE, as an operator's own would be."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = signed("Authority of the tests", key)
    path = tmp_path / "authority.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    outbound.trusted.cache_clear()
    yield Authority(tmp_path, key, certificate)
    outbound.trusted.cache_clear()
