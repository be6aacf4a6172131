"""Tokens that Better Auth signs with keys of its own; and a key server that is slow, wrong or gone."""

import gzip
import json
import socket
import threading
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import to_base64url_uint
from rest_framework.test import APIClient

from api import keys
from api.signals import authentication_failed
from tests import key_server
from tests.key_server import KeyPair, answer, encode
from tests.server import ROOT
from tests.tokens import bearer

pytestmark = pytest.mark.once
OK: tuple[int, object] = (200, [])
INVALID = 401, {"detail": "Invalid token"}
EXPIRED = 401, {"detail": "Token expired"}
UNAVAILABLE = 503, {"detail": "The key server is unavailable at the moment: try again in a few seconds"}


@pytest.fixture
def server(settings):
    """A running key server that the API is configured for."""
    keys.key_sets.clear()  # a port may come back
    with key_server.running() as server:
        settings.BETTER_AUTH_ORIGIN = server.origin
        settings.BETTER_AUTH_JWKS_URL = f"{server.origin}/api/auth/jwks"
        yield server


@pytest.fixture
def key(server):
    key = KeyPair("first")
    server.publish(key)
    return key


client = APIClient(raise_request_exception=False)


def ask(token):
    response = client.get("/api/alice/tasks", headers={"Authorization": f"Bearer {token}"})
    return response.status_code, response.json()


def ask_for_bobs(token):
    """A request that a thread can make: it does not get as far as the database."""
    return client.get("/api/bob/tasks", headers={"Authorization": f"Bearer {token}"}).status_code


def test_known_keys_are_asked_for_again_after_five_minutes(server, key, db, settings, monkeypatch):
    assert ask(key.token(server)) == OK
    fetched = time.monotonic()

    for seconds, requests in [(280, 1), (301, 2)]:
        monkeypatch.setattr(keys, "time", SimpleNamespace(monotonic=lambda later=seconds: fetched + later))
        assert ask(key.token(server)) == OK
        keys.key_set(settings.BETTER_AUTH_JWKS_URL).fetching.join()
        assert server.requests == requests


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 503)])
def test_256_kib_of_keys_are_enough(server, key, db, more, status):
    body = json.dumps({"keys": server.published}).ljust(256 * 1024 + more)
    server.misbehave = lambda handler: answer(handler, body)

    assert ask(key.token(server))[0] == status


@pytest.mark.parametrize("algorithm", keys.PUBLIC_KEY_ALGORITHMS)
@pytest.mark.parametrize("declared", [True, False])
def test_every_algorithm_of_better_auth(server, db, algorithm, declared):
    key = KeyPair("k", algorithm)
    server.published = [key.public()]
    if not declared and algorithm != "PS256":  # an RSA key that says nothing is for RS256
        del server.published[0]["alg"]

    assert ask(key.token(server)) == OK


def test_one_set_may_mix_algorithms(server, db):
    pairs = [KeyPair(algorithm, algorithm) for algorithm in keys.PUBLIC_KEY_ALGORITHMS]
    server.publish(*pairs)

    assert [ask(pair.token(server)) for pair in pairs] == [OK] * 5
    assert server.requests == 1


def test_the_users_profile_gives_no_right(server, key, anonymous, db):
    token = key.token(server, "bob", is_staff=True, role="admin", userId="alice")

    assert ask(token) == (403, {"detail": "User ID mismatch"})


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"exp": 1}, EXPIRED),
        ({"exp": None}, INVALID),
        ({"sub": 5}, INVALID),
        ({"sub": None}, INVALID),
        ({"nbf": 99_999_999_999}, INVALID),
        ({"iss": None}, INVALID),
        ({"iss": "https://evil.example.com"}, INVALID),
        ({"aud": None}, INVALID),
        ({"aud": "https://evil.example.com"}, INVALID),
        ({"aud": "better-auth:session-cache"}, INVALID),
        ({"headers": {"typ": "better-auth.session-cache+jwt"}}, INVALID),
        ({"headers": {"typ": "logout+jwt"}}, INVALID),
        ({"headers": {"crit": ["exp"]}}, INVALID),
        ({"headers": {"typ": "JWT"}}, OK),
        ({"headers": {"typ": "at+jwt"}}, OK),
    ],
)
def test_a_token_with_a_public_key_obeys_the_same_rules_as_one_with_a_secret(server, key, db, claims, expected):
    claims = {"sub": "alice"} | claims
    if claims["sub"] in (5, None):
        token = jwt.encode({"sub": claims["sub"], "exp": 9e9}, key.private, "EdDSA", {"kid": key.kid})
    else:
        token = key.token(server, **claims)

    assert ask(token) == expected


