"""Who gets into the admin, and that its door and the API's are two."""

import itertools
import re
import statistics
import time
from base64 import b32decode
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from axes.models import AccessAttempt
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import MD5PasswordHasher, make_password
from django.contrib.auth.models import Group, Permission, User
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver, get_resolver
from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from config import settings as production
from config import staff
from tasks.models import Task
from tests.api.test_access import DETAIL, METHODS, NOTE, send
from tests.server import COMMANDS, manage, new_database, running
from tests.tokens import bearer

LIST = "/admin/tasks/task/"
PASSWORD = "a long password"


@pytest.fixture
def superuser(db):
    return User.objects.create_superuser("root", password=PASSWORD)


@pytest.fixture
def agent(db):
    agent = User.objects.create_user("agent", password=PASSWORD, is_staff=True)
    agent.groups.add(Group.objects.get(name="Support"))
    return agent


@pytest.fixture
def support(agent):
    client = Client(raise_request_exception=False)
    client.force_login(agent)
    return client


def sign_in(client, username="agent", password=PASSWORD, **headers):
    return client.post("/admin/login/?next=/admin/", {"username": username, "password": password}, **headers)


# A session


def test_a_person_signs_in_with_a_csrf_token(agent):
    browser = Client(enforce_csrf_checks=True)

    assert sign_in(browser).status_code == 403
    browser.get("/admin/login/")
    form = {"username": "agent", "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"].value}
    response = browser.post("/admin/login/?next=/admin/", form)

    assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert browser.get(LIST).status_code == 200
    assert set(browser.cookies) == {"csrftoken", "sessionid"}
    for cookie in browser.cookies.values():
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Strict")
        assert cookie["path"] == "/admin"


