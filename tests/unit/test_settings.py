"""config/settings.py, run as a whole in one environment after another."""

import ipaddress
import os
import re
import secrets
import string
import subprocess
import sys
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.guessing import weakness
from tests.server import ROOT, manage, production

PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "Oq3fV1yXc7LdPz9Rk5Tn2Wb8Hj4Gm6Sa0Eu1Yi3Cx7Fv5Bq9wN",
    "BETTER_AUTH_SECRET": "r8Kd2Xw6Qz4Nf9Jb1Lm7Tp3Vc5Hg0Sy-u",
    "DATABASE_URL": "postgresql://user:hunter2@db.example.com/tasks?sslmode=require",
    "ALLOWED_HOSTS": "api.example.com",
    "CORS_ORIGINS": "https://app.example.com",
}


@pytest.fixture
def load(tmp_path, monkeypatch):
    """The settings in exactly this environment, beside a `.env` of these bytes, or none."""
    monkeypatch.setattr("config.environment.from_file", set())
    file = ROOT / "config" / "settings.py"
    place = tmp_path / "config" / "settings.py"  # where it believes to be, for the sake of `.env`
    code = compile(file.read_text().replace("Path(__file__)", f"Path({str(place)!r})"), file, "exec")

    def load(environment: dict[str, str], env_file: bytes | None = None) -> dict[str, Any]:
        if env_file is not None:
            (tmp_path / ".env").write_bytes(env_file)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "COVERAGE_PROCESS_START") if name in os.environ}
        with patch.dict(os.environ, kept | environment, clear=True):
            names: dict[str, Any] = {"__name__": "config.settings", "__file__": str(file)}
            exec(code, names)  # noqa: S102 - the project's own
            return names

    return load


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in PRODUCTION.items() if key != name}