def test_a_list_of_audiences_may_hold_ours(server, key, db):
    assert ask(key.token(server, aud=["other", server.origin])) == OK


def test_issuer_and_audience_may_be_configured(server, key, db, settings):
    settings.BETTER_AUTH_ISSUER, settings.BETTER_AUTH_AUDIENCE = "issuer", "audience"

    assert ask(key.token(server)) == INVALID
    assert ask(key.token(server, iss="issuer", aud="audience")) == OK


def test_tokens_with_a_secret_and_with_a_public_key_are_good_at_once(server, key, anonymous, db):
    assert ask(key.token(server)) == OK
    assert anonymous.get("/api/alice/tasks", headers=bearer()).status_code == 200


def test_hs256_only_with_a_secret(server, key, anonymous, db, settings):
    signed = bearer()
    settings.BETTER_AUTH_SECRETS = []

    assert anonymous.get("/api/alice/tasks", headers=signed).status_code == 401
    assert ask(key.token(server)) == OK


def test_public_keys_only_with_a_url(server, key, settings):
    settings.BETTER_AUTH_JWKS_URL = ""

    assert ask(key.token(server)) == INVALID
    assert server.requests == 0


class TestConfusion:
    """A key is good for its own algorithm alone."""

    @pytest.mark.parametrize("algorithm", ["none", "HS256", "HS512", "ES384", "RS512", "Ed25519", "dir", None, 5])
    def test_a_token_of_an_algorithm_that_is_not_configured_fetches_nothing(self, server, key, algorithm):
        header, payload = encode({"alg": algorithm, "kid": "first"}), key.token(server).split(".")[1]

        assert ask(f"{header}.{payload}.AAAA") == INVALID
        assert server.requests == 0

    def test_a_public_key_is_no_secret(self, server):
        private = rsa.generate_private_key(65537, 2048)
        pair = KeyPair("k", "RS256")
        pair.private = private
        server.publish(pair)
        pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        header, payload = encode({"alg": "HS256", "kid": "k"}), pair.token(server).split(".")[1]
        hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        signature = jwt.utils.base64url_encode(hmac.sign(f"{header}.{payload}".encode(), pem)).decode()

        assert ask(f"{header}.{payload}.{signature}") == INVALID

    @pytest.mark.parametrize(("declared", "used"), [("RS256", "PS256"), ("PS256", "RS256")])
    def test_the_algorithm_is_the_keys_own(self, server, declared, used):
        pair = KeyPair("k", declared)
        server.publish(pair)
        token = pair.token(server, headers={"alg": used})
        said = f"{encode({'alg': used, 'kid': 'k'})}.{token.split('.')[1]}"
        signature = jwt.get_algorithm_by_name(declared).sign(said.encode(), pair.private)

        assert ask(token) == INVALID
        assert ask(f"{said}.{jwt.utils.base64url_encode(signature).decode()}") == INVALID

    def test_a_secret_in_the_set_is_no_key(self, server):
        server.published = [
            {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "s", "alg": "HS256"}
        ]
        token = jwt.encode({"sub": "alice", "exp": 9e9}, "secret-secret-secret-secret-secret", "HS256", {"kid": "s"})

        assert ask(token) == INVALID

    def test_a_token_that_names_another_key_than_the_one_it_is_signed_with_is_invalid(self, server):
        one, other = KeyPair("one"), KeyPair("other")
        server.publish(one, other)

        assert ask(one.token(server, headers={"kid": "other"})) == INVALID

    @pytest.mark.parametrize("kid", [None, "", 5, ["first"], {"a": 1}])
    def test_a_token_names_its_key(self, server, key, kid):
        parts = key.token(server).split(".")
        parts[0] = encode({"alg": "EdDSA", "kid": kid} if kid is not None else {"alg": "EdDSA"})

        assert ask(".".join(parts)) == INVALID


