from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.template.defaultfilters import pluralize
from django.utils import timezone

from api.management.arguments import HelpFormatter, whole_number
from api.models import IdempotencyKey

KEPT = timedelta(hours=24)
PROGRESS = 50  # batches from one line about it to the next


class Command(BaseCommand):
    help = """\
Delete idempotency keys older than 24 hours, and of staff the sign-in attempts that no longer count and the
expired sessions. Run it once a day.

Each batch is a short statement of its own, so it can run on a busy table. If it is stopped half-way, the
next run continues.

  manage.py purge_idempotency_keys"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.formatter_class = HelpFormatter
        parser.add_argument(
            "--batch",
            type=whole_number(1, 10_000),
            default=1000,
            metavar="N",
            help="rows in one statement (default: %(default)s)",
        )

    def handle(self, *, batch: int, **options: Any) -> None:
        old = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).order_by("created_at")
        count = batches = 0
        while ids := list(old.values_list("id", flat=True)[:batch]):
            count += IdempotencyKey.objects.filter(id__in=ids).delete()[0]
            batches += 1
            if batches % PROGRESS == 0:
                self.stderr.write(f"{count} keys so far", str)
        self.stdout.write(f"{count} key{pluralize(count)} purged.")
        AccessAttempt.objects.filter(attempt_time__lt=timezone.now() - settings.AXES_COOLOFF_TIME).delete()
        call_command("clearsessions")
