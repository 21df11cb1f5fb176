"""Who is really asking: the client's address, believing forwarding headers only from configured proxies."""

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=1)
def trusted_networks() -> tuple[Network, ...]:
    """`server.trusted_proxies`, parsed once."""
    return tuple(ipaddress.ip_network(each, strict=False) for each in settings.BLOOP.server.trusted_proxies)


def is_trusted(address: str) -> bool:
    """Whether `address` is one of our own proxies; anything unparsable is not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in trusted_networks())


def client_address(request: HttpRequest) -> str:
    """The nearest address that is not one of our proxies (design.md 3: read from the right).

    Without trusted proxies this is the peer itself, whatever the headers say; behind one, `X-Forwarded-For` is read
    from the right, then `X-Real-IP`.
    """
    peer: str = request.META.get("REMOTE_ADDR") or "unknown"
    if not trusted_networks() or not is_trusted(peer):
        return peer
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    if not hops:
        hops = [request.META.get("HTTP_X_REAL_IP", "").strip() or peer]
    outside = [hop for hop in hops if not is_trusted(hop)]
    nearest = outside[-1] if outside else hops[0]
    return nearest if is_address(nearest) else peer


def is_address(text: str) -> bool:
    """Whether `text` parses as an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
