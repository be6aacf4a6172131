import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import Error

from api.erasure import Counts, count, erase, summary
from api.management.command import DocumentedCommand, add_user


class Command(DocumentedCommand):
    help = """\
Erase everything about USER, for good: what a person may ask for under article 17 of the GDPR. A frontend
calls DELETE /api/{user_id} to do the same when a user deletes their account.

  manage.py erase_user alice --dry-run    # says how much there is, and changes nothing
  manage.py erase_user alice              # asks first
  manage.py erase_user alice --yes        # for scripts

In every resource it erases first the texts about the user's rows in the admin's history (who did something
when, and to which id, stays), then the rows; last, the idempotency keys. It works in short batches, beside
a busy API. If it is stopped or fails half-way, it says how far it got, and the next run does the rest. A
run that finds nothing is not an error.

The user's last token may be valid for 15 minutes after Better Auth has deleted the user, and can create new
rows: run it again after that. Log lines contain user ids and backups contain rows; they expire by the
deployment's own rules.

Exit codes: 0 everything is erased; 1 failed or not confirmed; 2 wrong arguments; 130 interrupted."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_user(parser)
        parser.add_argument("--dry-run", action="store_true", help="print how much there is, and change nothing")
        parser.add_argument("--yes", action="store_true", help="don't ask")

    def handle(self, *, user: str, dry_run: bool, yes: bool, **options: Any) -> None:
        if not (dry_run or yes or sys.stdin.isatty()):
            raise CommandError("Nobody can confirm it here: add --yes to mean it, or --dry-run.", returncode=2)
        there = count(user)
        if dry_run or not yes:
            self.stdout.write(f"{user} has {summary(there)}.")
        if dry_run:
            return
        if not yes and not confirmed(user):
            raise CommandError("That is not the id: nothing is erased.")

        done = Counts(dict.fromkeys(there, 0))
        try:
            self.add_up(erase(user), done)
        except KeyboardInterrupt:
            raise CommandError(stopped("Interrupted", done), returncode=130) from None
        except Error as error:
            cause = f"The database failed ({str(error).partition(chr(10))[0]})"
            raise CommandError(stopped(cause, done)) from error
        self.stdout.write(f"Erased {summary(done)} of {user}.")
        if not any(done.values()):
            self.tell("There was nothing. Is the id right, case included?")


def confirmed(user: str) -> bool:
    try:
        return input("Erase that for good? Type the user's id: ") == user
    except EOFError:
        return False


def stopped(cause: str, done: Counts) -> str:
    return f"{cause}. Erased {summary(done)} so far: run it again for the rest."
