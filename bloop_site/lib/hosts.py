"""Which host names are this machine. Pure: settings read it before there are any."""

LOCAL = ("localhost", "127.0.0.1", "::1")


def is_local(host: str) -> bool:
    """Whether a host is this machine itself: there cookies need no https."""
    return host in LOCAL or host.endswith(".localhost")