@pytest.mark.parametrize(
    "path",
    [
        *(f"{LIST}{end}" for end in ("", "{id}/change/", "{id}/delete/")),
        *(f"/admin/auth/user/{end}" for end in ("", "add/", "{user}/change/", "{user}/password/", "{user}/delete/")),
        *("/admin/auth/group/add/", "/admin/password_change/", "/admin/logout/", "/admin/login/"),
    ],
)
def test_a_form_of_another_site_is_refused(superuser, make_task, path):
    """No middleware sees to that, the views themselves do."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(superuser)
    task = make_task()

    response = browser.post(path.format(id=task.id, user=superuser.id), {"title": "forged", "post": "yes"})

    assert response.status_code == 403
    assert "CSRF" in response.content.decode()
    assert Task.objects.get().title == task.title


def test_a_session_ends_eight_hours_after_it_began(support):
    hours = timedelta(hours=8)
    assert abs(Session.objects.get().expire_date - timezone.now() - hours) < timedelta(minutes=1)

    Session.objects.update(expire_date=timezone.now())
    assert support.get(LIST).status_code == 302


@pytest.fixture
def later(monkeypatch):
    """`later(minutes)` puts the clock forward from when the test began."""
    now = timezone.now
    return lambda minutes: monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(minutes=minutes))


def test_a_session_ends_after_half_an_hour_without_a_request(support, later):
    for minutes in (28, 56, 84):
        later(minutes)
        assert support.get(LIST).status_code == 200

    later(84 + 30)
    assert support.get(LIST).status_code == 302
    assert not Session.objects.exists()


def test_a_session_ends_after_eight_hours_however_busy(support, later):
    for minutes in range(0, 480, 20):
        later(minutes)
        assert support.get(LIST).status_code == 200

    later(480)
    assert support.get(LIST).status_code == 302


def test_a_busy_session_is_written_once_a_minute(support, later):
    later(10)
    with CaptureQueriesContext(connection) as queries:
        for _ in range(3):
            support.get(LIST)

    assert len([query for query in queries if query["sql"].startswith('UPDATE "django_session"')]) == 1


def test_what_staff_are_told_does_not_go_to_the_api(support, make_task):
    told = support.post(LIST, {"action": "mark_completed", "_selected_action": [make_task().id]})
    seen = support.get(LIST)

    assert "1 task marked completed." in seen.content.decode()
    for response in (told, seen):
        assert {cookie["path"] for cookie in response.cookies.values()} <= {"/admin"}


def test_what_staff_leave_behind_is_purged(agent, support):
    sign_in(Client(), password="wrong")
    sign_in(Client(), username="another", password="wrong")
    AccessAttempt.objects.filter(username="another").update(attempt_time=timezone.now() - timedelta(minutes=16))
    Client().force_login(agent)
    Session.objects.exclude(pk=support.session.session_key).update(expire_date=timezone.now())

    call_command("purge_idempotency_keys")

    assert AccessAttempt.objects.get().username == "agent"
    assert Session.objects.get().pk == support.session.session_key


@pytest.mark.once
@pytest.mark.parametrize("password", ["short", "password1", "4815162342342", "twelve less"])
def test_a_weak_password_of_staff_is_refused(password):
    with pytest.raises(ValidationError):
        validate_password(password)


def test_twelve_characters_are_enough():
    validate_password("twelve or so")


# What a page may do in a browser


@pytest.mark.once
def test_no_page_has_a_script_or_style_in_it(superuser, support, make_task):
    """So that the policy can forbid all of them, and with them one that somebody has smuggled in."""
    root, task = Client(), make_task(title="<script>alert(1)</script>")
    root.force_login(superuser)
    paths = [
        *("", "auth/", "auth/user/", "auth/user/add/", "auth/group/add/", "password_change/", "admin/logentry/"),
        *("tasks/task/", f"tasks/task/{task.id}/change/", f"tasks/task/{task.id}/delete/", "jsi18n/", "nope/"),
        *(f"auth/user/{superuser.id}/{end}/" for end in ("change", "password", "delete", "history")),
    ]
    pages = [root.get(f"/admin/{path}") for path in paths]
    pages += [Client().get("/admin/login/"), Client().get("/admin/static/admin/css/base.css"), Client().get("/admin/x")]
    pages += [support.get("/admin/auth/user/"), Client().post("/admin/login/", {})]
    pages += [Client(enforce_csrf_checks=True).post("/admin/login/")]

    for page in pages:
        policy = dict(part.split(maxsplit=1) for part in page["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
        assert "unsafe" not in page["Content-Security-Policy"]
        if not page.streaming:
            text = page.content.decode()
            assert not re.search(r"<script(?![^>]* src=)|<style|<[^>]* (style|on\w+)=|javascript:", text), page.request
        page.close()


# Guessing passwords


def test_five_wrong_passwords_are_enough_for_a_quarter_of_an_hour(agent, caplog):
    client = Client()
    for _ in range(4):
        assert sign_in(client, password="wrong").status_code == 200

    for password in ("wrong", "wrong", PASSWORD):
        response = sign_in(client, password=password)
        assert (response.status_code, response["Retry-After"]) == (429, "900")
        assert "Try again in 15 minutes" in response.content.decode()
    assert client.get(LIST).status_code == 302

    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14, seconds=50))
    assert sign_in(client).status_code == 429
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15))
    assert sign_in(client).status_code == 302
    assert not AccessAttempt.objects.exists()

    said = "".join(caplog.messages)
    assert "Locking out" in said
    assert "127.0.0.1" in said
    assert "agent" not in said
    assert PASSWORD not in said


def test_a_failed_sign_in_does_not_remember_whose_tasks_it_was_for(agent):
    """erase_user would not find the id there."""
    path = "/admin/login/?next=/admin/tasks/task/%3Fuser_id%3Dcarol"

    Client().post(path, {"username": "agent", "password": "wrong", "next": "/admin/tasks/task/?user_id=carol"})

    assert "carol" not in str(AccessAttempt.objects.values().get())


def test_a_right_password_forgives_the_wrong_ones_before(agent):
    client = Client()
    for _ in range(3):
        for _ in range(4):
            sign_in(client, password="wrong")
        assert sign_in(client).status_code == 302


def test_nobody_is_locked_out_by_somebody_elsewhere(agent, superuser):
    for _ in range(5):
        response = sign_in(Client(), password="wrong", REMOTE_ADDR="192.0.2.1")

    assert response.status_code == 429
    assert sign_in(Client(), REMOTE_ADDR="192.0.2.2").status_code == 302
    assert sign_in(Client(), username="root", REMOTE_ADDR="192.0.2.1").status_code == 302


@pytest.fixture
def hashes(monkeypatch):
    """A list that grows by one at each hash."""
    hashes = []
    encode = MD5PasswordHasher.encode

    def counted(*args):
        hashes.append(args)
        return encode(*args)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    return hashes


def test_an_address_that_tries_ever_new_names_is_refused_without_a_hash(agent, hashes):
    answers = [sign_in(Client(), username=f"name {number}", password="wrong").status_code for number in range(25)]
    assert answers == [200] * 24 + [429]
    assert len(hashes) == 25

    for name in ("agent", "yet another"):
        assert sign_in(Client(), username=name).status_code == 429
    assert len(hashes) == 25
    assert sign_in(Client(), REMOTE_ADDR="192.0.2.2").status_code == 302

    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15))
    assert sign_in(Client()).status_code == 302


def test_an_account_of_ones_own_is_no_way_to_more_guesses(agent, superuser):
    for number in range(24):
        assert sign_in(Client(), username=f"name {number}", password="wrong").status_code == 200
        assert sign_in(Client()).status_code == 302

    sign_in(Client(), username="root", password="wrong")
    assert sign_in(Client(), username="root").status_code == 429


def test_the_old_password_can_not_be_guessed_either(support, agent, hashes):
    """By who finds a browser unattended, or has stolen its cookie."""
    form = {"old_password": "wrong", "new_password1": "a new password", "new_password2": "a new password"}
    for _ in range(4):
        assert "entered incorrectly" in support.post("/admin/password_change/", form).content.decode()
    assert support.post("/admin/password_change/", form).status_code == 429

    hashes.clear()
    assert support.post("/admin/password_change/", form | {"old_password": PASSWORD}).status_code == 429
    assert sign_in(Client()).status_code == 429
    assert not hashes

    AccessAttempt.objects.all().delete()
    response = support.post("/admin/password_change/", form | {"old_password": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, "/admin/password_change/done/")
    assert sign_in(Client(), password="a new password").status_code == 302


def test_one_password_is_hashed_at_a_time(settings, agent, superuser):
    """The other threads of a process are for the API: who comes second is told so at once, and not counted."""
    root = Client()
    root.force_login(superuser)
    settings.PASSWORD_HASHERS = production.PASSWORD_HASHERS
    User.objects.filter(username="root").update(password=make_password(PASSWORD))
    root.force_login(User.objects.get(username="root"))
    new = {"password1": "a new password", "password2": "a new password"}

    with staff.hashing:
        answers = [
            sign_in(Client(), username="root"),
            sign_in(Client(), username="nobody"),
            root.post("/admin/password_change/", {"old_password": PASSWORD}),
            root.post(f"/admin/auth/user/{agent.id}/password/", new | {"usable_password": "true"}),
        ]

    for answer in answers:
        assert (answer.status_code, answer["Retry-After"]) == (503, "1")
        assert "try again in a second" in answer.content.decode()
    assert not AccessAttempt.objects.exists()
    assert sign_in(Client(), username="root").status_code == 302


def test_behind_a_proxy_clients_are_told_apart(agent, settings):
    """tests/settings.py trusts 10.0.0.0/8."""
    proxy = {"REMOTE_ADDR": "10.0.0.1"}
    for _ in range(5):
        response = sign_in(Client(), password="wrong", HTTP_X_FORWARDED_FOR="198.51.100.7, 192.0.2.1", **proxy)

    assert response.status_code == 429
    assert sign_in(Client(), HTTP_X_FORWARDED_FOR="198.51.100.8, 192.0.2.1", **proxy).status_code == 429
    assert sign_in(Client(), HTTP_X_FORWARDED_FOR="192.0.2.2", **proxy).status_code == 302


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("", "", True),
    ],
)
def test_whoever_has_one_ipv6_address_has_the_whole_64(agent, first, second, same):
    for _ in range(5):
        sign_in(Client(REMOTE_ADDR=first), password="wrong")

    assert (sign_in(Client(REMOTE_ADDR=second)).status_code == 429) is same


def test_a_link_to_elsewhere_leads_to_the_admin(agent):
    form = {"username": "agent", "password": PASSWORD}

    response = Client().post("/admin/login/?next=https://evil.example", form)

    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_who_comes_directly_can_not_pretend_to_be_many(agent):
    for number in range(5):
        response = sign_in(
            Client(), password="wrong", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=f"198.51.100.{number}"
        )

    assert response.status_code == 429


@pytest.mark.parametrize(
    ("username", "status"),
    [("", 200), ("a\0b", 200), ("x" * 151, 200), ("x" * 256, 200), ("x" * 150, 429), ("üñï", 429), ("\ud800", 429)],
)
def test_any_username_may_be_tried(db, hashes, username, status):
    """And counts, unless no account can have it: that is a mistake in the form, and costs no hash."""
    client = Client(raise_request_exception=False, headers={"user-agent": "x" * 300, "accept": "x" * 2000})
    path = "/admin/login/?next=%00&x=" + "y" * 2000
    form = urlencode({"username": username.encode("utf-8", "surrogatepass"), "password": "wrong", "more": "\0"})

    statuses = []
    for _ in range(6):
        response = client.post(path, form, content_type="application/x-www-form-urlencoded")
        statuses.append(response.status_code)
    assert statuses == [*[200] * 4, status, status]
    assert len(hashes) == (5 if status == 429 else 0)


# A second factor


@pytest.fixture
def enrolled(settings, agent, capsys):
    """What enroll_staff says: the key of the app's codes, and the recovery codes."""
    settings.ADMIN_OTP = True
    call_command("enroll_staff", "agent")
    url, _, key, _, *codes = capsys.readouterr().out.splitlines()
    assert url.startswith("otpauth://totp/Task%20API%3Aagent?secret=" + key.removeprefix("Key: "))
    return b32decode(key.removeprefix("Key: ")), codes


