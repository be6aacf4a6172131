import os
import time

import jwt
import pytest
from django.core.management import CommandError, call_command


@pytest.fixture(autouse=True)
def _development(settings):
    settings.PRODUCTION = False


def test_the_token_opens_the_api(anonymous, db, capsys):
    call_command("mint_token", "ü/1")
    token = capsys.readouterr().out.strip()

    response = anonymous.get("/api/ü%2F1/tasks", headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("expires", "seconds"), [(None, 3600), ("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800)]
)
def test_a_minted_token_has_the_claims_of_better_auth(settings, capsys, expires, seconds):
    settings.BETTER_AUTH_ISSUER = "https://app.example.com"

    call_command("mint_token", "alice", *(["--expires", expires] if expires else []))

    token = capsys.readouterr().out.strip()
    claims = jwt.decode(token, settings.BETTER_AUTH_SECRETS[0], algorithms=["HS256"])
    assert claims == {
        "sub": "alice",
        "iat": claims["iat"],
        "exp": claims["iat"] + seconds,
        "iss": "https://app.example.com",
    }
    assert abs(claims["iat"] - time.time()) < 5
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}


@pytest.mark.parametrize("expires", ["", "1", "h", "1.5h", "-1h", "1w", "9999999s"])
def test_a_time_that_is_none_is_explained(expires):
    with pytest.raises(CommandError, match="is not a duration: write 90s, 15m, 1h or 7d"):
        call_command("mint_token", "alice", f"--expires={expires}")


@pytest.mark.parametrize("user", ["", "x" * 256, "a\nb"])
def test_a_user_that_no_token_may_have_is_refused(user):
    with pytest.raises(CommandError, match="USER: it must be 1 to 255 characters"):
        call_command("mint_token", user)


def test_production_wants_force(settings, capsys):
    settings.PRODUCTION = True

    with pytest.raises(CommandError, match="this is production: add --force"):
        call_command("mint_token", "alice")
    assert capsys.readouterr().out == ""

    call_command("mint_token", "alice", "--force")
    assert capsys.readouterr().out.startswith("eyJ")


@pytest.mark.parametrize(
    ("jwks_url", "advice"),
    [("", "`make .env`"), ("https://app.example.com/api/auth/jwks", "only https://app.example.com")],
)
def test_a_secret_that_no_server_has_is_of_no_use(monkeypatch, settings, jwks_url, advice):
    settings.BETTER_AUTH_JWKS_URL, settings.BETTER_AUTH_ORIGIN = jwks_url, "https://app.example.com"
    monkeypatch.delitem(os.environ, "BETTER_AUTH_SECRET")
    monkeypatch.delitem(os.environ, "BETTER_AUTH_SECRETS", raising=False)

    with pytest.raises(CommandError, match=f"BETTER_AUTH_SECRET is not set: .*{advice}"):
        call_command("mint_token", "alice")


def test_a_configured_audience_is_in_it(settings, capsys):
    settings.BETTER_AUTH_AUDIENCE = "https://app.example.com"

    call_command("mint_token", "alice")

    token = capsys.readouterr().out.strip()
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == "https://app.example.com"
