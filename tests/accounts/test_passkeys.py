"""The ceremonies on plain values: what is asked, what is believed, what is refused, where passkeys work at all."""

import itertools
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import LazySettings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts import passkeys
from accounts.passkeys import Party, Refused
from tests.authenticator import (
    ATTESTED,
    BACKED_UP,
    ELIGIBLE,
    ES256,
    PRESENT,
    RS256,
    VERIFIED,
    Authenticator,
    cbor,
    cose_key,
    decode,
    encode,
)
from tests.bloop_site.test_checks import configure

PARTY = Party(id="localhost", origin="http://localhost:5332")
CHALLENGE = b"c" * 32
HANDLE = b"h" * 16


def asked_to_create(**changes: Any) -> dict[str, Any]:
    values = {"user_handle": HANDLE, "username": "ann", "exclude": []}
    return passkeys.creation_options(party=PARTY, challenge=CHALLENGE, **{**values, **changes})


def asked_to_sign() -> dict[str, Any]:
    return passkeys.request_options(party=PARTY, challenge=CHALLENGE, allow=[])


def register(device: Authenticator, **lies: Any) -> passkeys.NewCredential:
    return check(device.create(asked_to_create(), **lies))


def check(credential: Any) -> passkeys.NewCredential:
    return passkeys.check_registration(party=PARTY, challenge=CHALLENGE, credential=credential)


def verify(credential: Any, public_key: bytes) -> passkeys.Assertion:
    return passkeys.check_assertion(party=PARTY, challenge=CHALLENGE, credential=credential, public_key=public_key)


# --- Options --------------------------------------------------------------------------------------------------------


def test_creation_options_are_the_contracts():
    options = asked_to_create(exclude=[encode(b"x" * 20)])

    assert json.loads(json.dumps(options)) == {
        "rp": {"id": "localhost", "name": "localhost"},
        "user": {"id": encode(HANDLE), "name": "ann", "displayName": "ann"},
        "challenge": encode(CHALLENGE),
        "pubKeyCredParams": [{"type": "public-key", "alg": -7}, {"type": "public-key", "alg": -257}],
        "timeout": 300_000,
        "excludeCredentials": [{"type": "public-key", "id": encode(b"x" * 20)}],
        "authenticatorSelection": {
            "residentKey": "preferred",
            "requireResidentKey": False,
            "userVerification": "required",
        },
        "attestation": "none",
        "extensions": {"credProps": True},
    }


def test_request_options_are_the_contracts():
    options = passkeys.request_options(party=PARTY, challenge=CHALLENGE, allow=[encode(b"x" * 20)])

    assert json.loads(json.dumps(options)) == {
        "challenge": encode(CHALLENGE),
        "timeout": 300_000,
        "rpId": "localhost",
        "allowCredentials": [{"type": "public-key", "id": encode(b"x" * 20)}],
        "userVerification": "required",
    }
    assert asked_to_sign()["allowCredentials"] == []


# --- What is believed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [ES256, RS256])
def test_a_passkey_is_made_and_signs(algorithm: int):
    device = Authenticator(algorithm=algorithm)

    made = register(device)
    signed = verify(device.get(asked_to_sign()), made.public_key)

    assert decode(made.credential_id) == device.held[0].credential_id
    assert (made.sign_count, made.transports) == (1, ("hybrid", "internal"))
    assert (made.aaguid, made.is_synced) == ("00112233-4455-6677-8899-aabbccddeeff", False)
    assert (signed.sign_count, signed.is_synced, signed.user_handle) == (2, False, HANDLE)
    assert signed.credential_id == made.credential_id


def test_a_synced_passkey_says_so_and_has_no_counter():
    device = Authenticator(is_synced=True, counts=False)

    made = register(device)
    signed = verify(device.get(asked_to_sign()), made.public_key)

    assert (made.is_synced, made.sign_count) == (True, 0)
    assert (signed.is_synced, signed.sign_count) == (True, 0)


def test_a_device_that_names_nobody_is_fine():
    device = Authenticator()
    made = register(device)

    assert verify(device.get(asked_to_sign(), user_handle=None), made.public_key).user_handle is None


@pytest.mark.parametrize("length", [16, 1023])
def test_credential_ids_of_every_allowed_length_are_taken(length: int):
    assert len(decode(register(Authenticator(), credential_id=b"i" * length).credential_id)) == length


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (["usb", "telepathy", "nfc"], ("usb", "nfc")),
        (["usb"] * 1000, ("usb",)),
        ([["usb"], 1, None], ()),
        ("usb", ()),
        (None, ()),
        ({}, ()),
    ],
)
def test_only_known_transports_are_kept(sent: Any, kept: tuple[str, ...]):
    credential = Authenticator().create(asked_to_create())
    credential["response"]["transports"] = sent

    assert check(credential).transports == kept


# --- What is refused ------------------------------------------------------------------------------------------------