def code_of(key, seconds=0):
    """What an app shows: RFC 6238."""
    return f"{totp(key, t0=-seconds):06}"


def sign_in_with(code, client=None, **form):
    form = {"username": "agent", "password": PASSWORD, "code": code} | form
    return (client or Client()).post("/admin/login/?next=/admin/", form)


def test_a_code_is_asked_for_by_one_setting(settings, agent):
    assert "code" not in Client().get("/admin/login/").context["form"].fields
    settings.ADMIN_OTP = True

    assert "one-time-code" in Client().get("/admin/login/").content.decode()


def test_a_password_opens_nothing_without_a_code(enrolled, agent, superuser):
    """Nor a session from before, nor one of an account that has no app."""
    before = Client()
    before.force_login(agent)
    assert before.get(LIST).status_code == 302

    for form in ({}, {"code": ""}, {"code": "000000"}, {"code": "zzzzzzzz"}, {"username": "root", "code": "000000"}):
        client = Client()
        response = client.post("/admin/login/", {"username": "agent", "password": PASSWORD} | form)
        assert response.status_code == 200
        assert "enter the correct username and password" in response.content.decode()
        assert client.get(LIST).status_code == 302


@pytest.mark.parametrize("seconds", [-30, 0, 30])
def test_the_code_of_an_app_opens_the_admin_once(enrolled, seconds):
    client, code = Client(), code_of(enrolled[0], seconds)

    assert sign_in_with(f"{code[:3]} {code[3:]}", client).status_code == 302
    assert client.get(LIST).status_code == 200
    assert sign_in_with(code).status_code == 200
    assert Client().get(LIST).status_code == 302


