"""A passkey authenticator in software: makes and uses credentials as a browser's JSON, and lies where a test wants it.

It shares no code with the server: CBOR, flags and signatures are written out here from the WebAuthn specification.
"""

import base64
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

ORIGIN = "http://localhost:5332"
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40
ES256, RS256 = -7, -257
AAGUID = bytes.fromhex("00112233445566778899aabbccddeeff")


def encode(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cbor(value: Any) -> bytes:
    """CBOR of integers, bytes, texts and maps, keys in the order given."""
    if isinstance(value, int):
        return cbor_head(0, value) if value >= 0 else cbor_head(1, -1 - value)
    if isinstance(value, bytes):
        return cbor_head(2, len(value)) + value
    if isinstance(value, str):
        return cbor_head(3, len(value.encode())) + value.encode()
    return cbor_head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())


def cbor_head(kind: int, number: int) -> bytes:
    if number < 24:
        return bytes([kind << 5 | number])
    for code, form in ((24, ">B"), (25, ">H"), (26, ">I")):
        if number < 1 << 8 * struct.calcsize(form):
            return bytes([kind << 5 | code]) + struct.pack(form, number)
    raise ValueError(number)


def make_private_key(algorithm: int) -> Any:
    if algorithm == ES256:
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def cose_key(private_key: Any) -> dict[int, Any]:
    """The public half as COSE."""
    numbers = private_key.public_key().public_numbers()
    if isinstance(private_key, ec.EllipticCurvePrivateKey):
        return {1: 2, 3: ES256, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
    return {1: 3, 3: RS256, -1: numbers.n.to_bytes(private_key.key_size // 8), -2: numbers.e.to_bytes(3)}


@dataclass
class Held:
    """A credential on the device."""

    credential_id: bytes
    private_key: Any
    user_handle: bytes
    sign_count: int


@dataclass
class Authenticator:
    """One device and its browser. What is set here holds for all it does; keyword arguments are for one answer."""

    origin: str = ORIGIN
    algorithm: int = ES256
    verifies: bool = True  # a PIN, a finger, a face
    counts: bool = True  # keeps a signature counter; synced passkeys send 0 for ever
    is_synced: bool = False
    held: list[Held] = field(default_factory=list)

    def create(self, options: dict[str, Any], *, credential_id: bytes | None = None, **lies: Any) -> dict[str, Any]:
        """What navigator.credentials.create gives for these options (`publicKey` of a start answer)."""
        key = Held(
            credential_id=credential_id or secrets.token_bytes(32),
            private_key=lies.get("private_key") or make_private_key(self.algorithm),
            user_handle=decode(options["user"]["id"]),
            sign_count=int(self.counts),
        )
        self.held.append(key)
        public_key = cbor(lies.get("cose") or cose_key(key.private_key))
        named = lies.get("attested_id", key.credential_id)
        attested = AAGUID + struct.pack(">H", len(named)) + named + public_key
        flags = ATTESTED | self.flags
        data = self.authenticator_data(options["rp"]["id"], flags, key.sign_count, lies) + attested
        statement: dict[str, Any] = {"fmt": "none", "attStmt": {}, "authData": data}
        response = {
            "clientDataJSON": self.client_data("webauthn.create", options["challenge"], lies),
            "attestationObject": encode(cbor(statement)),
            "transports": ["internal", "hybrid"],
        }
        return as_credential(key, response, {"credProps": {"rk": True}})

    def get(self, options: dict[str, Any], *, key: Held | None = None, **lies: Any) -> dict[str, Any]:
        """What navigator.credentials.get gives: the newest credential that the options allow, unless one is named."""
        allowed = [each["id"] for each in options.get("allowCredentials", [])]
        usable = [each for each in self.held if not allowed or encode(each.credential_id) in allowed]
        key = key or usable[-1]
        key.sign_count += int(self.counts)
        data = self.authenticator_data(options["rpId"], self.flags, key.sign_count, lies)
        client_data = self.client_data("webauthn.get", options["challenge"], lies)
        signed = data + hashlib.sha256(decode(client_data)).digest()
        response: dict[str, Any] = {
            "clientDataJSON": client_data,
            "authenticatorData": encode(data),
            "signature": encode(sign(lies.get("private_key") or key.private_key, signed)),
            "userHandle": encode(key.user_handle),
        }
        if "user_handle" in lies:
            response["userHandle"] = encode(lies["user_handle"]) if lies["user_handle"] is not None else None
        return as_credential(key, response, {})

    @property
    def flags(self) -> int:
        return PRESENT | VERIFIED * self.verifies | (ELIGIBLE | BACKED_UP) * self.is_synced

    def authenticator_data(self, rp_id: str, flags: int, sign_count: int, lies: dict[str, Any]) -> bytes:
        rp_id_hash = hashlib.sha256(lies.get("rp_id", rp_id).encode()).digest()
        return rp_id_hash + struct.pack(">BI", lies.get("flags", flags), lies.get("sign_count", sign_count))

    def client_data(self, kind: str, challenge: str, lies: dict[str, Any]) -> str:
        """clientDataJSON, in base64url."""
        data = {
            "type": lies.get("kind", kind),
            "challenge": lies.get("challenge", challenge),
            "origin": lies.get("origin", self.origin),
            "crossOrigin": lies.get("cross_origin", False),
        }
        return encode(json.dumps(data).encode())

    def copy(self) -> "Authenticator":
        """A clone: the same keys, with the counters they have now."""
        return Authenticator(
            origin=self.origin,
            algorithm=self.algorithm,
            verifies=self.verifies,
            counts=self.counts,
            is_synced=self.is_synced,
            held=[Held(**vars(each)) for each in self.held],
        )


def sign(private_key: Any, message: bytes) -> bytes:
    """A signature by the key's own algorithm."""
    if isinstance(private_key, ec.EllipticCurvePrivateKey):
        return private_key.sign(message, ec.ECDSA(hashes.SHA256()))
    return bytes(private_key.sign(message, padding.PKCS1v15(), hashes.SHA256()))


def as_credential(key: Held, response: dict[str, Any], extensions: dict[str, Any]) -> dict[str, Any]:
    """A credential as `PublicKeyCredential.toJSON` writes it."""
    name = encode(key.credential_id)
    return {
        "id": name,
        "rawId": name,
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": extensions,
        "response": response,
    }
