"""
Reads the variables of the environment, and the .env file that completes it.

django-environ would take any word as a boolean, and a secret that begins with "$" as the name of another variable.
"""

import ipaddress
import os
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from environ import Env

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# NAME=value, with the spaces, the `export`, the quotes and the comment that shells, Node and Docker Compose allow.
LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=
    (?:\s*(?P<quoted>'[^']*'|"(?:[^"\\]|\\.)*")|(?!\s*['"])(?P<plain>\S*(?:\s+[^#\s]\S*)*))
    (?:\s+\#.*)?\s*""",
    re.VERBOSE,
)


from_file: set[str] = set()  # the variables that the file has set: read again, it may leave them out


def read_file(path: Path) -> None:
    """
    Set the variables of a .env file, if there is one, that the environment leaves unset or empty.

    ImproperlyConfigured for a line that can't be read: to skip it is not safe, because it may say `production`. The
    error names the file and the line, never the text, which may be a secret.
    """
    for name in from_file:
        os.environ.pop(name, None)
    from_file.clear()
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            return
        raise invalid(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise invalid(f"{path}, line {number} can't be read: save the file as UTF-8.") from None
    found: list[str] = []
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if not match or not line.rstrip("\r").replace("\t", " ").isprintable():
            problems.append(f"{path}, line {number} can't be read: write NAME=value, without invisible characters.")
            continue
        if not os.environ.get(match["name"]):
            os.environ.pop(match["name"], None)
            from_file.add(match["name"])
        found.append(f"{match['name']}={match['quoted'] or match['plain'].strip()}")
    if problems:
        raise invalid(*problems)
    Env.read_env(StringIO("\n".join(found)))


def invalid(*problems: str) -> ImproperlyConfigured:
    return ImproperlyConfigured("\n".join(["Invalid configuration:", *problems]))


class Environment:
    """Reads variables; an empty one counts as not set. `problems` collects all errors, to report them at once."""

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
        """The items of a list separated by commas."""
        return [item.strip() for item in self.text(name, default).split(",") if item.strip()]

    def networks(self, name: str) -> list[Network]:
        networks: list[Network] = []
        for item in self.listed(name):
            if item == "unix":  # a socket, not a network
                continue
            try:
                networks.append(ipaddress.ip_network(item, strict=False))
            except ValueError:
                self.problems.append(
                    f"{name} has {item!r}: list IP addresses or networks such as 10.0.0.5 or 10.0.0.0/28, or unix."
                )
        return networks

    def header_names(self, name: str) -> list[str]:
        """The names in lower case."""
        names = [item.lower() for item in self.listed(name)]
        self.problems += [
            f"{name} has {item!r}: list names of request headers such as X-Client-Version."
            for item in names
            if not re.fullmatch(r"[a-z0-9_-]+", item)
        ]
        return names

    def refuse_other_spellings(
        self, name: str, items: list[str], as_compared: Callable[[str], str | None], wanted: str
    ) -> None:
        """Refuse items that can never equal a request's; `as_compared` returns the spelling that can, or None."""
        for item in items:
            meant = as_compared(item)
            if meant is None:
                self.problems.append(f"{name} has {item!r}: list {wanted}.")
            elif meant != item:
                self.problems.append(f"{name} has {item!r}, which nothing ever matches: write {meant!r}.")

    def refuse_problems(self) -> None:
        if self.problems:
            raise invalid(*self.problems)
