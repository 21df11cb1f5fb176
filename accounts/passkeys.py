"""The WebAuthn ceremonies on plain values: options out, what a browser answers in. Nothing is stored here."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import settings
from fido2 import cbor
from fido2.cose import ES256, RS256, CoseKey
from fido2.server import Fido2Server
from fido2.utils import bytes2int, websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestationConveyancePreference,
    AttestedCredentialData,
    AuthenticationResponse,
    AuthenticatorData,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialParameters,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from bloop_site.lib.hosts import is_local

Read = TypeVar("Read")
TIMEOUT_MS = 300_000
NO_AAGUID = b"\x00" * 16
RSA_BITS = range(2048, 4097)
TRANSPORTS = ("usb", "nfc", "ble", "smart-card", "hybrid", "internal")
# In base64url characters. CBOR is decoded by copying what is left after each item, so a long one must not get there.
LONGEST = {
    "clientDataJSON": 11_000,
    "attestationObject": 44_000,
    "authenticatorData": 11_000,
    "signature": 1_400,
    "userHandle": 88,
}


class Refused(Exception):
    """The credential does not prove what it should; the text is for logs and tests, not for who sent it."""


@dataclass(frozen=True)
class Party:
    """Who asks: the relying party's id and the one origin whose pages may (scheme and port count)."""

    id: str
    origin: str


@dataclass(frozen=True)
class NewCredential:
    """A passkey just made. credential_id: base64url; public_key: COSE; transports: as the browser names them."""

    credential_id: str
    public_key: bytes
    sign_count: int = 0
    transports: tuple[str, ...] = ()
    aaguid: str = ""
    is_synced: bool = False


@dataclass(frozen=True)
class Assertion:
    """What a passkey says when it signs. user_handle: the user's id as it was registered, None when not sent."""

    credential_id: str
    sign_count: int
    is_synced: bool
    user_handle: bytes | None


# --- Options --------------------------------------------------------------------------------------------------------


def creation_options(
    *, party: Party, challenge: bytes, user_handle: bytes, username: str, exclude: list[str]
) -> dict[str, Any]:
    """Creation options as JSON (contract 5.4). exclude: credential ids the device may hold already."""
    options, _ = server(party).register_begin(
        PublicKeyCredentialUserEntity(id=user_handle, name=username, display_name=username),
        credentials=descriptors(exclude),
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.REQUIRED,
        challenge=challenge,
        extensions={"credProps": True},
    )
    return dict(options.public_key)


def request_options(*, party: Party, challenge: bytes, allow: list[str]) -> dict[str, Any]:
    """Request options as JSON (contract 5.4). allow: credential ids; none lets the person choose a discoverable one."""
    options, _ = server(party).authenticate_begin(
        credentials=descriptors(allow), user_verification=UserVerificationRequirement.REQUIRED, challenge=challenge
    )
    return dict(options.public_key)


def server(party: Party) -> Fido2Server:
    """fido2's relying party with our rules: ES256 and RS256, no attestation, exactly our origin."""
    fido2_server = Fido2Server(
        PublicKeyCredentialRpEntity(id=party.id, name=party.id),
        attestation=AttestationConveyancePreference.NONE,
        verify_origin=lambda origin: origin == party.origin,
    )
    fido2_server.timeout = TIMEOUT_MS  # type: ignore[assignment]  # it is None until set
    fido2_server.allowed_algorithms = [
        PublicKeyCredentialParameters(type=PublicKeyCredentialType.PUBLIC_KEY, alg=key.ALGORITHM)
        for key in (ES256, RS256)
    ]
    return fido2_server


def descriptors(credential_ids: list[str]) -> list[PublicKeyCredentialDescriptor]:
    """Credential ids as the options name them. Without transports: they would tell real ones from made-up ones."""
    kind = PublicKeyCredentialType.PUBLIC_KEY
    return [PublicKeyCredentialDescriptor(type=kind, id=websafe_decode(each)) for each in credential_ids]


# --- Answers --------------------------------------------------------------------------------------------------------


