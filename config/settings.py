"""
Every setting, from the environment. docs/configuration.md lists the variables.

Development works with nothing set. Production (ENVIRONMENT=production) refuses to start on a missing
or weak value: one ImproperlyConfigured names every such variable and says what to do.
"""

import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from config import PROJECT, better_auth
from config.database import for_pooler, parse
from config.environment import Environment, read_file
from config.guessing import MAKE_ONE, weakness
from config.logs import logging_config
from config.origins import host_allowed_as, origin_as_sent, pattern_of

BASE_DIR = Path(__file__).resolve().parent.parent

# An environment that says it is production is complete: a forgotten .env must not fill its gaps.
if os.environ.get("ENVIRONMENT") != "production":
    read_file(BASE_DIR / ".env")

env = Environment()

# The process

ENVIRONMENT = env.one_of("ENVIRONMENT", "development", "production")
PRODUCTION = ENVIRONMENT == "production"
LOG_LEVEL = env.one_of("LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR", "CRITICAL")
ADDRESS = "0.0.0.0" if PRODUCTION else "127.0.0.1"  # noqa: S104 - a container's ports
PORT = env.whole_number("PORT", 8000, minimum=1, maximum=65535)
METRICS_PORT = env.whole_number("METRICS_PORT", 0, minimum=0, maximum=65535)  # 0: none
if METRICS_PORT == PORT:
    env.problems.append("METRICS_PORT equals PORT: set another, one that only Prometheus can reach.")
# macOS can't limit a process to some of the processors, and has no such function.
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
# Each thread keeps a database connection: at the defaults 30 at most.
WEB_CONCURRENCY = env.whole_number("WEB_CONCURRENCY", min(PROCESSORS, 15), minimum=1, maximum=500)
WEB_THREADS = env.whole_number("WEB_THREADS", 2, minimum=1, maximum=500)

# Django's debug pages are HTML and show settings. Tracebacks are in the log.
DEBUG = False
LOGGING = logging_config(LOG_LEVEL, as_json=PRODUCTION)
LOG_SQL = LOG_LEVEL == "DEBUG" and not PRODUCTION

API_DOCS = env.boolean("API_DOCS", default=not PRODUCTION)

# Secrets and tokens: see api/authentication.py and api/keys.py

SECRET_KEY = env.text("SECRET_KEY") or ("" if PRODUCTION else secrets.token_urlsafe(48))
if not SECRET_KEY.strip():
    env.problems.append(f"SECRET_KEY is not set: set it to 50 or more random characters. {MAKE_ONE} makes them.")
elif problem := weakness(SECRET_KEY, production=PRODUCTION):
    env.problems.append(f"SECRET_KEY {problem}")

BETTER_AUTH_ORIGIN, BETTER_AUTH_JWKS_URL = better_auth.key_server(env)
BETTER_AUTH_SECRETS = better_auth.shared_secrets(env, production=PRODUCTION, secret_key=SECRET_KEY)
USER_AGENT = "{name}/{version}".format_map(PROJECT)  # of requests to the key server
BETTER_AUTH_ISSUER = env.text("BETTER_AUTH_ISSUER") or None
BETTER_AUTH_AUDIENCE = env.text("BETTER_AUTH_AUDIENCE") or None
JWT_LEEWAY_SECONDS = env.whole_number("JWT_LEEWAY_SECONDS", 0, minimum=0, maximum=300)
SIMPLE_JWT = {
    "AUTH_TOKEN_CLASSES": ["api.authentication.BetterAuthToken"],
    "TOKEN_USER_CLASS": "api.authentication.ApiUser",
    "USER_ID_CLAIM": "sub",
    "TOKEN_TYPE_CLAIM": None,  # Better Auth sends neither of these
    "JTI_CLAIM": None,
}

# Hosts, origins, proxies

ALLOWED_HOSTS = [
    host.lower() for host in env.listed("ALLOWED_HOSTS", "" if PRODUCTION else "localhost,127.0.0.1,[::1]")
]
if not ALLOWED_HOSTS:
    env.problems.append("ALLOWED_HOSTS is not set: set it to the host names of this API, separated by commas.")
env.refuse_other_spellings("ALLOWED_HOSTS", ALLOWED_HOSTS, host_allowed_as, "host names such as api.example.com")

ORIGINS = env.listed("CORS_ORIGINS", "" if PRODUCTION else "http://localhost:3000")
env.refuse_other_spellings("CORS_ORIGINS", ORIGINS, origin_as_sent, "origins such as https://app.example.com")
CORS_ALLOWED_ORIGINS = [origin for origin in ORIGINS if "*" not in origin]
CORS_ALLOWED_ORIGIN_REGEXES = [pattern_of(origin) for origin in ORIGINS if "*" in origin]
CORS_ALLOW_CREDENTIALS = True  # many clients include them by habit; no answer of the API depends on a cookie
CORS_ALLOW_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
CORS_ALLOW_HEADERS = [
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "x-request-id",
    *("baggage", "sentry-trace", "traceparent", "tracestate"),  # of tracing
    *env.header_names("CORS_ALLOW_HEADERS"),
]
CORS_EXPOSE_HEADERS = [
    "Allow",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
]

TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
TRUST_UNIX_SOCKET = "unix" in env.listed("TRUSTED_PROXIES")  # a client of a socket has no address
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # RequestMiddleware removes it if it can't be trusted

SECURE_SSL_REDIRECT = env.boolean("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^health(/live)?$"]
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if SECURE_SSL_REDIRECT else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SILENCED_SYSTEM_CHECKS = [
    "security.W021",  # HSTS preload binds the whole domain, so its owner decides
    # Where the redirect to HTTPS is off on purpose, a proxy in front redirects and sends HSTS.
    *(() if SECURE_SSL_REDIRECT else ("security.W004", "security.W008")),
    # They look in MIDDLEWARE for what is in ADMIN_MIDDLEWARE. The admin's views have their own protection against CSRF.
    *("security.W003", "admin.E408", "admin.E409", "admin.E410", "axes.W002"),
]

# The admin and its sign-in

ADMIN_ENABLED = env.boolean("ADMIN_ENABLED", default=True)
ADMIN_OTP = env.boolean("ADMIN_OTP", default=False)
OTP_TOTP_ISSUER = "Task API"  # what an authenticator app shows, and the admin
SESSION_COOKIE_AGE = 8 * 60 * 60  # seconds after signing in; config.staff ends idle sessions sooner
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = "/admin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "config.errors.forged_form"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # its cookie would go to the API too
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024  # bytes of a form; the API has its own limit
LOGIN_REDIRECT_URL = "admin:index"  # if `next` leads to another site

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "config.staff.StaffBackend"]
PASSWORD_HASHERS = ["config.staff.OneAtATimeHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
AXES_HANDLER = "config.staff.FailedSignIns"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # nobody can lock out an agent from somewhere else
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "config.errors.too_many_attempts"
AXES_CLIENT_IP_CALLABLE = "config.middleware.network_of_client"
AXES_SENSITIVE_PARAMETERS = ["username", "next"]  # they may have a password typed by mistake, and a user's id
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# Applications

INSTALLED_APPS = [
    "config.apps.DeploymentConfig",  # first, for its templates
    "config.apps.StaffAdminConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "corsheaders",
    "api",
    "tasks",
    *(["drf_spectacular", "drf_spectacular_sidecar"] if API_DOCS else []),
]

MIDDLEWARE = [
    *(["config.metrics.MetricsMiddleware"] if METRICS_PORT else []),
    "config.middleware.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.middleware.ExactCorsMiddleware",
    "config.middleware.HostMiddleware",
    *(["config.middleware.AdminMiddleware"] if ADMIN_ENABLED or API_DOCS else []),
]
ADMIN_MIDDLEWARE = [
    "config.staff.secure_pages",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.staff.end_idle_sessions",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Static files come straight from the packages, under the admin's path: nothing has to be collected.
STATIC_URL = "admin/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

REST_FRAMEWORK = {
    # Closed by default: a view without settings of its own demands a token, and a path that names its user.
    "DEFAULT_AUTHENTICATION_CLASSES": ["api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["api.permissions.PathNamesTokenUser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "api.negotiation.JSONNegotiation",
    "DEFAULT_PARSER_CLASSES": ["api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["api.renderers.ORJSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "api.schema.OperationSchema",  # only the schema loads it
    "EXCEPTION_HANDLER": "api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "NON_FIELD_ERRORS_KEY": "body",
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",  # DRF's default drops zero microseconds
}

# The schema and its pages: api/schema.py and api/docs.py
SPECTACULAR_SETTINGS = {
    "TITLE": "Task API",
    "VERSION": PROJECT["version"],
    "DESCRIPTION": (
        "Per-user data behind a Better Auth frontend. A path has no slash at its end, and HEAD works wherever GET "
        "does. Members and query parameters that are not named here are ignored. What is wrong in several ways is "
        "refused for the first of 401, 403, 405, 404, 415, 413, 400, 412, 422."
    ),
    "LICENSE": {"name": "MIT"},
    "OAS_VERSION": "3.1.0",
    "POSTPROCESSING_HOOKS": [],
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Database

DATABASE_URL = env.text("DATABASE_URL", "" if PRODUCTION else f"sqlite:///{quote(str(BASE_DIR / 'db.sqlite3'))}")
database: dict[str, Any] = {}
if not DATABASE_URL:
    env.problems.append("DATABASE_URL is not set: set it to postgresql://user:password@host/name?sslmode=verify-full.")
else:
    try:
        database |= parse(DATABASE_URL)
    except ValueError as error:
        env.problems.append(str(error))
if database.get("ENGINE") == "config.postgresql":
    for_pooler(database, pooled=env.boolean("DATABASE_POOLED", default="-pooler." in database["HOST"]))

DATABASES = {"default": database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Time and language

TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "config.formats"
USE_I18N = False

env.refuse_problems()
