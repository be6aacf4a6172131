"""Layer 1: which tokens open the API, and which don't although they look as if they might."""

import base64
import json
import time

import jwt
import pytest
from django.conf import settings

from tests.tokens import ABSENT, bearer, token

pytestmark = pytest.mark.once
NOW = int(time.time())  # when the tests begin, which may be minutes before a token is signed


def answer(client, headers):
    response = client.get("/api/alice/tasks", headers=headers)
    return response.status_code, response.json()


OK: tuple[int, object] = (200, [])
INVALID = 401, {"detail": "Invalid token"}
EXPIRED = 401, {"detail": "Token expired"}
MISSING = 401, {"detail": "Missing authentication token"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_case_insensitive(anonymous, db, scheme):
    assert answer(anonymous, {"Authorization": f"{scheme} {token()}"}) == OK


@pytest.mark.parametrize("header", ["", " ", "Bearer", "Bearer ", "Basic YWxpY2U6YQ==", "Token x", "Bearerx", "Digest"])
def test_anything_but_a_bearer_token_is_a_missing_token(anonymous, header):
    response = anonymous.get("/api/alice/tasks", headers={"Authorization": header})

    assert (response.status_code, response.json()) == MISSING
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize(
    "header", ["Bearer x", "Bearer a.b.c", "Bearer a b", "Bearer ..", "Bearer é", "Bearer \x00", "Bearer " + "x" * 5000]
)
def test_a_token_that_is_none_is_invalid(anonymous, header):
    response = anonymous.get("/api/alice/tasks", headers={"Authorization": header})

    assert (response.status_code, response.json()) == INVALID
    assert response["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'


def test_nothing_but_the_header_carries_a_token(anonymous, db):
    anonymous.cookies["token"] = anonymous.cookies["better-auth.session_token"] = token()

    for name in ("token", "access_token", "jwt"):
        assert anonymous.get(f"/api/alice/tasks?{name}={token()}").status_code == 401
    response = anonymous.generic(
        "POST", "/api/alice/tasks", f"access_token={token()}", "application/x-www-form-urlencoded"
    )
    assert response.status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"iat": ABSENT},
        {"iat": NOW + 90_000},
        {"iat": "yesterday"},
        {"exp": NOW + 90_000.5},
        {"exp": 253_402_300_799},
        {"nbf": NOW - 1},
        {"nbf": NOW - 0.5},
        {"iss": "https://any.example.com", "aud": "anybody"},
        {"aud": ["anybody", "else"]},
        {"jti": 5, "token_type": "refresh"},
        {"is_staff": True, "is_superuser": True, "role": "admin"},
        {"email": "bob@example.com", "id": "bob", "userId": "bob", "user_id": "bob"},
    ],
)
def test_a_good_token_opens(anonymous, db, claims):
    assert answer(anonymous, bearer(**claims)) == OK


@pytest.mark.parametrize("seconds", [1, 0.5, NOW, NOW + 1, 10**9], ids=["1", "0.5", "1970", "1969", "decades"])
def test_an_expired_token_is_told_so(anonymous, seconds):
    assert answer(anonymous, bearer(exp=NOW - seconds)) == EXPIRED


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": ABSENT},
        {"exp": None},
        {"exp": str(NOW + 90_000)},
        {"exp": "soon"},
        {"exp": True},
        {"exp": [NOW + 90_000]},
        {"exp": (NOW + 90_000) * 1000},  # milliseconds
        {"exp": 253_402_300_800},  # the year 10000
        {"exp": 2**63},
        {"exp": 10**400},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"nbf": NOW + 90_000},
        {"nbf": str(NOW - 100)},
        {"nbf": None},
        {"nbf": float("nan")},
        {"nbf": 2**63},
        {"exp": float("-inf")},
        {"exp": -(10**400)},
        {"nbf": float("-inf")},
        {"nbf": -(10**400)},
    ],
)
def test_times_are_numbers_of_seconds(anonymous, claims):
    assert answer(anonymous, bearer(**claims)) == INVALID


@pytest.mark.parametrize(
    "sub",
    [ABSENT, None, "", 5, True, ["alice"], {"id": "alice"}, "x" * 256, "a\0b", "a\nb", "a\x7fb", "a\x85b", "a\ud800b"],
)
def test_sub_is_a_string_of_1_to_255_code_points_without_control_characters(anonymous, sub):
    assert answer(anonymous, bearer(sub)) == INVALID