LIES: list[dict[str, Any]] = [
    {"origin": "https://localhost:5332"},
    {"origin": "http://localhost"},
    {"origin": "http://localhost:5333"},
    {"origin": "http://LOCALHOST:5332"},
    {"origin": "http://localhost:5332/"},
    {"origin": "http://sub.localhost:5332"},
    {"origin": "http://evil.example"},
    {"origin": None},
    {"rp_id": "evil.example"},
    {"rp_id": ""},
    {"challenge": encode(b"d" * 32)},
    {"challenge": ""},
    {"challenge": 5},
    {"kind": "payment.get"},
    {"cross_origin": True},
    {"cross_origin": "no"},
]


@pytest.mark.parametrize("lie", [*LIES, {"kind": "webauthn.get"}, {"flags": ATTESTED | PRESENT}], ids=str)
def test_a_registration_with_a_lie_is_refused(lie: dict[str, Any]):
    with pytest.raises(Refused):
        register(Authenticator(), **lie)


@pytest.mark.parametrize(
    "flags",
    [
        ATTESTED | PRESENT,
        ATTESTED | VERIFIED,
        PRESENT | VERIFIED,
        ATTESTED | PRESENT | VERIFIED | BACKED_UP,
        ATTESTED | PRESENT | VERIFIED | 0x80,
    ],
)
def test_a_registration_needs_presence_verification_and_sane_flags(flags: int):
    with pytest.raises(Refused):
        register(Authenticator(), flags=flags)


@pytest.mark.parametrize("lie", [*LIES, {"kind": "webauthn.create"}], ids=str)
def test_an_assertion_with_a_lie_is_refused(lie: dict[str, Any]):
    device = Authenticator()
    made = register(device)

    with pytest.raises(Refused):
        verify(device.get(asked_to_sign(), **lie), made.public_key)


@pytest.mark.parametrize("flags", [0, PRESENT, VERIFIED, PRESENT | VERIFIED | BACKED_UP, PRESENT | VERIFIED | ATTESTED])
def test_an_assertion_needs_presence_verification_and_sane_flags(flags: int):
    device = Authenticator()
    made = register(device)
    assert not verify(device.get(asked_to_sign(), flags=PRESENT | VERIFIED | ELIGIBLE), made.public_key).is_synced

    with pytest.raises(Refused):
        verify(device.get(asked_to_sign(), flags=flags), made.public_key)


@pytest.mark.parametrize("algorithm", [ES256, RS256])
def test_another_keys_signature_is_refused(algorithm: int):
    device, other = Authenticator(algorithm=algorithm), Authenticator(algorithm=algorithm)
    made = register(device)
    register(other)

    with pytest.raises(Refused):
        verify(device.get(asked_to_sign(), private_key=other.held[0].private_key), made.public_key)


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature"])
def test_a_part_changed_after_signing_is_refused(part: str):
    device = Authenticator()
    made = register(device)
    credential = device.get(asked_to_sign())
    changed = bytearray(decode(credential["response"][part]))
    changed[-2] ^= 1
    credential["response"][part] = encode(bytes(changed))

    with pytest.raises(Refused):
        verify(credential, made.public_key)


def test_the_attested_id_must_be_the_one_named():
    with pytest.raises(Refused):
        register(Authenticator(), attested_id=b"another-credential-id")


@pytest.mark.parametrize("length", [1, 15, 1024])
def test_credential_ids_of_odd_length_are_refused(length: int):
    with pytest.raises(Refused):
        register(Authenticator(), credential_id=b"i" * length)


