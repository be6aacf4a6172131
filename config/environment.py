"""
The environment, read variable by variable.

django-environ's readers take any word for a boolean, and a secret that begins with "$" for the name of another
variable: these don't.
"""

import ipaddress
import os
import re

from django.core.exceptions import ImproperlyConfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Environment:
    """An empty variable counts as not set. What is wrong is collected in `problems`, to be reported all at once."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return os.environ.get(name) or default

    def one_of(self, name: str, *allowed: str) -> str:
        """The first of `allowed` is the default."""
        value = self.text(name, allowed[0])
        if value not in allowed:
            self.problems.append(f"{name} is {value!r}: set it to one of {', '.join(allowed)}.")
        return value

    def whole_number(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        value = self.text(name, str(default))
        if not re.fullmatch(r"[0-9]{1,9}", value) or not minimum <= int(value) <= maximum:
            self.problems.append(f"{name} is {value!r}: set it to a whole number from {minimum} to {maximum}.")
            return default
        return int(value)

    def boolean(self, name: str, *, default: bool) -> bool:
        value = self.text(name, str(default)).lower()
        if value not in {"true", "false"}:
            self.problems.append(f"{name} is {value!r}: set it to true or false.")
        return value == "true"

    def listed(self, name: str, default: str = "") -> list[str]:
        """Items are separated by commas."""
        return [item.strip() for item in self.text(name, default).split(",") if item.strip()]

    def networks(self, name: str) -> list[Network]:
        networks: list[Network] = []
        for item in self.listed(name):
            try:
                networks.append(ipaddress.ip_network(item, strict=False))
            except ValueError:
                self.problems.append(f"{name} has {item!r}: list IP addresses or networks such as 10.0.0.0/8.")
        return networks

    def refuse_problems(self) -> None:
        if self.problems:
            raise ImproperlyConfigured("\n".join(["Invalid configuration:", *self.problems]))