def test_development_works_with_nothing_set(load, tmp_path):
    settings = load({})

    assert (settings["ENVIRONMENT"], settings["ADDRESS"]) == ("development", "127.0.0.1")
    assert settings["DATABASES"]["default"]["NAME"] == str(tmp_path / "db.sqlite3")
    assert len(settings["SECRET_KEY"]) >= 50
    [secret] = settings["BETTER_AUTH_SECRETS"]
    assert len(secret) >= 32
    assert secret not in (settings["SECRET_KEY"], *load({})["BETTER_AUTH_SECRETS"])
    assert settings["BETTER_AUTH_JWKS_URL"] == ""
    assert settings["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert settings["CORS_ALLOWED_ORIGINS"] == ["http://localhost:3000"]
    assert settings["SECURE_SSL_REDIRECT"] is settings["SESSION_COOKIE_SECURE"] is False


def test_production_is_strict(load):
    settings = load(PRODUCTION)

    assert settings["ADDRESS"] == "0.0.0.0"  # noqa: S104 - compared, not bound
    assert settings["DEBUG"] is False
    assert settings["SECURE_SSL_REDIRECT"] is settings["SESSION_COOKIE_SECURE"] is True
    assert settings["CSRF_COOKIE_SECURE"] is True
    assert settings["SECURE_HSTS_SECONDS"] == 31_536_000


@pytest.mark.parametrize(
    ("environment", "served"), [({}, True), (PRODUCTION, False), (PRODUCTION | {"API_DOCS": "true"}, True)]
)
def test_the_schema_is_a_page_in_development_and_on_demand(load, environment, served):
    settings = load(environment)

    assert settings["API_DOCS"] is served
    assert ("drf_spectacular_sidecar" in settings["INSTALLED_APPS"]) is served


@pytest.mark.parametrize("environment", [{}, PRODUCTION])
def test_debug_is_never_on(load, environment):
    assert load(environment | {"DEBUG": "true", "LOG_LEVEL": "DEBUG"})["DEBUG"] is False


@pytest.mark.parametrize("name", ["SECRET_KEY", "BETTER_AUTH_SECRET", "DATABASE_URL", "ALLOWED_HOSTS"])
@pytest.mark.parametrize("empty", [False, True])
def test_production_refuses_to_start_without(load, name, empty):
    environment = without(name) | ({name: ""} if empty else {})

    with pytest.raises(ImproperlyConfigured, match=f"^Invalid configuration:\n{name} is not set: set it to "):
        load(environment)


def test_everything_that_is_missing_is_told_at_once(load):
    with pytest.raises(ImproperlyConfigured) as error:
        load({"ENVIRONMENT": "production"})

    lines = str(error.value).splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["SECRET_KEY", "BETTER_AUTH_SECRET", "ALLOWED_HOSTS", "DATABASE_URL"]


EXAMPLE = dict(
    line.lstrip("# ").split("=", 1)
    for line in (ROOT / ".env.example").read_text().splitlines()
    if "=" in line and line.lstrip("# ")[0].isupper()
)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("BETTER_AUTH_SECRET", "6" * 31, "BETTER_AUTH_SECRET is 31 bytes long: set one of 32 or more."),
        ("BETTER_AUTH_SECRET", "secret", "BETTER_AUTH_SECRET is 6 bytes long: set one of 32 or more."),
        ("BETTER_AUTH_SECRET", "better-auth-secret-12345678901234567890", "is a published example"),
        ("BETTER_AUTH_SECRET", EXAMPLE["BETTER_AUTH_SECRET"], "is a published example"),
        ("BETTER_AUTH_SECRET", PRODUCTION["SECRET_KEY"], "BETTER_AUTH_SECRET equals SECRET_KEY"),
        ("BETTER_AUTH_SECRETS", "2:" + "7" * 31, "Version 2 of BETTER_AUTH_SECRETS is 31 bytes long"),
        ("BETTER_AUTH_SECRETS", "2:" + "7" * 32 + ",1:short", "Version 1 of BETTER_AUTH_SECRETS is 5 bytes long"),
        ("BETTER_AUTH_SECRETS", "1:better-auth-secret-12345678901234567890", "is a published example"),
        ("BETTER_AUTH_SECRETS", "2:" + PRODUCTION["SECRET_KEY"], "Version 2 of BETTER_AUTH_SECRETS equals SECRET_KEY"),
        ("BETTER_AUTH_SECRETS", "7" * 32, "BETTER_AUTH_SECRETS can't be read: write it as for Better Auth"),
        ("BETTER_AUTH_SECRETS", "two:" + "7" * 32, "BETTER_AUTH_SECRETS can't be read"),
        ("BETTER_AUTH_SECRETS", "2:" + "7" * 32 + ",", "BETTER_AUTH_SECRETS can't be read"),
        ("BETTER_AUTH_SECRETS", "2:" + "7" * 32 + ",2:" + "8" * 32, "BETTER_AUTH_SECRETS can't be read"),
        ("BETTER_AUTH_URL", "app.example.com", "BETTER_AUTH_URL is no URL"),
        ("BETTER_AUTH_URL", "https://app.example.com?x=1", "BETTER_AUTH_URL is no URL"),
        ("BETTER_AUTH_URL", "file:///etc/passwd", "BETTER_AUTH_URL is no URL"),
        ("BETTER_AUTH_URL", "https://[", "BETTER_AUTH_URL is no URL"),
        ("BETTER_AUTH_URL", "https://app.example.com:65536", "BETTER_AUTH_URL is no URL"),
        ("BETTER_AUTH_URL", "https://user:hunter2@app.example.com", "BETTER_AUTH_URL is no URL"),
        ("BETTER_AUTH_JWKS_URL", "file:///etc/jwks.json", "BETTER_AUTH_JWKS_URL is no URL of http or https"),
        ("BETTER_AUTH_JWKS_URL", "ftp://app.example.com/jwks", "BETTER_AUTH_JWKS_URL is no URL of http or https"),
        ("BETTER_AUTH_JWKS_URL", "data:application/json,{}", "BETTER_AUTH_JWKS_URL is no URL of http or https"),
        ("BETTER_AUTH_JWKS_URL", "/jwks", "BETTER_AUTH_JWKS_URL is no URL of http or https"),
        ("BETTER_AUTH_JWKS_URL", "https://user:hunter2@auth/jwks", "BETTER_AUTH_JWKS_URL is no URL of http or https"),
        ("BETTER_AUTH_JWKS_URL", "https://app.example.com/jwks", "BETTER_AUTH_JWKS_URL is set without BETTER_AUTH_URL"),
        ("SECRET_KEY", "x", "SECRET_KEY is 1 bytes long: set one of 32 or more"),
        ("SECRET_KEY", EXAMPLE["SECRET_KEY"], "SECRET_KEY is a published example"),
        ("CORS_ORIGINS", "*", "CORS_ORIGINS has '\\*': list origins such as https://"),
        ("CORS_ORIGINS", "https://a.example.com,https://*.example.com", "CORS_ORIGINS has 'https://\\*.example.com'"),
        ("CORS_ORIGINS", "https://app.example.com/", "write 'https://app.example.com'"),
        ("CORS_ORIGINS", "null", "CORS_ORIGINS has"),
        ("CORS_ORIGINS", "app.example.com", "CORS_ORIGINS has"),
        ("SECRET_KEY", "   ", "SECRET_KEY is not set"),
        ("BETTER_AUTH_SECRET", " " * 40, "BETTER_AUTH_SECRET is 0 bytes long"),
        ("BETTER_AUTH_SECRET", "better-auth-secret-12345678901234567890 ", "is a published example"),
        ("ALLOWED_HOSTS", "https://api.example.com", "ALLOWED_HOSTS has 'https://api.example.com'"),
        ("CORS_ORIGINS", "https://app.example.com?x", "CORS_ORIGINS has"),
        ("CORS_ORIGINS", "https://app.example.com#x", "CORS_ORIGINS has"),
        ("CORS_ORIGINS", "https://user@app.example.com", "CORS_ORIGINS has"),
        ("PORT", "9" * 5000, "PORT is '999"),
        ("JWT_LEEWAY_SECONDS", "301", "JWT_LEEWAY_SECONDS is '301'"),
        ("WEB_THREADS", "501", "WEB_THREADS is '501'"),
        ("WEB_CONCURRENCY", "0", "WEB_CONCURRENCY is '0'"),
        ("WEB_CONCURRENCY", "501", "WEB_CONCURRENCY is '501'"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy", "TRUSTED_PROXIES has 'proxy'"),
        ("ENVIRONMENT", "prod", "ENVIRONMENT is 'prod': set it to one of development, production."),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL is 'LOUD'"),
        ("PORT", "http", "PORT is 'http': set it to a whole number from 1 to 65535."),
        ("METRICS_PORT", "8000", "METRICS_PORT equals PORT: set another"),
        ("METRICS_PORT", "65536", "METRICS_PORT is '65536': set it to a whole number from 0 to 65535."),
        ("PORT", "0", "PORT is '0'"),
        ("PORT", "65536", "PORT is '65536'"),
        ("JWT_LEEWAY_SECONDS", "-1", "JWT_LEEWAY_SECONDS is '-1'"),
        ("JWT_LEEWAY_SECONDS", "900", "JWT_LEEWAY_SECONDS is '900'"),
        ("WEB_THREADS", "0", "WEB_THREADS is '0'"),
        ("SECURE_SSL_REDIRECT", "ture", "SECURE_SSL_REDIRECT is 'ture': set it to true or false."),
        ("DATABASE_POOLED", "maybe", "DATABASE_POOLED is 'maybe'"),
        ("DATABASE_URL", "mysql://user:hunter2@db/tasks", "DATABASE_URL names another database"),
    ],
)
def test_production_refuses_to_start_with(load, name, value, message):
    with pytest.raises(ImproperlyConfigured, match=message) as error:
        load(PRODUCTION | {name: value})

    assert "hunter2" not in str(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("CORS_ORIGINS", "https://App.example.com", "https://app.example.com"),
        ("CORS_ORIGINS", "HTTPS://app.example.com", "https://app.example.com"),
        ("CORS_ORIGINS", "https://app.example.com:443", "https://app.example.com"),
        ("CORS_ORIGINS", "http://localhost:80", "http://localhost"),
        ("CORS_ORIGINS", "http://localhost:03000", "http://localhost:3000"),
        ("CORS_ORIGINS", "https://user@app.example.com/a?b#c", "https://app.example.com"),
        ("CORS_ORIGINS", "https://bücher.example", "https://xn--bcher-kva.example"),
        ("CORS_ORIGINS", "http://[0:0::1]:3000", "http://[::1]:3000"),
        ("CORS_ORIGINS", "Capacitor://localhost/", "capacitor://localhost"),
        ("CORS_ORIGINS", "https://App-*.example.dev", "https://app-*.example.dev"),
        ("ALLOWED_HOSTS", "*.example.com", ".example.com"),
        ("ALLOWED_HOSTS", "api.example.com:8443", "api.example.com"),
        ("ALLOWED_HOSTS", "https://api.example.com/path", "api.example.com"),
        ("ALLOWED_HOSTS", "api.example.com.", "api.example.com"),
        ("ALLOWED_HOSTS", "::1", "[::1]"),
        ("ALLOWED_HOSTS", "[0:0::1]:8000", "[::1]"),
        ("ALLOWED_HOSTS", "bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_what_no_request_is_equal_to_is_refused_with_what_would_be(load, name, value, meant):
    with pytest.raises(ImproperlyConfigured) as error:
        load(PRODUCTION | {name: value})

    assert f"{name} has {value!r}, which nothing ever matches: write {meant!r}." in str(error.value)
    load(PRODUCTION | {name: meant})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CORS_ORIGINS", "https://*.example.com"),
        ("CORS_ORIGINS", "https://a*-*.example.com"),
        ("CORS_ORIGINS", "https://app-*.com"),
        ("CORS_ORIGINS", "https://app.example.com:*"),
        ("CORS_ORIGINS", "http*://app.example.com"),
        ("CORS_ORIGINS", "file://localhost"),
        ("CORS_ORIGINS", "https://"),
        ("CORS_ORIGINS", "https://[fe80::1%eth0]"),
        ("CORS_ORIGINS", "https://[fe80:1]"),
        ("CORS_ORIGINS", "https://app.example.com:99999999"),
        ("ALLOWED_HOSTS", "my_api.example.com"),
        ("ALLOWED_HOSTS", "api*.example.com"),
        ("ALLOWED_HOSTS", "a b"),
        ("CORS_ALLOW_HEADERS", "*"),
        ("CORS_ALLOW_HEADERS", "X-Client: 1"),
    ],
)
def test_what_no_request_could_be_equal_to_is_refused(load, name, value):
    with pytest.raises(ImproperlyConfigured, match=f"{name} has {re.escape(repr(value.lower()))}: list "):
        load(PRODUCTION | {name: value})