def test_an_app_that_is_not_confirmed_opens_nothing(enrolled):
    TOTPDevice.objects.update(confirmed=False)

    assert sign_in_with(code_of(enrolled[0])).status_code == 200


def test_a_recovery_code_opens_the_admin_once(enrolled):
    client = Client()

    assert len(set(enrolled[1])) == 10
    assert sign_in_with(enrolled[1][3].upper(), client).status_code == 302
    assert client.get(LIST).status_code == 200
    assert sign_in_with(enrolled[1][3]).status_code == 200
    assert sign_in_with(enrolled[1][4]).status_code == 200  # django-otp: after a wrong one, a second without any
    StaticDevice.objects.update(throttling_failure_timestamp=timezone.now() - timedelta(seconds=2))
    assert sign_in_with(enrolled[1][4]).status_code == 302


def test_a_code_is_good_for_its_own_user(enrolled, superuser):
    call_command("enroll_staff", "root")

    assert sign_in_with(code_of(enrolled[0]), username="root").status_code == 200


def test_codes_can_not_be_guessed(enrolled):
    """By who knows the password: like that, from an address; and from everywhere, ever more slowly."""
    for _ in range(4):
        assert sign_in_with("123456").status_code == 200
    assert sign_in_with("123456").status_code == 429
    assert sign_in_with(code_of(enrolled[0])).status_code == 429

    AccessAttempt.objects.all().delete()
    assert TOTPDevice.objects.get().throttling_failure_count
    TOTPDevice.objects.update(throttling_failure_timestamp=timezone.now(), throttling_failure_count=5)  # 16 seconds
    assert sign_in_with(code_of(enrolled[0])).status_code == 200
    TOTPDevice.objects.update(throttling_failure_timestamp=timezone.now() - timedelta(minutes=1))
    assert sign_in_with(code_of(enrolled[0])).status_code == 302


