"""Which addresses belong to the world, and which to somebody's own network. Pure."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# What `ipaddress` takes for the world's, differently in each version of Python, and is not.
NOT_THE_WORLDS = tuple(
    ip_network(each)
    for each in (
        "100.64.0.0/10",  # carriers' own (RFC 6598); also a cloud's metadata
        "168.63.129.16/32",  # what Azure's machines ask about themselves
        "192.0.0.0/24",  # protocols' own (RFC 6890); also a cloud's metadata
        "192.88.99.0/24",  # relays of 6to4 (RFC 7526)
        "2001::/23",  # protocols' own, Teredo among them (RFC 2928)
        "3fff::/20",  # for documents (RFC 9637)
    )
)
WORLD_6 = ip_network("2000::/3")  # all that has been handed out (RFC 4291, 2.4)
NAT64 = ip_network("64:ff9b::/96")  # (RFC 6052); behind one every IPv4 address of the world is reached like this


def is_public(text: str) -> bool:
    """Whether an address belongs to the world: not to a private network, this machine, this link, several at once, or
    nobody. Of an IPv6 address that stands for an IPv4 one, that one decides. What is no address is not public.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        address = embedded(address) or address
    if isinstance(address, IPv6Address) and address not in WORLD_6:
        return False
    if address.is_private or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return address.is_global and not any(address in network for network in NOT_THE_WORLDS)


def embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that this one stands for: written as IPv6, or reached through NAT64 or 6to4."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
