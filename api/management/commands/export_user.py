import json
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import CommandError

from api.erasure import Counts, summary
from api.management.command import DocumentedCommand, add_user
from api.renderers import rendered
from api.rows import OwnedRows, registry
from api.statements import Row

PROGRESS = 50_000  # rows from one line about it to the next


class Command(DocumentedCommand):
    help = """\
Write all rows of USER to standard output, by resource, oldest first: what a person may ask for under
article 20 of the GDPR. The count goes to standard error.

  manage.py export_user alice > alice.json
  manage.py export_user alice --format csv --resource tasks > alice.csv

json  An object with an array for each resource, each row as the API shows it.
csv   One resource, by RFC 4180, with a header. Every value is in quotes except null, which is nothing at
      all; an empty text is "". PostgreSQL's COPY reads this as it is meant.

Both are UTF-8. The texts are exactly what the person wrote. A spreadsheet takes a text that begins with
= + - or @ for a formula: import the columns as text.

It reads page by page, in constant memory, while the API goes on; changes made meanwhile may or may not be
in it. Idempotency keys (random, and deleted after a day) and what staff did (the admin's history) are not.

For a user without rows the exit code is 0 as well, and standard error says so. With any other exit code
the file is incomplete."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = [owned.nouns for owned in registry.values()]
        add_user(parser)
        parser.add_argument("--format", choices=["json", "csv"], default="json", help="default: %(default)s")
        parser.add_argument("--resource", choices=names, help="only this one (default: all)")

    def handle(self, *, user: str, format: str, resource: str | None, **options: Any) -> None:  # noqa: A002 - the option's name
        chosen = [owned for owned in registry.values() if resource in (None, owned.nouns)]
        if format == "csv" and len(chosen) > 1:
            raise CommandError("A CSV file has the rows of one resource: add --resource.", returncode=2)
        if hasattr(self.stdout, "reconfigure"):  # it is a file or a terminal, whatever its locale says
            self.stdout.reconfigure(encoding="utf-8")
        self.counts: Counts = Counts()
        if format == "csv":
            self.write_csv(chosen[0], user)
        else:
            self.write_json(chosen, user)
        self.stdout.flush()
        found = bool(self.counts.total())
        self.tell(
            f"Exported {summary(self.counts)}." if found else f"{user} has nothing. Is the id right, case included?"
        )

    def write_json(self, resources: list[OwnedRows], user: str) -> None:
        text = "{"  # written with the first row, so that a database that is down leaves nothing
        for owned in resources:
            text += f"\n{json.dumps(owned.nouns)}: ["
            before, end = "\n", "],"
            for row in self.rows(owned, user):
                self.stdout.write(text + before + rendered(row).decode(), ending="")
                text, before, end = "", ",\n", "\n],"
            text += end
        self.stdout.write(text.removesuffix(",") + "\n}")

    def write_csv(self, owned: OwnedRows, user: str) -> None:
        self.stdout.write(csv_line(owned.fields), ending="")
        for row in self.rows(owned, user):
            self.stdout.write(csv_line(json.loads(rendered(row)).values()), ending="")

    def rows(self, owned: OwnedRows, user: str) -> Iterator[Row]:
        what = owned.noun, owned.nouns
        self.counts[what] = 0
        for rows in owned.of(user).pages():
            yield from rows
            self.counts[what] += len(rows)
            if self.counts.total() % PROGRESS < len(rows):
                self.tell(f"{summary(self.counts)} so far")


def csv_line(values: Iterable[Any]) -> str:
    # csv.writer can tell None from "" as of Python 3.12 only
    return ",".join(map(csv_field, values)) + "\r\n"


def csv_field(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return '"' + text.replace('"', '""') + '"'