def check_registration(*, party: Party, challenge: bytes, credential: Any) -> NewCredential:
    """The passkey that a browser made for our challenge. Raises Refused for anything else, however odd."""
    return refusing(lambda: registration(party, challenge, credential))


def registration(party: Party, challenge: bytes, credential: Any) -> NewCredential:
    """As check_registration, but raises whatever fido2 does."""
    response = RegistrationResponse.from_dict(tidy(credential, "clientDataJSON", "attestationObject"))
    refuse_frames(response.response.client_data.cross_origin)
    data = server(party).register_complete(state(challenge), response)
    made = data.credential_data
    if made is None or made.credential_id != response.raw_id or not 16 <= len(made.credential_id) <= 1023:
        raise Refused("credential id")
    return NewCredential(
        credential_id=websafe_encode(made.credential_id),
        public_key=checked_key(made.public_key),
        sign_count=data.counter,
        transports=known_transports(credential["response"].get("transports")),
        aaguid=str(made.aaguid) if made.aaguid else "",
        is_synced=backup_state(data),
    )


def check_assertion(*, party: Party, challenge: bytes, credential: Any, public_key: bytes) -> Assertion:
    """What the holder of `public_key` signed for our challenge. Raises Refused for anything else, however odd."""
    return refusing(lambda: assertion(party, challenge, credential, public_key))


def assertion(party: Party, challenge: bytes, credential: Any, public_key: bytes) -> Assertion:
    """As check_assertion, but raises whatever fido2 does."""
    answer = tidy(credential, "clientDataJSON", "authenticatorData", "signature", "userHandle")
    response = AuthenticationResponse.from_dict(answer)
    refuse_frames(response.response.client_data.cross_origin)
    key = CoseKey.parse(cbor.decode(public_key))  # type: ignore[arg-type]  # ours: a map
    known = AttestedCredentialData.create(NO_AAGUID, response.raw_id, key)
    server(party).authenticate_complete(state(challenge), [known], response)
    data = response.response.authenticator_data
    return Assertion(
        credential_id=websafe_encode(response.raw_id),
        sign_count=data.counter,
        is_synced=backup_state(data),
        user_handle=response.response.user_handle,
    )


def refusing(read: Callable[[], Read]) -> Read:
    """What `read` returns. Raises Refused when it raises anything: fido2 and cbor do nearly everything on bad bytes."""
    try:
        return read()
    except Refused:
        raise
    except Exception as error:  # noqa: BLE001  see above
        raise Refused(repr(error)) from None


def credential_id_of(credential: Any) -> str:
    """The id a browser's answer names, in base64url; empty when it names none."""
    try:
        return websafe_encode(websafe_decode(tidy(credential)["rawId"]))
    except (Refused, ValueError):
        return ""


def tidy(credential: Any, *names: str) -> dict[str, Any]:
    """The parts of a browser's answer that are looked at, each a text of sane length. Raises Refused."""
    if not isinstance(credential, dict) or credential.get("type") != "public-key":
        raise Refused("no public-key credential")
    response, raw_id = credential.get("response"), credential.get("rawId")
    if not isinstance(response, dict) or not isinstance(raw_id, str) or not 0 < len(raw_id) <= 1_368:
        raise Refused("no response or id")
    if credential.get("id", raw_id) != raw_id:
        raise Refused("id is not rawId")
    parts = {name: response[name] for name in names if response.get(name)}
    if any(not isinstance(part, str) or len(part) > LONGEST[name] for name, part in parts.items()):
        raise Refused("a part is too long or no text")
    return {"rawId": raw_id, "type": "public-key", "response": parts}


def state(challenge: bytes) -> dict[str, Any]:
    """What fido2 wants back of its begin step."""
    return {"challenge": websafe_encode(challenge), "user_verification": UserVerificationRequirement.REQUIRED}


def refuse_frames(cross_origin: Any) -> None:
    """A page of another origin that frames ours is not one of ours. Raises Refused."""
    if cross_origin:
        raise Refused("cross-origin frame")


def backup_state(data: AuthenticatorData) -> bool:
    """Whether the passkey is kept on more than one device. Raises Refused when it says so of one that cannot be."""
    if data.is_backed_up() and not data.is_backup_eligible():
        raise Refused("backed up but not eligible")
    return data.is_backed_up()