def test_origins_of_apps_and_patterns(load):
    settings = load(PRODUCTION | {"CORS_ORIGINS": "capacitor://localhost,tauri://localhost,https://app-*.example.dev"})

    assert settings["CORS_ALLOWED_ORIGINS"] == ["capacitor://localhost", "tauri://localhost"]
    assert [pattern.pattern for pattern in settings["CORS_ALLOWED_ORIGIN_REGEXES"]] == [
        r"https://app\-[a-z0-9-]+\.example\.dev"
    ]


GUESSABLE = [
    "x" * 60,
    "12345678" * 4,
    "Hunter2!" * 5,
    "supersteadystate" * 3,
    "ab" * 24 + "c",
    "bcbaacbbabcacccabbcabaacbcbbaccabacbbcaccbaabcbcab",
    "0123456789abcdef" * 2,
    "zyxwvutsrqponmlkjihgfedcba9876543210",
    "aaaabbbbccccddddeeeeffffgggghhhhiiii",
    "0" * 30 + "f00d",
    "change-me-to-something-long-and-secret",
    "Please_Change_This_In_Production_Now!",
    "replace-with-the-output-of-openssl-rand",
    "your-secret-key-of-at-least-32-characters",
    "this is an example of a secret, of 32 bytes",
    "P4ss: password-of-the-month-november-2026",
    "django-insecure-w8$k2v!q9z@x4n7m1c5b3t6y0u",
    "better-auth-secret-98765432109876543210",
    "qwertyuiopasdfghjklzxcvbnm1234567890",
]


