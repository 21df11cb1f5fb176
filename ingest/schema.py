"""What the OpenAPI file says of every signed endpoint."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from bloop_site.lib.schema import problem

SIGNED_NEEDS = "Signed with the project's API key."


def header(name: str, text: str, *, required: bool = False) -> OpenApiParameter:
    """A request header."""
    return OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, required=required, description=text)


SIGNED = [
    header(
        "X-Signature", "Hex HMAC-SHA256 of the raw body under the API key. Alias: X-Bloop-Signature.", required=True
    ),
    header("X-Project-Key", "The project's API key. Without it the key that verifies decides."),
    header("Idempotency-Key", "Up to 64 characters; a repeat is counted once."),
    header("Content-Encoding", "gzip, or none. The signature is over the bytes as sent."),
]
INGEST_PROBLEMS = {
    400: problem("The body is not what this endpoint takes."),
    401: problem("Signature or key is missing, unknown or wrong."),
    413: problem("The body is too large."),
    415: problem("The Content-Encoding is not supported."),
    429: problem("Too many requests; see Retry-After."),
    503: problem("The buffer is full or storage is away; see Retry-After. Nothing was kept."),
}
