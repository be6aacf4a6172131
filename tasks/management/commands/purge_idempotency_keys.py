from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from tasks.models import IdempotencyKey

KEPT = timedelta(hours=24)


class Command(BaseCommand):
    help = "Delete the idempotency keys that are older than 24 hours, in batches. Run it once a day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=1000, help="rows in one statement (default: %(default)s)")

    def handle(self, *, batch: int, **options: Any) -> None:
        old = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).order_by("created_at")
        count = 0
        while ids := list(old.values_list("id", flat=True)[:batch]):
            count += IdempotencyKey.objects.filter(id__in=ids).delete()[0]
        self.stdout.write(f"{count} keys purged.")