class TestKeys:
    def test_many_requests_are_one_fetch(self, server, key, db):
        assert [ask(key.token(server)) for _ in range(20)] == [OK] * 20
        assert server.requests == 1

    def test_a_new_key_works_at_its_first_use(self, server, key, db, monkeypatch):
        monkeypatch.setattr(keys, "PAUSE", 0.2)
        assert ask(key.token(server)) == OK
        new = KeyPair("second")
        server.publish(key, new)
        time.sleep(0.2)

        assert ask(new.token(server)) == OK
        assert ask(key.token(server)) == OK
        assert server.requests == 2

    def test_a_key_published_within_a_second_of_the_last_fetch_is_found_a_second_later(self, server, key, db):
        assert ask(key.token(server)) == OK
        new = KeyPair("second")
        server.publish(key, new)

        assert ask(new.token(server)) == INVALID
        time.sleep(1)
        assert ask(new.token(server)) == OK

    def test_a_thousand_forged_key_ids_are_one_fetch(self, server, key, db, monkeypatch):
        monkeypatch.setattr(keys, "PAUSE", 60)
        forged = [key.token(server, headers={"kid": f"forged{number}"}) for number in range(1000)]

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, forged))

        assert answers.count(INVALID) + answers.count(UNAVAILABLE) == 1000
        assert answers.count(UNAVAILABLE) < 100  # while one of them waits for the fetch
        assert ask(key.token(server)) == OK
        assert server.requests == 1

    def test_first_requests_at_once_are_one_fetch(self, server, key, monkeypatch):
        make = keys.KeySet.__init__

        def make_slowly(*args):
            time.sleep(0.05)
            make(*args)

        monkeypatch.setattr(keys.KeySet, "__init__", make_slowly)

        with ThreadPoolExecutor(4) as pool:
            answers = set(pool.map(ask_for_bobs, [key.token(server)] * 4))

        assert answers <= {403, 503}
        assert server.requests == 1

    def test_a_key_that_is_withdrawn_is_refused(self, server, key, db, monkeypatch):
        monkeypatch.setattr(keys, "LIFETIME", 0)
        monkeypatch.setattr(keys, "PAUSE", 0)
        assert ask(key.token(server)) == OK
        server.publish(KeyPair("second"))

        wait_until(lambda: ask(key.token(server)) == INVALID)

    def test_an_old_set_is_renewed_beside_the_request(self, server, key, db, monkeypatch):
        monkeypatch.setattr(keys, "LIFETIME", 0)
        monkeypatch.setattr(keys, "PAUSE", 0)
        assert ask(key.token(server)) == OK
        server.misbehave = lambda handler: time.sleep(1)

        started = time.monotonic()
        assert [ask(key.token(server)) for _ in range(5)] == [OK] * 5
        assert time.monotonic() - started < 0.9
        wait_until(lambda: server.requests == 2)


def hang(handler):
    time.sleep(4)


def drip(handler):
    handler.send_response(200)
    handler.end_headers()
    endlessly(handler, b" ")


def drip_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    endlessly(handler, b"x")


def endlessly(handler, data, pause=0.1):
    for _ in range(int(10 / pause)):
        try:
            handler.wfile.write(data)
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(pause)


def redirect(handler):
    """To a set that would do."""
    if handler.path == "/moved":
        answer(handler, json.dumps({"keys": [KeyPair("first").public()]}))
        return
    handler.send_response(302)
    handler.send_header("Location", "/moved")
    handler.end_headers()


