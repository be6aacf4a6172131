"""
Hosts and origins as they arrive in a request, which is not always as people write them.

They are compared letter by letter: https://App.example.com:443/ never arrives.
"""

import ipaddress
import re

WRITTEN = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<user>[^\s/?#@]*@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?#]\S*)?"
)
DEFAULT_PORTS = {"http": 80, "https": 443}
OPAQUE = {"about", "blob", "data", "file", "ftp", "javascript", "ws", "wss"}  # no page has an origin of these
PART_OF_A_LABEL = re.compile(
    r"(?=[^.]*[^.*])[^.*]*\*[^.*]*(?:\.[^.*]+){2,}"
)  # with two labels behind: nobody else's domain


def origin_as_sent(written: str) -> str | None:
    """The origin as browsers send it (RFC 6454, 6.1); it may have a `*` for part of a label. None if they never do."""
    parts = WRITTEN.fullmatch(written)
    if not parts or not parts["scheme"] or parts["scheme"].lower() in OPAQUE:
        return None
    scheme, host, port = parts["scheme"].lower(), parts["host"], parts["port"]
    if scheme in DEFAULT_PORTS:
        host = host_as_sent(host)
        port = port and int(port) != DEFAULT_PORTS[scheme] and str(int(port))
    if not host or ("*" in host and not PART_OF_A_LABEL.fullmatch(host)):
        return None
    return f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}"


def origin_of(url: str) -> str | None:
    """The origin of a URL of http or https without user and fragment; None for any other text."""
    parts = WRITTEN.fullmatch(url)
    if not parts or parts["user"] or not re.fullmatch("(/[^#]*)?", parts["rest"] or ""):
        return None
    if not 0 < int(parts["port"] or 1) <= 65535 or (parts["scheme"] or "").lower() not in DEFAULT_PORTS:
        return None
    return origin_as_sent(url)


def host_allowed_as(written: str) -> str | None:
    """The entry of ALLOWED_HOSTS that Django compares with a request's host; None if there is none."""
    parts = WRITTEN.fullmatch(f"[{written}]" if written.count(":") > 1 and "[" not in written else written)
    host = parts and host_as_sent(parts["host"].rstrip("."))
    if host and host.startswith("*."):
        host = host[1:]
    return host if host and re.fullmatch(r"\*|[a-z0-9.-]+|\[[0-9a-f:.]+\]", host) else None


def host_as_sent(written: str) -> str | None:
    """In lower case, in Punycode, and an IPv6 address at its shortest."""
    try:
        if written.startswith("["):
            return f"[{ipaddress.IPv6Address(written[1:-1])}]"
        return ".".join(
            label if label.isascii() else label.encode("idna").decode() for label in written.split(".")
        ).lower()
    except ValueError:
        return None


def pattern_of(origin: str) -> re.Pattern[str]:
    """For an origin with a `*`, which stands for part of a label."""
    return re.compile(re.escape(origin).replace(r"\*", "[a-z0-9-]+"))