@pytest.mark.parametrize("secret", GUESSABLE)
def test_production_refuses_a_secret_that_can_be_guessed(load, secret):
    with pytest.raises(ImproperlyConfigured) as error:
        load(
            PRODUCTION
            | {"SECRET_KEY": secret, "BETTER_AUTH_SECRET": secret[::-1] if secret[0] == "z" else secret}
            | {"BETTER_AUTH_SECRETS": f"2:{secret.replace(',', '')}"}
        )

    lines = str(error.value).splitlines()[1:]
    names = ["SECRET_KEY", "BETTER_AUTH_SECRET", "Version 2 of BETTER_AUTH_SECRETS"]
    assert [line.partition(" can be")[0] for line in lines] == names
    assert all('python3 -c "import secrets; print(secrets.token_urlsafe(48))"' in line for line in lines)
    assert secret not in str(error.value)
    assert load({"BETTER_AUTH_SECRET": secret})["BETTER_AUTH_SECRETS"] == [secret]  # in development it may be


def test_a_good_secret_is_not_refused(load):
    """Random ones in the forms that people make them in, a phrase, and the longest that repeats itself once."""
    of = {32: string.digits, 33: string.ascii_lowercase, 34: string.printable[:94]}
    random = [
        "".join(secrets.choice(alphabet) for _ in range(size)) for size, alphabet in of.items() for _ in range(300)
    ]
    random += [
        make(size) for make in (secrets.token_hex, secrets.token_urlsafe) for size in (24, 32) for _ in range(300)
    ]
    phrases = ["velvet-onion-rocket-fable-staple-horn", "a secret for the tests, of thirty-two bytes or more"]

    assert {weakness(secret, production=True) for secret in [*random, *phrases, secrets.token_hex(24) * 2]} == {""}