def many_keys(handler):
    answer(handler, json.dumps({"keys": [KeyPair(f"{number}").public() for number in range(101)]}))


def compressed(handler):
    body = gzip.compress(json.dumps({"keys": [KeyPair("first").public()]}).encode())
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.end_headers()
    handler.wfile.write(body)


def hang_up(handler):
    handler.connection.close()


MISBEHAVIOUR = {
    "hangs": hang,
    "drips": drip,
    "drips headers": drip_headers,
    "keeps saying Continue": lambda handler: endlessly(handler, b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.001),
    "redirects": redirect,
    "101 keys": many_keys,
    "gzip": compressed,
    "an endless number": lambda handler: answer(handler, '{"keys": [' + "9" * 5_000 + "]}"),
    "hangs up": hang_up,
    "HTML": lambda handler: answer(handler, "<!DOCTYPE html><p>Welcome", content_type="text/html"),
    "an error": lambda handler: answer(handler, json.dumps({"keys": [KeyPair("first").public()]}), 500),
    "not found": lambda handler: answer(handler, "", 404),
    "an empty set": lambda handler: answer(handler, '{"keys": []}'),
    "no set": lambda handler: answer(handler, "{}"),
    "a list": lambda handler: answer(handler, "[]"),
    "null": lambda handler: answer(handler, "null"),
    "keys that are none": lambda handler: answer(handler, '{"keys": [5, null, {}, {"kid": "first"}, []]}'),
    "too much": lambda handler: answer(handler, '{"keys": ["' + "x" * 300_000 + '"]}'),
    "no UTF-8": lambda handler: answer(handler, "\udcff".encode("utf-8", "surrogatepass").decode("latin-1")),
    "too deep": lambda handler: answer(handler, "[" * 100_000),
}


@pytest.mark.parametrize("how", MISBEHAVIOUR)
class TestTrouble:
    """The timeout is short once the good keys are fetched: on a busy machine that takes its time."""

    def test_without_any_key_it_is_a_503(self, server, key, monkeypatch, how):
        monkeypatch.setattr(keys, "TIMEOUT", 0.3)
        server.misbehave = MISBEHAVIOUR[how]

        started = time.monotonic()
        response = client.get("/api/alice/tasks", headers={"Authorization": f"Bearer {key.token(server)}"})

        assert (response.status_code, response.json()) == UNAVAILABLE
        assert response["Retry-After"] == "5"
        assert time.monotonic() - started < 3
        fetching = keys.key_set(f"{server.origin}/api/auth/jwks").fetching
        fetching.join(3)
        assert not fetching.is_alive()

    def test_known_keys_go_on(self, server, key, db, monkeypatch, how):
        assert ask(key.token(server)) == OK
        monkeypatch.setattr(keys, "PAUSE", 0)
        monkeypatch.setattr(keys, "TIMEOUT", 1)
        keys.key_set(server.origin + "/api/auth/jwks").fetch_from = 0
        server.misbehave = MISBEHAVIOUR[how]
        in_doubt = threading.Thread(target=ask, args=[key.token(server, headers={"kid": "unknown"})])
        in_doubt.start()

        started = time.monotonic()
        answers = [ask(key.token(server)) for _ in range(5)]

        assert answers == [OK] * 5
        assert time.monotonic() - started < keys.TIMEOUT
        in_doubt.join()

    def test_an_unknown_key_is_not_called_forged(self, server, key, db, monkeypatch, how):
        assert ask(key.token(server)) == OK
        monkeypatch.setattr(keys, "TIMEOUT", 0.3)
        keys.key_set(server.origin + "/api/auth/jwks").fetch_from = 0
        server.misbehave = MISBEHAVIOUR[how]

        assert ask(KeyPair("second").token(server)) == UNAVAILABLE
        assert ask(key.token(server)) == OK


