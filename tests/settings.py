"""The production settings, so that what is tested is what is served; and no .env of the developer's."""

import os

os.environ.update(
    ENVIRONMENT="production",
    LOG_LEVEL="WARNING",
    SECRET_KEY="a key for the tests, of fifty characters or some more",
    BETTER_AUTH_SECRET="a secret for the tests, of thirty-two bytes or more",
    ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
    CORS_ORIGINS="https://app.example.com",
    TRUSTED_PROXIES="10.0.0.0/8,2001:db8::/32",
    SECURE_SSL_REDIRECT="false",
    API_DOCS="true",
)
os.environ.setdefault("DATABASE_URL", "sqlite://:memory:")

from config.settings import *  # noqa: F403 - all of them, with what follows changed

INSTALLED_APPS = [*INSTALLED_APPS, "tests.notes"]  # noqa: F405 - a second resource, as docs/make-it-yours.md adds it
SILENCED_SYSTEM_CHECKS = [*SILENCED_SYSTEM_CHECKS, "models.E032"]  # noqa: F405 - a project's own notes have its constraint
ROOT_URLCONF = "tests.urls"
REST_FRAMEWORK["TEST_REQUEST_DEFAULT_FORMAT"] = "json"  # noqa: F405 - from the line above
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # of staff; the real one is slow on purpose