@pytest.mark.parametrize("value", ["6" * 31, "secret", "better-auth-secret-12345678901234567890"])
def test_a_weak_secret_is_refused_in_development_too(load, value):
    with pytest.raises(ImproperlyConfigured, match="BETTER_AUTH_SECRET"):
        load({"BETTER_AUTH_SECRET": value})


def test_secrets_are_counted_in_bytes_and_taken_as_they_are(load):
    random = PRODUCTION["BETTER_AUTH_SECRET"]
    for secret in ("äöüÄÖÜßéèáàñçëïÿ", "$" + random, " " + random, random + ":,"):
        assert load(PRODUCTION | {"BETTER_AUTH_SECRET": secret})["BETTER_AUTH_SECRETS"] == [secret]


def test_secrets_of_several_versions_are_all_good(load):
    new, old = secrets.token_hex(16) + ":", secrets.token_urlsafe(24)
    versions = {"BETTER_AUTH_SECRETS": f" 10:{new} , 9:{old}"}

    assert load(without("BETTER_AUTH_SECRET") | versions)["BETTER_AUTH_SECRETS"] == [new, old]
    assert load(PRODUCTION | versions)["BETTER_AUTH_SECRETS"] == [PRODUCTION["BETTER_AUTH_SECRET"], new, old]


