"""What the commands share. A wrong argument is exit code 2, with an error that explains it."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, DjangoHelpFormatter

from api.authentication import is_user_id
from api.erasure import Counts, summary

PROGRESS = 50  # batches from one line about it to the next


class HelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the lines of `help` as they are written."""


class DocumentedCommand(BaseCommand):
    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=HelpFormatter, **kwargs)

    def tell(self, text: str) -> None:
        """On standard error, so that standard output has the result alone."""
        self.stderr.write(text, str)

    def add_up(self, batches: Iterable[Counts], done: Counts) -> None:
        """Carry out the batches, and tell now and then how far that is."""
        for number, batch in enumerate(batches, 1):
            done.update(batch)
            if number % PROGRESS == 0:
                self.tell(f"Erased {summary(done)} so far")


def user_id(text: str) -> str:
    if not is_user_id(text):
        raise ArgumentTypeError("it must be 1 to 255 characters, none of them a control character")
    return text


def add_user(parser: ArgumentParser) -> None:
    explained = "the user's id, as Better Auth has it; put one that begins with - last, after --"
    parser.add_argument("user", type=user_id, metavar="USER", help=explained)
