from argparse import ArgumentParser
from base64 import b32encode
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError
from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from api.management.command import DocumentedCommand

RECOVERY_CODES = 10


class Command(DocumentedCommand):
    help = """\
Give a member of staff a second factor, for ADMIN_OTP=true: a key for an authenticator app, and ten recovery
codes that each work once. Earlier ones stop working, so run it again for somebody who has lost their phone.

  manage.py enroll_staff agent
  manage.py enroll_staff agent | head -n 1 | qrencode -t UTF8    # to scan

It prints secrets, once: hand them over in person."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", metavar="NAME", help="the name of a staff account")

    @transaction.atomic
    def handle(self, *, username: str, **options: Any) -> None:
        user = User.objects.filter(username=username, is_staff=True).first()
        if user is None:
            raise CommandError(f"There is no staff account {username!r}.")
        for kind in (TOTPDevice, StaticDevice):
            kind.objects.filter(user=user).delete()
        app = TOTPDevice.objects.create(user=user, name="app")
        recovery = StaticDevice.objects.create(user=user, name="recovery codes")
        codes = [recovery.token_set.create(token=StaticToken.random_token()).token for _ in range(RECOVERY_CODES)]
        self.stdout.write(f"{app.config_url}\n\nKey: {b32encode(app.bin_key).decode()}\nRecovery codes:\n")
        self.stdout.write("\n".join(codes))
