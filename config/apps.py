from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


class DeploymentConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        from config import checks  # noqa: F401 - registers them; they need the apps to be there
        from config.postgresql import checks as of_postgresql  # noqa: F401 - likewise

        if settings.LOG_SQL:
            connection_created.connect(log_statements)


class StaffAdminConfig(AdminConfig):
    default_site = "config.staff.StaffSite"

    def ready(self) -> None:
        super().ready()
        from django.contrib import admin
        from django_otp.plugins.otp_static.models import StaticDevice
        from django_otp.plugins.otp_totp.models import TOTPDevice

        admin.site.unregister([StaticDevice, TOTPDevice])  # they show the secrets: `enroll_staff` is for them


def log_statements(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Django logs SQL in debug mode only, which this project never enters."""
    connection.force_debug_cursor = True
