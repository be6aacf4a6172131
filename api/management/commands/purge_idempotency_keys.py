from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from api.erasure import KEYS, Counts, delete, summary
from api.management.command import DocumentedCommand
from api.models import IdempotencyKey

KEPT = timedelta(hours=24)


class Command(DocumentedCommand):
    help = """\
Delete idempotency keys older than 24 hours, and of staff the sign-in attempts that no longer count and the
expired sessions. Run it once a day.

Each batch is a short statement of its own, so it can run on a busy table. If it is stopped half-way, the
next run continues.

  manage.py purge_idempotency_keys"""

    def handle(self, **options: Any) -> None:
        old = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).order_by("created_at")
        done = Counts({KEYS: 0})
        self.add_up(delete(KEYS, old), done)
        self.stdout.write(f"Erased {summary(done)}.")
        AccessAttempt.objects.filter(attempt_time__lt=timezone.now() - settings.AXES_COOLOFF_TIME).delete()
        call_command("clearsessions")
