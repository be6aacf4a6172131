import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand
from django.template.defaultfilters import pluralize

from api.management.arguments import HelpFormatter, add_user
from api.renderers import ORJSONRenderer
from api.statements import Row
from tasks.models import ROW_FIELDS, Task

PAGE = 1000  # rows in one statement, and in memory
PROGRESS = 50 * PAGE


class Command(BaseCommand):
    help = """\
Write all tasks of USER to standard output, in creation order: what a person may ask for by article 20
of the GDPR. The count goes to standard error.

  manage.py export_user alice > alice.json
  manage.py export_user alice --format csv > alice.csv

json  An array of tasks, each as the API shows it.
csv   RFC 4180 with a header; every value is in quotes, but for a description that is null: that is
      nothing at all, where an empty one is "". PostgreSQL's COPY reads it so.

The texts are exactly the person's own. A spreadsheet takes one that begins with = + - or @ for a
formula: import the columns as text, and don't open other people's files otherwise.

It reads page by page, in constant memory, while the API goes on; of what is written meanwhile, some may
be in it. Idempotency keys are not (random, and forgotten in a day), nor what staff did (the admin's
history is not the person's).

The exit code is 0 also for a user without tasks, as standard error then says; with any other, the file
is not complete."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = HelpFormatter
        add_user(parser)
        parser.add_argument("--format", choices=["json", "csv"], default="json", help="default: %(default)s")

    def handle(self, *, user: str, format: str, **options: Any) -> None:  # noqa: A002 - the option's name
        write = self.write_csv if format == "csv" else self.write_json
        count = write(self.rows(user))
        self.stdout.flush()
        self.tell(
            f"Exported {count} task{pluralize(count)}."
            if count
            else f"{user} has no tasks. Is the id right, case included?"
        )

    def rows(self, user: str) -> Iterator[Row]:
        tasks, place, count = Task.objects.owned_by(user), None, 0
        while page := tasks.page(place=place, limit=PAGE):
            yield from page
            place = page[-1]["created_at"], page[-1]["id"]
            count += len(page)
            if count % PROGRESS == 0:
                self.tell(f"{count} tasks so far")

    def write_json(self, rows: Iterator[Row]) -> int:
        count, before = 0, "[\n"
        for row in rows:
            self.stdout.write(before + rendered(row), ending="")
            count, before = count + 1, ",\n"
        self.stdout.write("\n]" if count else "[]")
        return count

    def write_csv(self, rows: Iterator[Row]) -> int:
        count = 0
        self.stdout.write(csv_line(ROW_FIELDS))
        for row in rows:
            self.stdout.write(csv_line(json.loads(rendered(row)).values()))
            count += 1
        return count

    def tell(self, text: str) -> None:
        self.stderr.write(text, str)


def rendered(row: Row) -> str:
    return ORJSONRenderer().render(row).decode()


def csv_line(values: Any) -> str:
    # csv.writer can tell None from "" as of Python 3.12 only
    return ",".join(map(csv_field, values)) + "\r\n"


def csv_field(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return '"' + text.replace('"', '""') + '"'
