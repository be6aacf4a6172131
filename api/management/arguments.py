"""Arguments of the commands, with errors that explain. A wrong argument is exit code 2."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable

from django.core.management.base import DjangoHelpFormatter

from api.authentication import is_user_id


class HelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the lines of `help` as they are written."""


def user_id(text: str) -> str:
    if not is_user_id(text):
        raise ArgumentTypeError("it must be 1 to 255 characters, none of them a control character")
    return text


def add_user(parser: ArgumentParser) -> None:
    explained = "the user's id, as Better Auth has it; put one that begins with - last, after --"
    parser.add_argument("user", type=user_id, metavar="USER", help=explained)


def whole_number(minimum: int, maximum: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= 9 and minimum <= int(text) <= maximum):
            raise ArgumentTypeError(f"{text!r} is not a whole number from {minimum} to {maximum}")
        return int(text)

    return number