GOOD = cose_key(ec.generate_private_key(ec.SECP256R1()))
SHORT_RSA = cose_key(rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505  refused below
BAD_KEYS = {
    "off the curve": {**GOOD, -2: b"\x01" * 32},
    "zero": {**GOOD, -2: bytes(32), -3: bytes(32)},
    "short coordinate": {**GOOD, -2: GOOD[-2][1:]},
    "another curve": {**GOOD, -1: 2},
    "EC key as RSA": {**GOOD, 1: 3},
    "EdDSA": {1: 1, 3: -8, -1: 6, -2: b"\x01" * 32},
    "ES384": {**GOOD, 3: -35, -1: 2},
    "ESP256": {**GOOD, 3: -9},
    "unknown algorithm": {**GOOD, 3: -65_000},
    "no algorithm": {name: value for name, value in GOOD.items() if name != 3},
    "no coordinates": {1: 2, 3: -7, -1: 1},
    "coordinates are texts": {**GOOD, -2: "x" * 32},
    "RSA of 1,024 bits": SHORT_RSA,
    "RSA of 40,000 bits": {1: 3, 3: -257, -1: b"\xff" * 5000, -2: b"\x01\x00\x01"},
    "RSA with a huge exponent": {1: 3, 3: -257, -1: b"\xff" * 256, -2: b"\xff" * 200},
    "RSA without an exponent": {1: 3, 3: -257, -1: b"\xff" * 256},
    "empty": {},
}


@pytest.mark.parametrize("cose", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_key_we_could_not_verify_by_is_refused(cose: dict[int, Any]):
    device = Authenticator()

    with pytest.raises(Refused):
        register(device, cose=cose or {99: 99})


JUNK: list[Any] = [
    None,
    True,
    0,
    1.5,
    "",
    "text",
    [],
    ["public-key"],
    {},
    {"type": "public-key"},
    {"id": "eA", "rawId": "eA", "type": "public-key"},
    {"id": "eA", "rawId": "eA", "type": "public-key", "response": None},
    {"id": "eA", "rawId": "eA", "type": "public-key", "response": []},
    {"id": "eA", "rawId": "eA", "type": "public-key", "response": {}},
    {"id": 5, "rawId": 5, "type": "public-key", "response": {}},
    {"id": "é", "rawId": "é", "type": "public-key", "response": {}},
    {"id": "\ud800", "rawId": "\ud800", "type": "public-key", "response": {}},
    {"id": "x" * 5000, "rawId": "x" * 5000, "type": "public-key", "response": {}},
]
SPOILT: list[tuple[str, Any]] = [
    *itertools.product(("clientDataJSON", "main"), (None, 5, [], {}, "", "é", "!", "e30", "W10")),
    ("clientDataJSON", encode(b"\xff\xfe")),
    ("clientDataJSON", encode(b"[" * 5000)),
    ("clientDataJSON", encode(b'{"type": "webauthn.create"}')),
    ("clientDataJSON", "A" * 2_000_000),
    ("main", encode(b"\x81" * 20_000)),
    ("main", encode(b"\xbb" + b"\xff" * 8)),
    ("main", encode(b"\x9a\xff\xff\xff\xff" + b"\x00" * 20_000)),
    ("main", encode(b"\xa1\x80\x01")),
    ("main", encode(cbor({"fmt": "none", "attStmt": {}, "authData": b"short"}))),
    ("main", encode(cbor({"fmt": "none", "attStmt": {}, "authData": 7}))),
    ("main", encode(b"x" * 1_500_000)),
]


@pytest.mark.parametrize("junk", JUNK, ids=lambda value: str(value)[:40])
def test_junk_is_refused_and_never_more_than_that(junk: Any):
    with pytest.raises(Refused):
        check(junk)
    with pytest.raises(Refused):
        verify(junk, passkeys.nobodys_key())
    assert isinstance(passkeys.credential_id_of(junk), str)


@pytest.mark.parametrize(("part", "junk"), SPOILT, ids=lambda value: str(value)[:30])
def test_a_spoilt_part_is_refused_and_at_once(part: str, junk: Any):
    device = Authenticator()
    made = register(device)
    registration, answer = device.create(asked_to_create()), device.get(asked_to_sign())
    registration["response"][part if part != "main" else "attestationObject"] = junk
    answer["response"][part if part != "main" else "authenticatorData"] = junk

    begun = time.process_time()
    with pytest.raises(Refused):
        check(registration)
    with pytest.raises(Refused):
        verify(answer, made.public_key)
    assert time.process_time() - begun < 1


@hypothesis_settings(deadline=None)
@given(data=st.binary(max_size=300))
def test_no_bytes_make_more_than_a_refusal(data: bytes):
    device = Authenticator()
    registration = device.create(asked_to_create())
    registration["response"]["attestationObject"] = encode(data)
    answer = device.get(asked_to_sign())
    answer["response"]["authenticatorData"] = encode(data)

    for attempt in (lambda: check(registration), lambda: verify(answer, passkeys.nobodys_key())):
        with pytest.raises(Refused):
            attempt()


def test_an_id_that_is_not_the_raw_id_is_refused():
    credential = Authenticator().create(asked_to_create())
    credential["id"] = encode(b"another-credential-id")

    with pytest.raises(Refused):
        check(credential)


# --- Where passkeys work --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("configured", "rp_id", "page", "said"),
    [
        ("http://localhost:5332", "localhost", "http://localhost:5332", None),
        ("https://errors.example.com", "example.com", "https://errors.example.com", None),
        ("https://errors.example.com", "example.com", "https://Errors.Example.com/", None),
        ("http://localhost:5332", "localhost", "http://127.0.0.1:5332", "Open http://localhost:5332 instead"),
        ("http://localhost:5332", "localhost", "https://errors.example.com", "set auth.rp_origin to it"),
        (
            "https://errors.example.com",
            "example.com",
            "http://errors.example.com",
            "at https://errors.example.com only",
        ),
        ("https://errors.example.com", "localhost", "https://errors.example.com", "Set auth.rp_id to errors.example"),
        ("https://errors.example.com", "com", "https://errors.example.com", "Set auth.rp_id to errors.example.com"),
        ("http://errors.example.com", "errors.example.com", "http://errors.example.com", "need https"),
        ("http://192.0.2.7:5332", "192.0.2.7", "http://192.0.2.7:5332", "need a host name"),
        ("https://[2001:db8::1]", "localhost", "https://[2001:db8::1]", "need a host name"),
    ],
)
def test_a_mismatch_is_explained_in_plain_words(
    configured: str, rp_id: str, page: str, said: str | None, settings: LazySettings
):
    configure(settings, origin=configured, rp_id=rp_id)

    problem = passkeys.passkey_problem(page)

    assert (problem is None) is (said is None)
    assert said is None or said in str(problem)