@pytest.mark.parametrize("claim", ["userId", "user_id", "id", "email", "username"])
def test_no_other_claim_stands_in_for_sub(anonymous, claim):
    """Better Auth signs its e-mail verification links with the same secret: {"email": …, "userId": …}."""
    assert answer(anonymous, bearer(ABSENT, **{claim: "alice"})) == INVALID


@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/jwt", "Application/JWT", "application/at+jwt", None]
)
def test_the_typ_of_an_access_token_is_accepted_in_every_spelling(anonymous, db, typ):
    assert answer(anonymous, bearer(headers={"typ": typ})) == OK


@pytest.mark.parametrize(
    "typ",
    [
        *("dpop+jwt", "logout+jwt", "secevent+jwt", "better-auth.session-cache+jwt", "application/dpop+jwt"),
        *("application/application/jwt", "text/jwt", "application/", " JWT", "x", 5, ["JWT"]),
    ],
)
def test_tokens_of_other_protocols_are_refused(anonymous, typ):
    assert answer(anonymous, bearer(headers={"typ": typ})) == INVALID


SPELLINGS = {
    "padding": lambda part: part + "=" * (-len(part) % 4),
    "more padding": lambda part: part + "====",
    "line break": lambda part: part[:8] + "\n" + part[8:],
    "space": lambda part: part[:8] + " " + part[8:],
    "escaped padding": lambda part: part + "%3D",
    "bits beyond the last byte": lambda part: part[:-1] + chr(ord(part[-1]) + 1),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("part", [0, 1, 2])
def test_the_parts_are_base64url_without_padding_and_in_one_spelling(anonymous, spelling, part):
    spelled = SPELLINGS[spelling]
    header, claims = encode({"alg": "HS256", "k": "1"}), encode({"sub": "alice", "exp": NOW + 90_000, "k": ""})
    parts = sign(*(spelled(text) if index == part else text for index, text in enumerate((header, claims)))).split(".")
    if part == 2:
        parts[2] = spelled(parts[2])

    assert [len(text) % 4 for text in (header, claims, sign("a", "b").split(".")[2])] == [3, 3, 3]
    assert answer(anonymous, {"Authorization": f"Bearer {'.'.join(parts)}"}) == INVALID


def test_the_alphabet_is_that_of_urls(anonymous, db):
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "alice", "exp": NOW + 90_000, "k": "~~~???>>>"}).encode())
    urls, plain = (text.rstrip("=") for text in (claims.decode(), claims.decode().translate({45: "+", 95: "/"})))

    assert urls != plain
    assert answer(anonymous, {"Authorization": f"Bearer {sign(encode({'alg': 'HS256'}), urls)}"}) == OK
    assert answer(anonymous, {"Authorization": f"Bearer {sign(encode({'alg': 'HS256'}), plain)}"}) == INVALID


@pytest.mark.parametrize(
    "headers", [{"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"]}, {"crit": None}, {"crit": ["b64"], "b64": True}]
)
def test_critical_extensions_are_refused(anonymous, headers):
    forged = token().split(".")
    header = {"alg": "HS256", "typ": "JWT"} | headers
    forged[0] = encode(header)
    assert answer(anonymous, {"Authorization": f"Bearer {sign(forged[0], forged[1])}"}) == INVALID


@pytest.mark.parametrize(
    "algorithm", ["HS384", "HS512", "none", "HS256 ", "hs256", "RS256", "EdDSA", None, 5, ["HS256"]]
)
def test_only_the_configured_algorithm(anonymous, algorithm):
    header, payload = encode({"alg": algorithm, "typ": "JWT"}), token().split(".")[1]

    assert answer(anonymous, {"Authorization": f"Bearer {sign(header, payload)}"}) == INVALID
    assert answer(anonymous, {"Authorization": f"Bearer {header}.{payload}."}) == INVALID


def test_a_longer_hmac_with_the_right_secret_is_refused(anonymous):
    other = jwt.encode({"sub": "alice", "exp": NOW + 90_000}, settings.BETTER_AUTH_SECRETS[0] * 2, algorithm="HS512")

    assert answer(anonymous, {"Authorization": f"Bearer {other}"}) == INVALID


@pytest.mark.parametrize("payload", [[], "alice", 5, None, "{", {"sub": "alice"}])
def test_the_payload_is_an_object(anonymous, payload):
    header, body = encode({"alg": "HS256"}), encode(payload)

    assert answer(anonymous, {"Authorization": f"Bearer {sign(header, body)}"}) == INVALID