def test_a_lost_telephone_is_replaced(enrolled, capsys):
    client = Client()
    sign_in_with(code_of(enrolled[0]), client)
    assert client.get(LIST).status_code == 200

    call_command("enroll_staff", "agent")

    assert client.get(LIST).status_code == 302
    for code in (code_of(enrolled[0], 30), enrolled[1][0]):
        assert sign_in_with(code).status_code == 200


def test_nobody_but_staff_is_enrolled(db):
    User.objects.create_user("somebody")

    for name in ("somebody", "nobody"):
        with pytest.raises(CommandError, match=f"no staff account '{name}'"):
            call_command("enroll_staff", name)


def test_no_page_shows_the_secrets(superuser):
    root = Client()
    root.force_login(superuser)

    for path in ("otp_totp/totpdevice/", "otp_static/staticdevice/"):
        assert root.get(f"/admin/{path}").status_code == 404


# The group


def test_the_group_may_view_and_change_tasks_and_nothing_else(db):
    permissions = Permission.objects.filter(group__name="Support")

    assert set(permissions.values_list("content_type__app_label", "codename")) == {
        ("tasks", "view_task"),
        ("tasks", "change_task"),
    }


def test_who_has_left_a_trace_can_not_be_deleted_with_it(superuser, support, agent, make_task):
    support.post(LIST, {"action": "mark_completed", "_selected_action": [make_task().id]})
    root = Client()
    root.force_login(superuser)

    response = root.post(f"/admin/auth/user/{agent.id}/delete/", {"post": "yes"})

    assert response.status_code == 403
    assert "log entry" in root.get(f"/admin/auth/user/{agent.id}/delete/").content.decode()
    assert User.objects.filter(username="agent").exists()
    assert LogEntry.objects.filter(user=agent).exists()


def test_an_agent_corrects_and_does_not_delete(support, make_task):
    task = make_task()
    path = f"{LIST}{task.id}"

    page = support.get(f"{path}/change/")
    seen = page.context["adminform"].form["seen"].value()
    assert support.post(f"{path}/change/", {"title": "Buy bread", "seen": seen}).status_code == 302
    assert Task.objects.get().title == "Buy bread"
    assert support.get(f"{path}/history/").status_code == 200
    assert "deletelink" not in page.content.decode()
    for response in (support.get(f"{path}/delete/"), support.post(f"{path}/delete/", {"post": "yes"})):
        assert response.status_code == 403
    assert [name for name, _ in support.get(LIST).context["action_form"].fields["action"].choices] == [
        "",
        "mark_completed",
        "mark_open",
    ]
    support.post(LIST, {"action": "delete_selected", "_selected_action": [task.id], "post": "yes"})
    assert Task.objects.exists()


@pytest.mark.parametrize(
    "path", ["auth/user/", "auth/user/add/", "auth/user/1/change/", "auth/group/", "tasks/task/add/"]
)
def test_an_agent_gets_no_further(support, path):
    assert support.get(f"/admin/{path}").status_code == 403


def test_an_agent_who_may_only_look_sees_a_task(db, make_task):
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_task"))
    client = Client()
    client.force_login(viewer)
    task = make_task()

    page = client.get(f"{LIST}{task.id}/change/").content.decode()

    assert "Buy milk" in page
    assert "seen" not in page
    assert client.post(f"{LIST}{task.id}/change/", {"title": "x"}).status_code == 403


def test_a_person_without_rights_sees_no_tasks(db):
    client = Client()
    client.force_login(User.objects.create_user("nobody", is_staff=True))

    assert client.get(LIST).status_code == 403


# Two doors


def admin_paths(resolver: Any, prefix: str = "/") -> list[str]:
    """A path for each route of the admin, with a 1 wherever it takes something."""
    found = []
    for entry in resolver.url_patterns:
        path = prefix + re.sub(r"<[^>]*>", "1", str(entry.pattern))
        if isinstance(entry, URLResolver):
            found += admin_paths(entry, path)
        elif path.startswith("/admin"):
            found.append(path.replace("(?P1.*)$", "nope/"))
    return found


ADMIN_PATHS = admin_paths(get_resolver())


def test_the_routes_of_the_admin_are_found():
    assert {"/admin", LIST, f"{LIST}1/change/", f"{LIST}1/delete/", "/admin/auth/user/1/password/"} < set(ADMIN_PATHS)
    assert len(ADMIN_PATHS) > 25


