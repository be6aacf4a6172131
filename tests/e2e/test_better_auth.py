"""The real Better Auth server and client in front, this API on PostgreSQL behind: both set-ups of docs/connect.md."""

import re
import time
from contextlib import ExitStack
from urllib.parse import quote

import pytest

from api.keys import PAUSE
from tests.e2e.conftest import api, better_auth


def drive_every_endpoint(server, user_id, token):
    """A whole life of a task, with nothing but what Better Auth gave."""
    headers = {"Authorization": f"Bearer {token}"}
    tasks = f"/api/{quote(user_id, safe='')}/tasks"

    created = server.request("POST", tasks, {"title": "Buy milk"}, **headers)
    path = created.headers["Location"]
    listed = server.request("GET", tasks, **headers)
    read = server.request("GET", path, **headers)
    replaced = server.request("PUT", path, {"title": "Buy bread"}, **headers)
    completed = server.request("PATCH", path, {"completed": True}, **headers)
    deleted = server.request("DELETE", path, **headers)
    gone = server.request("GET", path, **headers)

    answers = created, listed, read, replaced, completed, deleted, gone
    assert [answer.status for answer in answers] == [201, 200, 200, 200, 200, 204, 404]
    assert created.json()["user_id"] == user_id
    assert created.json() in listed.json()
    assert (completed.json()["title"], completed.json()["completed"]) == ("Buy bread", True)


@pytest.mark.parametrize("ids", ["default", "uuid", "serial"])
@pytest.mark.parametrize("mode", ["eddsa", "hs256"])
def test_every_endpoint_with_real_tokens(tmp_path, mode, ids):
    shape = {"default": "[A-Za-z0-9]{32}", "uuid": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "serial": "[0-9]+"}[ids]

    with better_auth(mode, USER_IDS=ids) as auth, api(tmp_path, mode, auth) as server:
        ann, ben = auth.sign_up("ann"), auth.sign_up("ben")
        again = auth.sign_in("ann")

        assert again["userId"] == ann["userId"] != ben["userId"]
        assert re.fullmatch(shape, ann["userId"])
        for person in (ann, ben, again):
            drive_every_endpoint(server, person["userId"], person["token"])
            assert server.request("GET", "/health").status == 200
        foreign = f"/api/{ben['userId']}/tasks"
        assert server.request("GET", foreign, Authorization=f"Bearer {ann['token']}").status == 403
        assert server.request("GET", foreign).status == 401


@pytest.mark.parametrize("algorithm", ["ES256", "ES512", "RS256", "PS256"])
def test_the_other_algorithms(tmp_path, algorithm):
    with better_auth("eddsa", KEY_ALG=algorithm) as auth, api(tmp_path, "eddsa", auth) as server:
        ann = auth.sign_up("ann")

        drive_every_endpoint(server, ann["userId"], ann["token"])


def test_keys_that_rotate_within_the_run(tmp_path):
    with (
        better_auth("eddsa", ROTATE_SECONDS="2", GRACE_SECONDS="600") as auth,
        api(tmp_path, "eddsa", auth) as server,
    ):
        ann = auth.sign_up("ann")
        tokens = [ann["token"]]
        for _ in range(3):
            drive_every_endpoint(server, ann["userId"], tokens[-1])
            time.sleep(2.1)
            tokens.append(auth.client("token", ann["sessionToken"])["token"])

        assert len({token.split(".")[0] for token in tokens}) == 4  # the key's id is in the header
        for token in tokens:
            drive_every_endpoint(server, ann["userId"], token)
        assert len(auth.client("jwks")["keys"]) >= 4


@pytest.mark.parametrize(
    ("mode", "cache", "dots"), [("hs256", "compact", 0), ("hs256", "jwt", 2), ("hs256", "jwe", 4), ("eddsa", "jwks", 2)]
)
def test_what_better_auth_signs_for_itself_does_not_open_the_api(tmp_path, mode, cache, dots):
    """By the same secret or the same key: verification links, session cookies in each form, session tokens."""
    with better_auth(mode, COOKIE_CACHE=cache) as auth:
        # no issuer and no audience beside the secret: the rest of the rules must be enough
        any_issuer = {"BETTER_AUTH_SECRET": auth.secret, "BETTER_AUTH_ISSUER": "", "BETTER_AUTH_AUDIENCE": ""}
        with api(tmp_path, mode, auth, **any_issuer) as server:
            ann = auth.sign_up("ann")
            tasks = f"/api/{ann['userId']}/tasks"
            drive_every_endpoint(server, ann["userId"], ann["token"])

            for name in ("verificationToken", "sessionToken", "sessionData"):
                answer = server.request("GET", tasks, Authorization=f"Bearer {ann[name]}")
                assert (answer.status, answer.json()) == (401, {"detail": "Invalid token"}), name
            cookies = "; ".join(f"{name}={value}" for name, value in ann["cookies"].items())
            by_cookie = server.request("GET", tasks, Cookie=cookies)

    assert by_cookie.json() == {"detail": "Missing authentication token"}
    assert ann["verificationToken"].count(".") == 2
    assert ann["sessionData"].count(".") == dots


def test_better_auth_goes_away_and_comes_back_with_other_keys(tmp_path):
    """Its database is new, its keys are new, its address is the same; nobody restarts the API."""
    with ExitStack() as first, ExitStack() as both:
        auth = first.enter_context(better_auth("eddsa"))
        server = both.enter_context(api(tmp_path, "eddsa", auth))
        ann = auth.sign_up("ann")
        drive_every_endpoint(server, ann["userId"], ann["token"])
        first.close()
        drive_every_endpoint(server, ann["userId"], ann["token"])

        auth = both.enter_context(better_auth("eddsa", PORT=auth.url.rpartition(":")[2]))
        ben = auth.sign_up("ben")
        time.sleep(PAUSE)  # the least time from one look at the keys to the next
        drive_every_endpoint(server, ben["userId"], ben["token"])
