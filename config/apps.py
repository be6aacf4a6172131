from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


class DeploymentConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        from config import checks  # noqa: F401 - registers them; they need the apps to be there
        from config.postgresql import checks as of_postgresql  # noqa: F401 - likewise

        # At each request these cost as much as the query. They reset a log of queries that is not kept, close caches
        # that are not used, and do what the next request does again: check the connection, and choose the URLs.
        request_started.disconnect(reset_queries)
        for receiver in (close_old_connections, close_caches, reset_urlconf):
            request_finished.disconnect(receiver)

        if settings.LOG_SQL:
            connection_created.connect(log_statements)
            request_started.connect(reset_queries)


class StaffAdminConfig(AdminConfig):
    default_site = "config.staff.StaffSite"

    def ready(self) -> None:
        super().ready()
        from django.contrib import admin
        from django_otp.plugins.otp_static.models import StaticDevice
        from django_otp.plugins.otp_totp.models import TOTPDevice

        admin.site.unregister([StaticDevice, TOTPDevice])  # they show the secrets; `enroll_staff` replaces them


def log_statements(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Django logs SQL only in debug mode, which this project never uses."""
    connection.force_debug_cursor = True
