import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.contrib.admin.models import LogEntry
from django.core.management.base import BaseCommand, CommandError
from django.db import Error
from django.db.models import QuerySet
from django.template.defaultfilters import pluralize

from api.management.arguments import HelpFormatter, add_user
from api.models import IdempotencyKey
from tasks.models import Task

BATCH = 1000  # rows in one statement, which is a transaction of its own
PROGRESS = 50  # batches from one line about it to the next
ERASED = "(erased)"


class Command(BaseCommand):
    help = """\
Erase what there is about USER, for good: what a person may ask for by article 17 of the GDPR, and what
to call when Better Auth deletes a user.

  manage.py erase_user alice --dry-run    # says how much there is, and changes nothing
  manage.py erase_user alice              # asks first
  manage.py erase_user alice --yes        # for scripts

In this order: the texts in the admin's history about the user's tasks (who did something when, and to
which task number, stays), the tasks, the idempotency keys. It works in short batches, beside a busy API.
Stopped or failed half-way, it says how far it came, and the next run does the rest; once all is gone,
another run finds nothing and is no error.

A token may be good for 15 minutes after Better Auth has forgotten its user, and write new tasks: run it
again after that. Log lines have user ids in them, and backups have tasks: those are the deployment's to
let expire.

Exit codes: 0 all is erased; 1 it failed, or was not confirmed; 2 wrong arguments; 130 interrupted."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = HelpFormatter
        add_user(parser)
        parser.add_argument("--dry-run", action="store_true", help="say how much there is, and change nothing")
        parser.add_argument("--yes", action="store_true", help="don't ask")

    def handle(self, *, user: str, dry_run: bool, yes: bool, **options: Any) -> None:
        if not (dry_run or yes or sys.stdin.isatty()):
            raise CommandError("There is nobody to confirm it: add --yes to mean it, or --dry-run.", returncode=2)
        if dry_run or not yes:
            there_is = summary(
                tasks=Task.objects.owned_by(user).count(),
                keys=IdempotencyKey.objects.filter(user_id=user).count(),
                entries=sum(map(len, entries_about(user))),
            )
            self.stdout.write(f"{user} has {there_is}.")
        if dry_run:
            return
        if not yes and not confirmed(user):
            raise CommandError("That is not the id: nothing is erased.")

        self.done = {"tasks": 0, "keys": 0, "entries": 0}
        try:
            self.erase(user)
        except KeyboardInterrupt:
            raise CommandError(self.stopped("Interrupted"), returncode=130) from None
        except Error as error:
            raise CommandError(self.stopped(f"The database failed ({str(error).partition(chr(10))[0]})")) from error
        self.stdout.write(f"Erased {summary(**self.done)} of {user}.")
        if not any(self.done.values()):
            self.tell("There was nothing. Is the id right, case included?")

    def erase(self, user: str) -> None:
        """History first: the tasks tell which of it is theirs. Keys last: no retry makes a task anew."""
        for entries in entries_about(user):
            self.done["entries"] += LogEntry.objects.filter(id__in=entries).update(
                object_repr=ERASED, change_message=""
            )
        self.delete("tasks", Task.objects.owned_by(user).in_creation_order())
        self.delete("keys", IdempotencyKey.objects.filter(user_id=user).order_by("key"))

    def delete(self, kind: str, rows: QuerySet[Any]) -> None:
        batches = 0
        while ids := list(rows.values_list("id", flat=True)[:BATCH]):
            self.done[kind] += rows.filter(id__in=ids).delete()[0]
            batches += 1
            if batches % PROGRESS == 0:
                self.tell(f"Erased {summary(**self.done)} so far")

    def stopped(self, cause: str) -> str:
        return f"{cause}. Erased {summary(**self.done)} so far: run it again for the rest."

    def tell(self, text: str) -> None:
        self.stderr.write(text, str)


def confirmed(user: str) -> bool:
    try:
        return input("Erase that for good? Type the user's id: ") == user
    except EOFError:
        return False


def summary(*, tasks: int, keys: int, entries: int) -> str:
    return (
        f"{tasks} task{pluralize(tasks)}, {keys} idempotency key{pluralize(keys)} "
        f"and {entries} history entr{pluralize(entries, 'y,ies')}"
    )


def entries_about(user: str) -> Iterator[list[int]]:
    """
    In batches, the ids of the admin's history about this user's tasks, those that are gone included.

    All of it is read, once: a task is known by its number, one that is gone by the user id in the message.
    """
    history = LogEntry.objects.filter(content_type__app_label="tasks", content_type__model="task")
    history = history.exclude(object_repr=ERASED, change_message="").order_by("id")
    last = 0
    while batch := list(history.filter(id__gt=last).values_list("id", "object_id", "change_message")[:BATCH]):
        last = batch[-1][0]
        numbers = {object_id for _, object_id, _ in batch if object_id and object_id.isdecimal()}
        theirs = set(map(str, Task.objects.owned_by(user).filter(id__in=numbers).values_list("id", flat=True)))
        found = [id_ for id_, number, message in batch if number in theirs or user in users_named(message)]
        if found:
            yield found


def users_named(message: str) -> list[Any]:
    """The user ids in a message of the task admin's: a JSON list whose objects may have a `user_id`."""
    try:
        parts = json.loads(message)
    except ValueError:
        return []
    return [part.get("user_id") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