def test_after_a_failure_there_is_a_pause(server, key, db, monkeypatch):
    monkeypatch.setattr(keys, "PAUSE_AFTER_FAILURE", 0.5)
    server.misbehave = MISBEHAVIOUR["an error"]
    assert [ask(key.token(server)) for _ in range(10)] == [UNAVAILABLE] * 10
    assert server.requests == 1
    server.misbehave = None

    assert ask(key.token(server)) == UNAVAILABLE
    time.sleep(0.5)
    assert ask(key.token(server)) == OK
    assert ask(KeyPair("second").token(server)) == INVALID  # as if it had never failed
    assert server.requests == 2


def test_while_the_server_is_in_trouble_one_request_waits_for_it(server, key, monkeypatch):
    monkeypatch.setattr(keys, "TIMEOUT", 1)
    server.misbehave = hang
    assert ask(key.token(server)) == UNAVAILABLE
    keys.key_set(server.origin + "/api/auth/jwks").fetch_from = 0

    def timed(_):
        started = time.monotonic()
        return ask(key.token(server)), time.monotonic() - started

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(timed, range(4)), key=lambda pair: pair[1])

    assert [answer for answer, _ in answers] == [UNAVAILABLE] * 4
    assert answers[2][1] < 0.5 < answers[3][1]
    assert server.requests == 2


def test_a_key_server_that_was_never_there(settings):
    settings.BETTER_AUTH_ORIGIN = "http://127.0.0.1:9"
    settings.BETTER_AUTH_JWKS_URL = "http://127.0.0.1:9/api/auth/jwks"
    with key_server.running() as other:
        token = KeyPair("k").token(other)

    assert ask(token) == UNAVAILABLE


@pytest.mark.parametrize("url", ["file://{}", "data:application/json,{}", "ftp://127.0.0.1/jwks", "jwks.json", "//x/y"])
def test_keys_come_by_http_only(server, settings, tmp_path, url):
    (tmp_path / "jwks").write_text(json.dumps({"keys": [KeyPair("k").public()]}))
    settings.BETTER_AUTH_JWKS_URL = url.format(tmp_path / "jwks" if "file" in url else (tmp_path / "jwks").read_text())

    assert ask(KeyPair("k").token(server)) == UNAVAILABLE


def test_an_address_that_is_looked_up_for_ever_holds_nobody(server, key, monkeypatch):
    monkeypatch.setattr(keys, "TIMEOUT", 0.1)
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answered.wait(10) and [])
    threads = threading.active_count()

    started = time.monotonic()
    answers = [ask(key.token(server)) for _ in range(5)]

    assert answers == [UNAVAILABLE] * 5
    assert time.monotonic() - started < 4
    assert threading.active_count() <= threads + 1
    answered.set()
    wait_until(lambda: threading.active_count() <= threads)


def test_the_key_server_is_told_who_asks(server, key, db):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert ask(key.token(server)) == OK
    assert server.agents == {f"{project['name']}/{project['version']}"}


def test_of_two_keys_with_one_name_the_first_counts(server, db):
    first, second = KeyPair("k"), KeyPair("k")
    server.publish(first, second)

    assert ask(first.token(server)) == OK
    assert ask(second.token(server)) == INVALID


def rsa_key(bits, exponent):
    """A public key of a length that would take minutes to make."""
    numbers = rsa.RSAPublicNumbers(exponent, (1 << (bits - 1)) + 1)
    return {
        "kid": "bad",
        "kty": "RSA",
        "n": to_base64url_uint(numbers.n).decode(),
        "e": to_base64url_uint(numbers.e).decode(),
    }