def test_a_payload_nested_too_deep_is_invalid(anonymous):
    body = base64.urlsafe_b64encode(b'{"sub":"alice","x":' + b"[" * 3000 + b"]" * 3000 + b"}").rstrip(b"=").decode()

    response = anonymous.get(
        "/api/alice/tasks", headers={"Authorization": f"Bearer {sign(encode({'alg': 'HS256'}), body)}"}
    )

    assert (response.status_code, response.json()) == INVALID


@pytest.mark.parametrize("part", [0, 1, 2])
def test_one_changed_character_breaks_the_signature(anonymous, part):
    parts = token().split(".")
    parts[part] = parts[part][:5] + ("A" if parts[part][5] != "A" else "B") + parts[part][6:]

    assert answer(anonymous, {"Authorization": f"Bearer {'.'.join(parts)}"}) == INVALID


def test_expired_is_told_only_of_a_token_that_was_good(anonymous):
    past = NOW - 100

    assert answer(anonymous, bearer(exp=past, secret="an attacker's secret, of thirty-two bytes or more")) == INVALID
    assert answer(anonymous, bearer("", exp=past)) == INVALID
    assert answer(anonymous, bearer(exp=past, headers={"typ": "x"})) == INVALID


def test_leeway_widens_exp_and_nbf(anonymous, db, settings):
    settings.JWT_LEEWAY_SECONDS = 60
    now = int(time.time())

    assert answer(anonymous, bearer(exp=now - 30, nbf=now + 30)) == OK
    assert answer(anonymous, bearer(exp=now - 90)) == EXPIRED
    assert answer(anonymous, bearer(nbf=now + 90)) == INVALID


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"iss": "https://app.example.com"}, OK),
        ({"iss": "https://evil.example.com"}, INVALID),
        ({"iss": ["https://app.example.com"]}, INVALID),
        ({}, INVALID),
    ],
)
def test_a_configured_issuer_is_demanded(anonymous, db, settings, claims, expected):
    settings.BETTER_AUTH_ISSUER = "https://app.example.com"
    payload = {"sub": "alice", "exp": NOW + 90_000} | claims
    signed = sign(encode({"alg": "HS256"}), encode(payload))

    assert answer(anonymous, {"Authorization": f"Bearer {signed}"}) == expected


@pytest.mark.parametrize(
    ("aud", "expected"),
    [
        ("https://app.example.com", OK),
        (["x", "https://app.example.com"], OK),
        ("x", INVALID),
        (["x"], INVALID),
        ([], INVALID),
        (5, INVALID),
        (ABSENT, INVALID),
    ],
)
def test_a_configured_audience_is_demanded(anonymous, db, settings, aud, expected):
    settings.BETTER_AUTH_AUDIENCE = "https://app.example.com"

    assert answer(anonymous, bearer(aud=aud)) == expected


def test_a_token_expires_with_the_second_it_names(anonymous, db, monkeypatch):
    expiring, good = bearer(exp=NOW), bearer(exp=NOW + 1)
    monkeypatch.setattr("api.authentication.time.time", lambda: float(NOW))

    assert answer(anonymous, expiring) == EXPIRED
    assert answer(anonymous, good) == OK


def test_more_than_one_space_may_follow_the_scheme(anonymous, db):
    assert answer(anonymous, {"Authorization": f"Bearer   {token()}"}) == OK


def encode(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def sign(header, payload):
    """With the right secret, whatever the header says."""
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = algorithm.sign(f"{header}.{payload}".encode(), settings.BETTER_AUTH_SECRETS[0].encode())
    return f"{header}.{payload}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_token_that_was_good_is_over_in_time(alice, anonymous, db, monkeypatch):
    headers = bearer("alice")
    assert anonymous.get("/api/alice/tasks", headers=headers).status_code == 200
    later = time.time() + 100_000
    monkeypatch.setattr(time, "time", lambda: later)

    response = anonymous.get("/api/alice/tasks", headers=headers)

    assert (response.status_code, response.json()) == (401, {"detail": "Token expired"})


def test_a_token_is_good_only_as_long_as_its_secret_is(anonymous, db, settings):
    headers = bearer("alice")
    assert anonymous.get("/api/alice/tasks", headers=headers).status_code == 200
    settings.BETTER_AUTH_SECRETS = ["another-secret-of-at-least-thirty-two-bytes"]

    assert anonymous.get("/api/alice/tasks", headers=headers).status_code == 401


def test_what_it_was_verified_for_goes_with_it(anonymous, db, settings):
    headers = bearer("alice")
    assert anonymous.get("/api/alice/tasks", headers=headers).status_code == 200
    settings.BETTER_AUTH_AUDIENCE = "https://api.example.com"

    assert anonymous.get("/api/alice/tasks", headers=headers).status_code == 401