@pytest.mark.parametrize(
    ("url", "origin", "jwks_url"),
    [
        ("https://app.example.com", "https://app.example.com", "https://app.example.com/api/auth/jwks"),
        ("https://app.example.com/", "https://app.example.com", "https://app.example.com/api/auth/jwks"),
        ("https://App.Example.com:443/x/", "https://app.example.com", "https://app.example.com/x/api/auth/jwks"),
        ("https://app.example.com/api/auth", "https://app.example.com", "https://app.example.com/api/auth/jwks"),
        ("http://localhost:3000", "http://localhost:3000", "http://localhost:3000/api/auth/jwks"),
        ("HTTP://localhost:80", "http://localhost", "http://localhost/api/auth/jwks"),
        ("http://[::1]:3000/auth", "http://[::1]:3000", "http://[::1]:3000/auth/api/auth/jwks"),
    ],
)
def test_one_variable_switches_public_keys_on(load, url, origin, jwks_url):
    settings = load(without("BETTER_AUTH_SECRET") | {"BETTER_AUTH_URL": url})

    assert settings["BETTER_AUTH_ORIGIN"] == origin
    assert settings["BETTER_AUTH_JWKS_URL"] == jwks_url
    assert settings["BETTER_AUTH_SECRETS"] == []


def test_the_keys_may_lie_elsewhere(load):
    settings = load({"BETTER_AUTH_URL": "https://app.example.com", "BETTER_AUTH_JWKS_URL": "http://auth:3000/jwks"})

    assert settings["BETTER_AUTH_JWKS_URL"] == "http://auth:3000/jwks"
    assert settings["BETTER_AUTH_ORIGIN"] == "https://app.example.com"


@pytest.mark.parametrize(
    ("more", "pooled"),
    [
        ({}, False),
        ({"DATABASE_POOLED": "true"}, True),
        ({"DATABASE_URL": "postgresql://u:p@ep-cool-1-pooler.eu-central-1.aws.neon.tech/db?sslmode=require"}, True),
    ],
)
def test_a_pooler_is_known_by_its_name_or_declared(load, more, pooled):
    database = load(PRODUCTION | more)["DATABASES"]["default"]

    assert database["DISABLE_SERVER_SIDE_CURSORS"] is pooled
    assert ("prepare_threshold" in database["OPTIONS"]) is not pooled


@pytest.mark.parametrize("cores", [1, 2, 4, 64])
def test_the_default_holds_at_most_30_connections(load, monkeypatch, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)

    settings = load(PRODUCTION)

    assert settings["WEB_CONCURRENCY"] * settings["WEB_THREADS"] == min(2 * cores, 30)


def test_where_a_process_can_have_all_processors_they_are_counted(load, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)

    assert load({})["WEB_CONCURRENCY"] == 3


@pytest.mark.parametrize(("value", "counted"), [(None, False), ("", False), ("0", False), ("9100", True)])
def test_requests_are_counted_where_there_is_a_port_for_it(load, value, counted):
    settings = load(PRODUCTION | ({} if value is None else {"METRICS_PORT": value}))

    assert ("config.metrics.MetricsMiddleware" in settings["MIDDLEWARE"]) is counted
    assert (settings["METRICS_PORT"] > 0) is counted


