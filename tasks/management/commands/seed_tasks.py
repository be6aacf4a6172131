from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from random import Random
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from api.management.command import DocumentedCommand, user_id
from tasks.models import Task

BATCH = 5000  # rows in one statement
PROGRESS = 20 * BATCH
MOST = 10_000_000
YEAR = timedelta(days=365)

VERBS = ["Buy", "Call about", "Clean", "Collect", "Compare prices for", "Fix", "Order", "Pay for", "Return", "Sell"]
THINGS = [
    "bicycle tyres", "birthday cake", "bookshelf", "bread and milk", "café chairs", "coffee beans", "concert tickets",
    "dentist's bill", "dishwasher", "fire insurance", "garden hose", "kitchen tap", "library books", "new passport",
    "old phone", "running shoes", "smoke alarm", "summer holiday", "train tickets", "winter coat",
]  # fmt: skip
ENDS = ["", "", "", " before Friday", " for Grandma", " this month", " with Zoë", " (again)"]
DESCRIPTIONS = [
    *[None] * 4,
    "",
    "The number is on the fridge.",
    "Not before ten o'clock.\nRing twice.",
    "See the e-mail of last week; the receipt is in the blue folder, second drawer.",
]


def number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST}")
    return int(text)


class Command(DocumentedCommand):
    help = """\
Add tasks to look at and to measure with: --tasks for each of --users users (user-1, user-2, …), or for one.

  manage.py seed_tasks                                # 10 users with 100 tasks each
  manage.py seed_tasks --user alice --tasks 20
  manage.py seed_tasks --users 200 --tasks 10000      # 2,000,000: a minute or two on PostgreSQL

The same arguments always make the same tasks: titles, descriptions (half of them null), two in three
completed, with times spread over the year that ends today. Existing tasks stay.
`manage.py erase_user user-1` removes them. Refused in production."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        who = parser.add_mutually_exclusive_group()
        who.add_argument("--users", type=number, default=10, metavar="N", help="default: %(default)s")
        who.add_argument("--user", type=user_id, metavar="USER", help="this one only")
        parser.add_argument(
            "--tasks", type=number, default=100, metavar="N", help="of each user (default: %(default)s)"
        )

    def handle(self, *, users: int, user: str | None, tasks: int, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("These tasks are made up, and this is production: use a development database.")
        names = [user] if user else [f"user-{number}" for number in range(1, users + 1)]
        made, count = made_up(names, tasks), 0
        while batch := list(islice(made, BATCH)):
            Task.objects.bulk_create(batch)
            count += len(batch)
            if count % PROGRESS == 0:
                self.tell(f"{count} of {len(names) * tasks} tasks")
        self.stdout.write(f"Added {count} tasks.")


def made_up(names: list[str], count: int) -> Iterator[Task]:
    """In order of time, the rows of all users mixed, as the API would create them."""
    until = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    chances = {name: Random(name) for name in names}  # noqa: S311 - it must be reproducible
    step = YEAR / count
    for position in range(count):
        for name, chance in chances.items():
            created_at = until - YEAR + step * (position + chance.random())
            completed = chance.random() < 2 / 3
            wait = (until - created_at) * chance.random() ** 4  # most of them are soon completed
            yield Task(
                user_id=name,
                title=f"{chance.choice(VERBS)} {chance.choice(THINGS)}{chance.choice(ENDS)}",
                description=chance.choice(DESCRIPTIONS),
                completed=completed,
                created_at=created_at,
                updated_at=created_at + wait if completed else created_at,
            )