BAD_KEYS = [
    rsa_key(8208, 65537),
    rsa_key(2048, 1),
    rsa_key(2048, 2),
    rsa_key(2048, (1 << 66) + 1),
    rsa_key(2048, 65537) | {"n": ["A"], "e": None},
    jwt.get_algorithm_by_name("RS256").to_jwk(KeyPair("bad", "RS256").private, as_dict=True) | {"kid": "bad"},
    jwt.get_algorithm_by_name("EdDSA").to_jwk(KeyPair("bad").private, as_dict=True) | {"kid": "bad"},
    KeyPair("bad").public(kid=5),
    KeyPair("bad").public(kid=None),
    KeyPair("bad").public(x=float("nan")),
    5,
    {},
    {"kid": "bad"},
    {"kid": "bad", "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": "!"},
    {"kid": "bad", "kty": "OKP", "crv": "X25519", "x": "AAAA"},
    {"kid": "bad", "kty": "EC", "crv": "P-256", "alg": "EdDSA", "x": "AAAA", "y": "AAAA"},
    {"kid": "bad", "kty": "oct", "k": "AAAA"},
    {"kid": ["bad"], "kty": "oct", "k": "AAAA"},
    KeyPair("bad").public(use="enc"),
    KeyPair("bad", "ES256").public(alg="ES384"),
    KeyPair("bad").public(alg=5),
    jwt.get_algorithm_by_name("RS256").to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True)
    | {"kid": "bad"},
]


@pytest.mark.parametrize("bad", BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_a_broken_key_does_not_cost_the_good_ones(server, key, db, settings, bad):
    server.published = [bad, key.public()]

    assert ask(key.token(server)) == OK
    assert ask(key.token(server, headers={"kid": "bad"})) == INVALID
    assert list(keys.key_set(settings.BETTER_AUTH_JWKS_URL).keys) == ["first"]


class TestHealth:
    @pytest.fixture(autouse=True)
    def _no_secret(self, settings):
        settings.BETTER_AUTH_SECRETS = []

    def test_a_loaded_key_is_enough(self, server, key, anonymous, db):
        assert anonymous.get("/health").json() == {"status": "healthy"}
        server.misbehave = MISBEHAVIOUR["an error"]
        assert anonymous.get("/health").json() == {"status": "healthy"}

    def test_without_one_it_is_not_ready(self, server, anonymous, db):
        response = anonymous.get("/health")

        assert response.status_code == 503
        assert response.json() == {
            "status": "unhealthy",
            "detail": "The key server does not answer: there is no key to verify tokens with",
        }
        assert anonymous.get("/health/live").status_code == 200


@contextmanager
def counted():
    found: Counter[str] = Counter()

    def count(reason, **kwargs):
        found[reason] += 1

    authentication_failed.connect(count)
    yield found
    authentication_failed.disconnect(count)


def test_failures_are_counted_by_reason(server, key, anonymous, caplog):
    past = int(time.time()) - 1
    server_token = key.token(server)

    with counted() as found:
        anonymous.get("/api/alice/tasks")
        anonymous.get("/api/alice/tasks", headers=bearer(exp=past))
        anonymous.get("/api/alice/tasks", headers=bearer(secret="x" * 32))
        anonymous.get("/api/alice/tasks", headers=bearer(5))
        for token in (
            server_token[:-5] + "AAAAA",
            key.token(server, aud="x"),
            key.token(server, headers={"kid": "x"}),
            "eyJhbGciOiJub25lIn0.e30.",
        ):
            ask(token)
        server.misbehave = MISBEHAVIOUR["an error"]
        keys.key_set(server.origin + "/api/auth/jwks").fetch_from = 0
        ask(KeyPair("second").token(server))

    assert found == {
        "missing": 1,
        "expired": 1,
        "signature": 2,
        "claims": 1,
        "audience": 1,
        "unknown_key": 1,
        "algorithm": 1,
        "key_server": 1,
    }
    reasons = [record.reason for record in caplog.records if record.getMessage() == "Authentication failed"]
    assert sorted(reasons) == sorted(name for name, count in found.items() for _ in range(count))


def test_the_log_tells_what_is_wrong_with_the_key_server(server, key, caplog):
    server.misbehave = MISBEHAVIOUR["HTML"]

    ask(key.token(server))

    record = next(record for record in caplog.records if record.name == "api.keys")
    assert (record.levelname, record.getMessage()) == ("WARNING", "Key server unavailable")
    assert "JSONDecodeError" in record.reason
    assert "eyJ" not in json.dumps(record.__dict__, default=str)


def wait_until(condition, seconds=5):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