def test_lists_and_networks_are_read_without_blanks_and_in_small_letters(load):
    settings = load(
        PRODUCTION
        | {
            "CORS_ALLOW_HEADERS": "X-Client-Version, x-b3-traceid",
            "ALLOWED_HOSTS": " API.example.com , ,10.0.0.1",
            "CORS_ORIGINS": "https://a.example.com, http://localhost:3000",
            "TRUSTED_PROXIES": "10.0.0.5/8, 2001:db8::1",
            "JWT_LEEWAY_SECONDS": "30",
            "BETTER_AUTH_ISSUER": "https://app.example.com",
            "BETTER_AUTH_AUDIENCE": "",
        }
    )

    assert settings["ALLOWED_HOSTS"] == ["api.example.com", "10.0.0.1"]
    assert settings["CORS_ALLOWED_ORIGINS"] == ["https://a.example.com", "http://localhost:3000"]
    assert settings["TRUSTED_PROXIES"] == [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::1")]
    assert settings["TRUST_UNIX_SOCKET"] is False
    assert settings["CORS_ALLOW_HEADERS"][-2:] == ["x-client-version", "x-b3-traceid"]
    assert settings["JWT_LEEWAY_SECONDS"] == 30
    assert (settings["BETTER_AUTH_ISSUER"], settings["BETTER_AUTH_AUDIENCE"]) == ("https://app.example.com", None)


def test_the_proxy_on_a_unix_socket_is_a_trusted_one(load):
    settings = load(PRODUCTION | {"TRUSTED_PROXIES": "unix, 10.0.0.5"})

    assert settings["TRUSTED_PROXIES"] == [ipaddress.ip_network("10.0.0.5")]
    assert settings["TRUST_UNIX_SOCKET"] is True


SECRET = "N0t-the-text-of-a-line-in-an-error"


@pytest.mark.parametrize(("name", "read"), [("production", False), ("development", True), ("", True), (None, True)])
def test_an_env_file_does_not_complete_a_production_environment(load, name, read):
    environment = PRODUCTION | {"ENVIRONMENT": name} if name else {} if name is None else {"ENVIRONMENT": ""}

    assert load(environment, b"PORT=8001\n")["PORT"] == (8001 if read else 8000)


@pytest.mark.parametrize(
    "line",
    [
        "\ufeffENVIRONMENT=production",
        "ENVIRONMENT = production",
        "  ENVIRONMENT=production  ",
        "\tENVIRONMENT\t=\tproduction",
        "export ENVIRONMENT=production",
        " export  ENVIRONMENT = 'production'",
        'ENVIRONMENT="production" # which',
        "ENVIRONMENT=production # which",
        "ENVIRONMENT=development\nENVIRONMENT=production",
        "# ENVIRONMENT=development\n\n  # so\n \nENVIRONMENT=production\r",
    ],
)
def test_an_env_file_that_says_production_is_production(load, line):
    rest = "".join(f"\n{name}={value}" for name, value in PRODUCTION.items() if name != "ENVIRONMENT")

    settings = load({"ENVIRONMENT": ""}, (line + rest).encode())

    assert settings["PRODUCTION"] is True
    assert settings["SECRET_KEY"] == PRODUCTION["SECRET_KEY"]


@pytest.mark.parametrize(
    "value", ["$a#b\"c'd=e f\\", " # a comment", "'$a \"#b'", '"$a \'#b"', "#ab", "", '""', "${PATH}"]
)
def test_a_value_in_an_env_file_is_taken_as_it_is(load, value):
    unquoted = "" if value.startswith(" #") else value[1:-1] if value[:1] in {"'", '"'} else value

    settings = load({}, f"BETTER_AUTH_ISSUER={value}\nPORT=8001".encode())

    assert settings["BETTER_AUTH_ISSUER"] == (unquoted or None)
    assert settings["PORT"] == 8001


@pytest.mark.parametrize(
    "line",
    [
        f"BETTER_AUTH_SECRET: {SECRET}",
        f"BETTER_AUTH_SECRET {SECRET}",
        f"BETTER-AUTH-SECRET={SECRET}",
        f"={SECRET}",
        SECRET,
        "export ENVIRONMENT",
        f'BETTER_AUTH_SECRET="{SECRET}',
        f"BETTER_AUTH_SECRET='{SECRET}' {SECRET}",
        f"BETTER_AUTH_SECRET={SECRET}\0",
        f"BETTER_AUTH_SECRET={SECRET}\u200b",
        f"\u00a0BETTER_AUTH_SECRET={SECRET}",
        f"\ufeffBETTER_AUTH_SECRET={SECRET}",  # in the middle, where a file was appended to another
        f"BETTER_AUTH_SECRET={SECRET}\rPORT=8001",
        f"BETTER_AUTH_SECRET={SECRET}\x85PORT=8001",
        f"BETTER_AUTH_SECRET={SECRET}\udcfc",  # a byte of another encoding
    ],
)
def test_what_cannot_be_read_in_an_env_file_stops_the_start(load, tmp_path, line):
    with pytest.raises(ImproperlyConfigured) as error:
        load({}, f"# ü\nPORT=8001\n{line}\nLOG_LEVEL=INFO\n".encode(errors="surrogateescape"))

    assert f"{tmp_path / '.env'}, line 3 " in str(error.value)
    assert str(error.value).count("line ") == 1
    assert SECRET not in str(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None


def test_an_env_file_in_utf_16_stops_the_start(load):
    """As Windows PowerShell writes it."""
    with pytest.raises(ImproperlyConfigured, match=r"\.env, line 1 can't be read: save the file as UTF-8"):
        load({}, "ENVIRONMENT=production\n".encode("utf-16"))


@pytest.mark.parametrize("kind", ["folder", "dangling link", "link to itself"])
def test_an_env_file_that_cannot_be_opened_stops_the_start(load, tmp_path, kind):
    path = tmp_path / ".env"
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if kind == "link to itself" else tmp_path / "nothing")

    with pytest.raises(ImproperlyConfigured, match=r"\.env can't be read: "):
        load({})


@pytest.mark.parametrize("command", [["manage.py", "check"], ["-m", "gunicorn"]])
def test_a_process_that_may_not_start_ends_with_the_reason(command):
    environment = production("sqlite://:memory:", BETTER_AUTH_SECRET="short")

    ended = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert ended.returncode != 0
    assert "BETTER_AUTH_SECRET is 5 bytes long: set one of 32 or more." in ended.stderr


def test_the_production_example_passes_the_deployment_check():
    environment = (
        {"PATH": os.environ["PATH"]}
        | EXAMPLE
        | {name: PRODUCTION[name] for name in ("SECRET_KEY", "BETTER_AUTH_SECRET")}
    )

    checked = manage(environment, "check", "--deploy", "--fail-level", "WARNING")

    assert checked.returncode == 0, checked.stderr
    assert "WARNINGS" not in checked.stderr


@pytest.mark.parametrize(
    ("environment", "formatter"), [({"ENVIRONMENT": "development"}, "ConsoleFormatter"), (PRODUCTION, "JSONFormatter")]
)
def test_production_logs_json_and_development_plain_lines(load, environment, formatter):
    assert load(environment)["LOGGING"]["formatters"]["line"]["()"].__name__ == formatter


def test_without_the_redirect_no_browser_is_told_to_stay_on_https(load):
    assert load(PRODUCTION | {"SECURE_SSL_REDIRECT": "false"})["SECURE_HSTS_SECONDS"] == 0


@pytest.mark.parametrize(
    ("more", "expected"),
    [({"LOG_LEVEL": "DEBUG"}, False), ({"LOG_LEVEL": "DEBUG", "ENVIRONMENT": "development"}, True)],
)
def test_sql_is_never_logged_in_production(load, more, expected):
    assert load(PRODUCTION | more)["LOG_SQL"] is expected


@pytest.mark.parametrize("environment", [{}, PRODUCTION | {"DATABASE_URL": "sqlite:////data/tasks.sqlite3"}])
def test_sqlite_without_returning_is_refused(load, monkeypatch, environment):
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr("sqlite3.sqlite_version", "3.34.1")

    with pytest.raises(ImproperlyConfigured, match=r"SQLite 3\.34\.1 .* 3\.35 or later"):
        load(environment)


def test_an_old_sqlite_does_not_matter_to_postgresql(load, monkeypatch):
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))

    assert load(PRODUCTION)["DATABASES"]["default"]["ENGINE"] == "config.postgresql"
