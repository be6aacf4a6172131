"""Reading large lists: pages, status, order."""

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import chain
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from django.core import signing
from rest_framework.exceptions import ParseError

from api.pagination import chosen
from tasks.models import Task
from tasks.views import TaskViewSet
from tests.tokens import bearer

TASKS = "/api/alice/tasks"


@pytest.fixture
def seven(make_task):
    """Seven tasks of alice's in creation order, three of one instant, with bob's in between."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = []
    for number, second in enumerate([0, 1, 2, 2, 2, 3, 4]):
        make_task("bob", created_at=start + timedelta(seconds=second))
        made.append(
            make_task(title=str(number), completed=number % 2 == 0, created_at=start + timedelta(seconds=second))
        )
    return [task.id for task in made]


def links(response):
    """Where they lead, by their relation: what the answer says is relative to the URL that was asked for."""
    found = re.findall(r'<(\?[^>]+)>; rel="(\w+)"', response.get("Link", ""))
    return {relation: urljoin(response.wsgi_request.get_full_path(), query) for query, relation in found}


def ids(response):
    assert response.status_code == 200, response.content
    return [task["id"] for task in response.json()]


def follow(client, path, relation="next"):
    """The ids of each page, from `path` to the end."""
    pages = []
    while path:
        response = client.get(path)
        pages.append(ids(response))
        path = links(response).get(relation)
        assert len(pages) < 20
    return pages


def test_three_values_are_named_with_a_comma():
    with pytest.raises(ParseError, match=r"^priority must be 1, 2 or 3$"):
        chosen({"priority": "4"}, "priority", {"1": 1, "2": 2, "3": 3})
    with pytest.raises(ParseError, match=r"^ordering must be name$"):
        chosen({"ordering": "x"}, "ordering", {"name": "name"})


def test_without_a_limit_there_is_one_page(alice, seven):
    response = alice.get(TASKS)

    assert ids(response) == seven
    assert "Link" not in response


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8, 500])
@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
def test_every_task_is_on_one_page(alice, seven, limit, ordering):
    expected = seven if ordering == "created_at" else seven[::-1]

    pages = follow(alice, f"{TASKS}?limit={limit}&ordering={ordering}")

    assert pages == [expected[start : start + limit] for start in range(0, 7, limit)]


@pytest.mark.parametrize(("ordering", "step"), [("completed", 1), ("-completed", -1)])
def test_any_column_may_order_pages_and_a_list_in_several_statements(alice, seven, monkeypatch, ordering, step):
    monkeypatch.setattr(TaskViewSet, "orderings", [ordering])
    monkeypatch.setattr("api.rows.PAGE", 2)
    monkeypatch.setattr("api.pagination.PAGE", 2)
    expected = [seven[number] for number in (1, 3, 5, 0, 2, 4, 6)][::step]

    assert list(chain.from_iterable(follow(alice, f"{TASKS}?limit=2"))) == expected
    whole = alice.get(TASKS)
    assert [task["id"] for task in json.loads(whole.getvalue())] == expected
    assert alice.get(TASKS, headers={"If-None-Match": whole["ETag"]}).status_code == 304


@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
def test_prev_leads_back(alice, seven, ordering):
    pages = follow(alice, f"{TASKS}?limit=3&ordering={ordering}")
    first = alice.get(f"{TASKS}?limit=3&ordering={ordering}")
    second = alice.get(links(first)["next"])
    last = alice.get(links(second)["next"])

    assert "prev" not in links(first)
    assert "next" not in links(last)
    back = alice.get(links(last)["prev"])
    assert ids(back) == pages[1]
    assert ids(alice.get(links(back)["prev"])) == pages[0]
    assert "prev" not in links(alice.get(links(back)["prev"]))
    assert ids(alice.get(links(back)["next"])) == pages[2]


@pytest.mark.parametrize(("completed", "kept"), [("true", [0, 2, 4, 6]), ("false", [1, 3, 5])])
@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
def test_status_order_and_pages_go_together(alice, seven, completed, kept, ordering):
    expected = [seven[number] for number in kept][:: 1 if ordering == "created_at" else -1]
    path = f"{TASKS}?completed={completed}&ordering={ordering}"

    assert ids(alice.get(path)) == expected
    assert list(chain(*follow(alice, f"{path}&limit=2"))) == expected


def test_the_limit_may_change_on_the_way_and_other_parameters_stay(alice, seven):
    url = links(alice.get(f"{TASKS}?limit=2&colour=a%20b%26c"))["next"]

    assert parse_qs(urlsplit(url).query)["colour"] == ["a b&c"]
    assert ids(alice.get(url.replace("limit=2", "limit=3"))) == seven[2:5]


def test_a_page_is_one_statement(alice, seven, django_assert_num_queries):
    url = links(alice.get(f"{TASKS}?limit=2&completed=true"))["next"]

    with django_assert_num_queries(1):
        alice.get(url)


def test_what_comes_and_goes_meanwhile_neither_repeats_nor_hides_a_task(alice, seven, make_task):
    first = alice.get(f"{TASKS}?limit=3")
    Task.objects.filter(id__in=[seven[0], seven[2], seven[4]]).delete()
    make_task(created_at=datetime(2025, 1, 1, tzinfo=UTC))
    newest = make_task(created_at=datetime(2027, 1, 1, tzinfo=UTC))

    rest = list(chain(*follow(alice, links(first)["next"])))

    assert ids(first) + rest == [*seven[:4], *seven[5:], newest.id]


def test_a_page_whose_tasks_are_all_gone_is_empty(alice, seven):
    second = links(alice.get(f"{TASKS}?limit=3"))["next"]
    Task.objects.filter(id__in=seven[3:]).delete()

    response = alice.get(second)

    assert ids(response) == []
    assert "Link" not in response


def test_a_user_id_with_odd_characters_has_links_too(anonymous, make_task):
    make_task("ü/ ?%")
    make_task("ü/ ?%")
    headers = bearer("ü/ ?%")

    url = links(anonymous.get("/api/%C3%BC%2F%20%3F%25/tasks?limit=1", headers=headers))["next"]

    assert len(ids(anonymous.get(url, headers=headers))) == 1


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("completed=yes", "completed must be true or false"),
        ("completed=True", "completed must be true or false"),
        ("completed=1", "completed must be true or false"),
        ("completed=", "completed must be true or false"),
        ("ordering=title", "ordering must be created_at or -created_at"),
        ("ordering=", "ordering must be created_at or -created_at"),
        ("ordering=created_at,id", "ordering must be created_at or -created_at"),
        ("limit=0", "limit must be a whole number from 1 to 500"),
        ("limit=501", "limit must be a whole number from 1 to 500"),
        ("limit=-1", "limit must be a whole number from 1 to 500"),
        ("limit=ten", "limit must be a whole number from 1 to 500"),
        ("limit=1.0", "limit must be a whole number from 1 to 500"),
        ("limit=", "limit must be a whole number from 1 to 500"),
        ("limit=%D9%A1", "limit must be a whole number from 1 to 500"),
        ("limit=" + "9" * 5000, "limit must be a whole number from 1 to 500"),
        ("limit=5&cursor=", "cursor is not valid for this list: follow the Link headers as they are"),
        ("limit=5&cursor=x", "cursor is not valid for this list: follow the Link headers as they are"),
        ("limit=5&cursor=a:b:c", "cursor is not valid for this list: follow the Link headers as they are"),
        ("limit=5&cursor=%00%FF", "cursor is not valid for this list: follow the Link headers as they are"),
    ],
)
def test_a_value_that_makes_no_sense_is_a_400(alice, db, query, detail):
    response = alice.get(f"{TASKS}?{query}")

    assert response.status_code == 400
    assert response.json() == {"detail": detail}


def cursor_of(response):
    return parse_qs(urlsplit(links(response)["next"]).query)["cursor"][0]


def test_a_cursor_is_good_for_its_own_list_alone(alice, bob, seven):
    cursor = cursor_of(alice.get(f"{TASKS}?limit=2"))
    assert alice.get(f"{TASKS}?limit=2&cursor={cursor}").status_code == 200

    for response in (
        bob.get(f"/api/bob/tasks?limit=2&cursor={cursor}"),
        alice.get(f"{TASKS}?limit=2&ordering=-created_at&cursor={cursor}"),
        alice.get(f"{TASKS}?limit=2&completed=true&cursor={cursor}"),
        alice.get(f"/api/alice/jottings?limit=2&ordering=created_at&cursor={cursor}"),
        alice.get(f"{TASKS}?limit=2&cursor={cursor[:-1]}{'A' if cursor[-1] != 'A' else 'B'}"),
        alice.get(f"{TASKS}?limit=2&cursor={signing.Signer().sign_object(['next', '2026-01-01T00:00:00+00:00', 1])}"),
    ):
        assert response.status_code == 400
        assert response.json() == {"detail": "cursor is not valid for this list: follow the Link headers as they are"}


def test_a_cursor_wants_a_limit(alice, seven):
    response = alice.get(f"{TASKS}?cursor={cursor_of(alice.get(f'{TASKS}?limit=2'))}")

    assert response.status_code == 400
    assert response.json() == {"detail": "cursor goes with limit: follow the Link headers"}


def test_parameters_of_the_list_are_nothing_to_the_rest(alice, make_task):
    task = make_task()

    assert alice.get(f"{TASKS}/{task.id}?limit=x").status_code == 200
    assert alice.post(f"{TASKS}?limit=x", {"title": "x"}).status_code == 201