def checked_key(key: CoseKey) -> bytes:
    """The public key as COSE, only the fields it needs. Raises Refused or ValueError for one we could not verify by."""
    if isinstance(key, ES256) and key.ALGORITHM == ES256.ALGORITHM and (key[1], key[-1]) == (2, 1):
        if len(key[-2]) != 32 or len(key[-3]) != 32:
            raise Refused("coordinates")
        ec.EllipticCurvePublicNumbers(bytes2int(key[-2]), bytes2int(key[-3]), ec.SECP256R1()).public_key()
        return cbor.encode({name: key[name] for name in (1, 3, -1, -2, -3)})
    if isinstance(key, RS256) and key[1] == 3:
        modulus, exponent = bytes2int(key[-1]), bytes2int(key[-2])
        if modulus.bit_length() not in RSA_BITS or exponent.bit_length() > 32:
            raise Refused("key size")
        rsa.RSAPublicNumbers(exponent, modulus).public_key()
        return cbor.encode({name: key[name] for name in (1, 3, -1, -2)})
    raise Refused("algorithm")


def known_transports(value: Any) -> tuple[str, ...]:
    """The transports a browser names, those we know."""
    return tuple(each for each in TRANSPORTS if each in value) if isinstance(value, list) else ()


@lru_cache(maxsize=1)
def nobodys_key() -> bytes:
    """A key nobody holds: what an unknown passkey is checked against, so that it takes as long as a known one."""
    point = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    return cbor.encode({1: 2, 3: ES256.ALGORITHM, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)})


# --- Where passkeys work --------------------------------------------------------------------------------------------

SHUT = "Until then nobody can sign in, by a link neither: browsers keep Bloop’s cookies over https only."


def is_shut(origin: str) -> bool:
    """Whether browsers at this address keep no session: its cookie is Secure wherever the origin is not local."""
    url = urlsplit(origin)
    return url.scheme != "https" and not is_local(url.hostname or "")


def passkey_problem(request_origin: str) -> str | None:
    """Why passkeys cannot work on a page at `request_origin`, in plain words; None when they can.

    request_origin: scheme, host and port as the browser shows them.
    """
    auth = settings.BLOOP.auth
    here, configured = request_origin.rstrip("/").lower(), auth.rp_origin
    if problem := address_problem(origin=configured):
        return f"{problem} {SHUT}" if is_shut(configured) else problem
    if problem := domain_problem(origin=configured, rp_id=auth.rp_id):
        return problem
    if here != configured:
        return (
            f"Passkeys work at {configured} only, and this page is open at {here}. Open {configured} instead. "
            f"If people should use {here}, set auth.rp_origin to it and auth.rp_id to its host name."
        )
    return None


def address_problem(*, origin: str) -> str | None:
    """Why browsers allow no passkeys at this address at all, in plain words; None when they do."""
    url = urlsplit(origin)
    host = url.hostname or ""
    if is_ip_address(host):
        return (
            f"Passkeys need a host name, and auth.rp_origin is {origin}. Browsers know none for an IP address: set "
            "auth.rp_origin to an address with a name; on this machine that is localhost."
        )
    if url.scheme != "https" and host != "localhost" and not host.endswith(".localhost"):
        return (
            f"Passkeys need https, and auth.rp_origin is {origin}. Over plain http browsers allow them on localhost "
            "only: put Bloop behind https and set auth.rp_origin to that address."
        )
    return None


def domain_problem(*, origin: str, rp_id: str) -> str | None:
    """Why passkeys of `rp_id` do not belong to this address, in plain words; None when they do."""
    host = urlsplit(origin).hostname or ""
    if host == rp_id or ("." in rp_id and host.endswith(f".{rp_id}")):
        return None
    return (
        f"Passkeys belong to auth.rp_id, which is {rp_id}, but people open auth.rp_origin, whose host is {host}. "
        f"Set auth.rp_id to {host}, or to a domain above it."
    )


def is_ip_address(host: str) -> bool:
    """Whether `host` is an address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