@pytest.mark.once
@pytest.mark.parametrize("path", ADMIN_PATHS)
def test_no_token_opens_the_admin(superuser, make_task, path):
    make_task()
    client = Client(raise_request_exception=False)
    claims = {"is_staff": True, "is_superuser": True, "is_active": True, "username": "root", "role": "admin"}
    tokens = [bearer(user, **claims) for user in ("root", str(superuser.id))]
    for method, token in itertools.product(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"], tokens):
        response = client.generic(method, path, headers=token)

        if path == "/admin":
            assert response["Location"] == "/admin/"
        elif path == "/admin/login/":
            assert response.status_code == (405 if method == "DELETE" else 200), method
            assert not response.wsgi_request.user.is_authenticated
        else:
            assert response.status_code == 302
            assert response["Location"].startswith("/admin/login/") or path == "/admin/logout/"
    assert "sessionid" not in client.cookies
    assert (User.objects.count(), Task.objects.count(), Session.objects.count()) == (1, 1, 0)


@pytest.mark.once
@pytest.mark.parametrize(("route", "method"), [(route, method) for route in METHODS for method in METHODS[route]])
def test_no_session_opens_the_api(admin_client, make_task, route, method):
    for user_id in ("alice", "admin", "1"):
        task = make_task(user_id)
        before = list(Task.objects.values())

        response = send(admin_client, method, route, user_id, {DETAIL: task, NOTE: task})

        assert response.status_code == 401
        assert method == "HEAD" or response.json() == {"detail": "Missing authentication token"}
        assert list(Task.objects.values()) == before


def test_the_api_has_no_session(alice, db):
    request = alice.get("/api/alice/tasks").wsgi_request

    assert not hasattr(request, "session")
    assert not hasattr(request, "_messages")
    assert not hasattr(request, "axes_locked_out")


# No admin at all


@pytest.mark.once
def test_the_admin_can_be_left_out(tmp_path):
    with (
        new_database(tmp_path) as url,  # whose migrations know no admin either
        running(tmp_path, url, ADMIN_ENABLED="false", API_DOCS="false") as server,
    ):
        for path in (*ADMIN_PATHS, "/admin/static/admin/css/base.css"):
            answer = server.request("GET", path)
            assert answer.status == 404
            assert answer.json() == {"detail": "Not found"}
            assert "Set-Cookie" not in answer.headers
        assert server.request("GET", "/api/alice/tasks", user="alice").status == 200
        assert server.request("GET", "/api/docs").status == 404
        assert manage(server.environment, "check").returncode == 0


@pytest.mark.once
def test_the_pages_of_the_api_need_no_admin(tmp_path):
    """They take their files from where the admin's would be."""
    with running(tmp_path, ADMIN_ENABLED="false", API_DOCS="true", WEB_CONCURRENCY="1") as server:
        for path in ADMIN_PATHS:
            assert "static" in path or server.request("GET", path).status == 404
        page = server.request("GET", "/api/docs").body.decode()
        files = re.findall(r'(?:src|href)="(/admin/static/[^"]+)"', page)
        assert [server.request("GET", file).status for file in files] == [200] * 4


# Work for strangers


def guess(server, csrf, number):
    form = urlencode({"username": f"name {number}", "password": "wrong", "csrfmiddlewaretoken": csrf}).encode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": f"csrftoken={csrf}",
        "X-Forwarded-For": f"192.0.2.{number}",
    }
    return server.request("POST", "/admin/login/", form, **headers).status


def slow_answer(server, seconds):
    """How long a user of the API waits in one of five cases, in seconds."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        assert server.request("GET", "/api/alice/tasks", user="alice").status == 200
        times.append(time.monotonic() - start)
        time.sleep(0.03)
    return statistics.quantiles(times, n=5)[-1]


@pytest.mark.once
@pytest.mark.parametrize("name", COMMANDS)
def test_guessing_passwords_does_not_slow_the_api(tmp_path, name):
    """Seven sign-ins a second, each with a new name and from a new address."""
    with (
        running(tmp_path, name=name, WEB_CONCURRENCY="1", TRUSTED_PROXIES="127.0.0.1") as server,
        ThreadPoolExecutor(30) as strangers,
    ):
        csrf = server.request("GET", "/admin/login/").headers["Set-Cookie"][len("csrftoken=") :][:32]
        undisturbed = slow_answer(server, 1)
        disturbed = strangers.submit(slow_answer, server, 2)
        guesses: list[Future[int]] = []
        while not disturbed.done():
            guesses.append(strangers.submit(guess, server, csrf, len(guesses)))
            time.sleep(1 / 7)
        answers = Counter(guess.result() for guess in guesses)

        assert set(answers) <= {200, 503}
        assert disturbed.result() < 20 * undisturbed
