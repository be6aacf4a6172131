"""What support staff do: find tasks, correct them, and see who did what. Who may is in test_admin_access.py."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tasks.admin import BoundedPaginator
from tasks.models import Task, TaskQuerySet

LIST = "/admin/tasks/task/"


@pytest.fixture
def staff(admin_client):
    admin_client.raise_request_exception = False
    return admin_client


def found(staff, query=""):
    response = staff.get(f"{LIST}?{query}")
    assert response.status_code == 200
    return [task.title for task in response.context["cl"].result_list]


def form_of(staff, task):
    """What a browser sends if nothing is changed in the form."""
    form = staff.get(f"{LIST}{task.id}/change/").context["adminform"].form
    return {name: form[name].value() or "" for name in ["title", "description", "seen"]} | (
        {"completed": "on"} if form["completed"].value() else {}
    )


def save(staff, task, **changes):
    return staff.post(f"{LIST}{task.id}/change/", form_of(staff, task) | changes)


def history(task):
    """Who, and what, the newest first."""
    entries = LogEntry.objects.filter(object_id=str(task.id))
    return [(entry.user.get_username(), entry.get_change_message()) for entry in entries]


def test_admin_leads_to_the_admin(client):
    response = client.get("/admin")

    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_the_pages_have_their_files(staff):
    response = staff.get("/admin/static/admin/css/base.css")

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/css")
    assert b"DJANGO Admin styles" in b"".join(response.streaming_content)
    response.close()


def test_a_missing_slash_is_a_404_to_staff_too(staff):
    assert staff.get("/admin/tasks/task").status_code == 404


def test_staff_make_no_tasks(staff):
    assert staff.get(f"{LIST}add/").status_code == 403


# Find


def test_the_list_shows_and_filters_what_support_asks_for(staff, make_task):
    make_task()

    page = staff.get(LIST).context["cl"]

    assert page.list_display[1:] == ["id", "__str__", "user", "completed", "created_at", "updated_at"]
    assert [spec.title for spec in page.filter_specs] == ["completed", "created at"]


def test_times_are_exact_and_long_titles_short(staff, make_task):
    make_task(title="x" * 200, created_at=datetime(2026, 1, 2, 13, 4, 5, tzinfo=UTC))

    page = staff.get(LIST).content.decode()

    assert "2026-01-02 13:04:05 UTC" in page
    assert "x" * 59 + "…" in page
    assert "x" * 60 not in page


def test_tasks_are_found_by_the_exact_user_id(staff, make_task):
    make_task("alice", "first")
    make_task("alice", "second")
    make_task("Alice", "not hers")
    make_task("alice2", "about alice")

    assert found(staff, "q=alice") == ["second", "first"]
    assert found(staff, "q= alice ") == ["second", "first"]


def test_a_task_is_found_by_its_id(staff, make_task):
    task = make_task("alice", "this one")
    make_task("bob", f"{task.id} in a title")

    assert found(staff, f"q={task.id}") == ["this one"]


def test_a_number_may_be_a_user_and_a_task(staff, make_task):
    task = make_task("alice", "of alice")
    make_task(str(task.id), "of a number")

    assert found(staff, f"q={task.id}") == ["of a number", "of alice"]


@pytest.mark.parametrize("words", ["milk", "MILK", "buy milk", "mil bu", "milk -- buy"])
def test_tasks_are_found_by_words_of_their_titles(staff, make_task, words):
    make_task("alice", "Buy some milk")
    make_task("bob", "Buy bread")

    expected = ["Buy some milk"] if "--" not in words or connection.vendor == "postgresql" else []
    assert found(staff, f"q={words}") == expected


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("It's Bob's", "bob's"),
        (r"a\b c", r"a\b"),
        ("naïve Übung", "übung"),
        ("e-mail & (call)", "e-mail (call) &"),
        ("100%", "100%"),
    ],
)
def test_words_are_no_query_language(staff, make_task, title, words):
    make_task("alice", title)

    response = staff.get(LIST, {"q": words})

    titles = [task.title for task in response.context["cl"].result_list]
    assert titles == [title] or (connection.vendor == "sqlite" and not words.isascii())  # it knows no case beyond ASCII


@pytest.mark.parametrize(
    "q",
    ["nobody", "!!!", "' OR 1=1 --", "\\", ":*", "x" * 300, "9" * 300, "99999999999999999999", "²", "a\0b", "\u0300"],
)
def test_what_is_not_there_is_not_found(staff, make_task, q):
    make_task()

    response = staff.get(LIST, {"q": q})

    assert response.status_code == 200
    assert "\0" in q or not response.context["cl"].result_list


def test_a_search_keeps_the_filters(staff, make_task):
    make_task("alice", "done milk", completed=True)
    make_task("alice", "open milk")

    assert found(staff, "q=alice&completed__exact=1") == ["done milk"]
    assert found(staff, "q=milk&completed__exact=0") == ["open milk"]


def test_of_many_with_a_word_the_newest_are_found_whatever_the_filters(staff, make_task, monkeypatch):
    monkeypatch.setattr(BoundedPaginator, "most", 2)
    for number in range(6):
        make_task("alice", f"milk {number}", completed=number < 3)

    assert found(staff, "q=milk") == ["milk 5", "milk 4"]
    assert found(staff, "q=milk&completed__exact=1") == ["milk 2", "milk 1"]
    assert found(staff, "q=milk&p=1") == ["milk 5", "milk 4"]


def test_a_word_counts_once_and_ten_are_enough(staff, make_task):
    make_task("alice", "one two three")

    assert found(staff, "q=" + "one TWO One " * 20) == ["one two three"]
    assert found(staff, "q=one two three t th thr tw o on thre") == ["one two three"]
    response = staff.get(LIST, {"q": " ".join(map(str, range(1000, 1011)))})
    assert not response.context["cl"].result_list
    assert "Search for 10 words at most." in response.content.decode()


def test_staff_find_tasks_by_status_and_date(staff, make_task):
    make_task("alice", "old", created_at=timezone.now() - timedelta(days=400), completed=True)
    make_task("alice", "new")

    assert found(staff) == ["new", "old"]
    assert found(staff, "completed__exact=1") == ["old"]
    assert found(staff, f"created_at__gte={timezone.now():%Y-%m-%d}T00:00:00Z") == ["new"]


def test_one_click_from_a_task_to_all_of_its_user(staff, make_task):
    task = make_task("a/b & <c>", "first")
    make_task("a/b & <c>", "second")
    make_task("bob", "not this")
    link = f"{LIST}?user_id=a%2Fb+%26+%3Cc%3E"

    for page in (LIST, f"{LIST}{task.id}/change/"):
        assert link.replace("&", "&amp;") in staff.get(page).content.decode()
    assert found(staff, link.partition("?")[2]) == ["second", "first"]
    assert found(staff, link.partition("?")[2] + "&q=fir") == ["first"]


@pytest.mark.parametrize(
    "query",
    [
        "completed__exact=banana",
        "created_at__gte=banana",
        "p=-1",
        "p=999",
        "p=x",
        "o=9.-9.x",
        "all=",
        "user_id=%00",
        "user_id=",
        "e=1",
        "o=3",
    ],
)
def test_a_url_that_makes_no_sense_is_no_crash(staff, make_task, query):
    make_task()

    assert staff.get(f"{LIST}?{query}", follow=True).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "title__regex=(a%2B)%2B",
        "description__icontains=%00",
        "user_id__icontains=a",
        "nope=1",
        "created_at__regex=(a",
        "created_at__year=99999999999",
        "created_at__date__year=2026",
        "completed__regex=[",
    ],
)
def test_only_what_an_index_serves_can_be_asked_for(staff, make_task, query):
    make_task()

    assert staff.get(f"{LIST}?{query}").status_code == 400


def test_many_tasks_are_counted_to_a_bound(staff):
    Task.objects.bulk_create(Task(user_id="alice", title=f"Task {number}") for number in range(1_100))

    page = staff.get(f"{LIST}?p=10")

    assert "1000 or more tasks" in page.content.decode()
    assert list(page.context["cl"].result_list)[-1].title == "Task 100"
    assert "1 task\n" in staff.get(f"{LIST}?q=1099").content.decode()
    assert found(staff, "user_id=alice&p=11")[-1] == "Task 0"


@pytest.mark.parametrize(
    "query", ["", "q=alice", "q=1", "q=milk", "user_id=alice", "user_id=alice&q=milk", "completed__exact=0"]
)
def test_a_page_takes_few_queries(staff, make_task, query):
    for _ in range(5):
        make_task()

    with CaptureQueriesContext(connection) as queries:
        found(staff, query)

    assert len(queries) <= 10
    assert not [query for query in queries if "COUNT(*)" in query["sql"] and "LIMIT" not in query["sql"]]


# Correct


def test_a_mistake_is_corrected(staff, alice, make_task):
    task = make_task(description="Two litres")
    before = alice.get(f"/api/alice/tasks/{task.id}")["ETag"]

    response = save(staff, task, title="Buy bread", completed="on", user_id="bob", id=7, created_at="2020-01-01")

    after = Task.objects.get()
    assert response.status_code == 302
    assert (after.id, after.user_id, after.title, after.completed) == (task.id, "alice", "Buy bread", True)
    assert (after.description, after.created_at) == ("Two litres", task.created_at)
    assert after.updated_at > task.updated_at
    assert alice.get(f"/api/alice/tasks/{task.id}")["ETag"] != before


def test_a_form_that_changes_nothing_changes_nothing(staff, make_task):
    task = make_task(description="Two litres")

    assert save(staff, task).status_code == 302
    assert Task.objects.get().updated_at == task.updated_at
    assert history(task) == []


def test_what_is_long_can_be_typed_into(staff, make_task):
    """Browsers count in UTF-16: to them, this is too long already."""
    task = make_task(title="\U0001f600" * 150)

    assert "maxlength" not in staff.get(f"{LIST}{task.id}/change/").content.decode()


@pytest.mark.parametrize("description", [None, "", "a\nb", "a\r\nb", "a\rb\n", "\n a \n\n", "\ta "])
def test_texts_stay_as_their_user_wrote_them(staff, make_task, description):
    """A browser sends CR LF for each line end, and none of a title's."""
    task = make_task(title="two\nlines", description=description)
    form = form_of(staff, task)
    sent = {
        "title": "twolines",
        "description": form["description"].replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n"),
    }

    save(staff, task, **sent, completed="on")

    after = Task.objects.get()
    assert (after.title, after.description, after.completed) == ("two\nlines", description, True)


def test_a_new_text_has_plain_line_ends(staff, make_task):
    task = make_task()

    save(staff, task, description=" a\r\nb\r\n")
    assert Task.objects.get().description == " a\nb\n"

    save(staff, task, description="")
    assert Task.objects.get().description is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", " \t\u2003\x1f"),
        ("title", "x" * 201),
        ("title", "a\0b"),
        ("description", "x" * 1001),
        ("description", "a\0b"),
    ],
)
def test_a_wrong_value_is_a_message_in_the_form(staff, make_task, field, value):
    task = make_task()

    response = save(staff, task, **{field: value})

    assert response.status_code == 200
    assert field in response.context["adminform"].form.errors
    assert Task.objects.get().title == "Buy milk"


def test_a_stale_form_is_refused(staff, alice, make_task):
    task = make_task()
    form = form_of(staff, task)
    alice.patch(f"/api/alice/tasks/{task.id}", {"completed": True}, format="json")

    response = staff.post(f"{LIST}{task.id}/change/", form | {"title": "What the agent has typed"})

    assert response.status_code == 200
    assert "Somebody has changed this task" in response.content.decode()
    assert "What the agent has typed" in response.content.decode()
    again = staff.post(f"{LIST}{task.id}/change/", form | {"title": "Once more"})
    assert "Somebody has changed this task" in again.content.decode()
    task = Task.objects.get()
    assert (task.title, task.completed) == ("Buy milk", True)
    assert history(task) == []


def test_a_form_that_does_not_say_what_was_seen_is_stale(staff, make_task):
    task = make_task()

    staff.post(f"{LIST}{task.id}/change/", {"title": "Buy bread"})

    assert Task.objects.get().title == "Buy milk"


@pytest.mark.parametrize("page", ["change", "delete"])
def test_a_task_that_is_gone_is_a_message(staff, make_task, page):
    task = make_task()
    form = form_of(staff, task)
    Task.objects.all().delete()

    response = staff.post(f"{LIST}{task.id}/{page}/", form | {"post": "yes"}, follow=True)

    assert response.status_code == 200
    assert "Perhaps it was deleted?" in response.content.decode()


@pytest.mark.parametrize("number", ["x", "0", "9" * 30, "1.5", "_00"])
def test_a_number_that_no_task_has_is_a_message(staff, number):
    assert "Perhaps it was deleted?" in staff.get(f"{LIST}{number}/change/", follow=True).content.decode()


# Many at once


def run(staff, action, tasks, **more):
    form = {"action": action, "_selected_action": [task.id for task in tasks], **more}
    response = staff.post(LIST, form, follow=True)
    assert response.status_code == 200
    return [str(message) for message in response.context.get("messages", [])]


@pytest.mark.parametrize(("action", "status"), [("mark_completed", True), ("mark_open", False)])
def test_an_action_marks_the_chosen_tasks_and_no_other(staff, make_task, action, status):
    changing = [make_task(completed=not status), make_task("bob", completed=not status)]
    already, untouched = make_task(completed=status), make_task(completed=not status)
    word = "completed" if status else "open"

    told = run(staff, action, [*changing, already])

    assert told == [f"2 tasks marked {word}."]
    for task in changing:
        after = Task.objects.get(id=task.id)
        assert after.completed is status
        assert after.updated_at > task.updated_at
        assert history(task) == [("admin", f"Changed completed from {'no to yes' if status else 'yes to no'}.")]
    for task in (already, untouched):
        assert Task.objects.get(id=task.id).updated_at == task.updated_at
        assert history(task) == []


def test_one_task_is_marked(staff, make_task):
    assert run(staff, "mark_completed", [make_task()]) == ["1 task marked completed."]


def test_nothing_is_done_to_all_tasks_there_are(staff, make_task):
    tasks = [make_task(), make_task()]

    for action in ("mark_completed", "delete_selected"):
        told = run(staff, action, tasks[:1], select_across="1", post="yes")
        assert told == ["Select the tasks on this page, not all there are."]

    assert Task.objects.filter(completed=False).count() == 2


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite locks the whole database")
def test_every_lock_names_the_user_of_its_task(staff, make_task):
    """A lock by `id` alone would go to every machine that tasks are spread over by user."""
    first, second, third = make_task("alice"), make_task("bob"), make_task("alice")

    with CaptureQueriesContext(connection) as queries:
        save(staff, first, title="Buy bread")
        run(staff, "mark_completed", [first, second, third])
        run(staff, "delete_selected", [second, third], post="yes")
        staff.post(f"{LIST}{first.id}/delete/", {"post": "yes"})

    assert not Task.objects.exists()
    taken = [query["sql"] for query in queries if "FOR UPDATE" in query["sql"]]
    writes = [query["sql"] for query in queries if re.match('(UPDATE|DELETE FROM) "tasks_task"', query["sql"])]
    assert len(taken) >= 5  # three are marked, two have a page of their own
    assert len(writes) == 7
    for statement in taken + writes:
        assert re.search(r"""WHERE .*"user_id" = \(?'(alice|bob)'""", statement), statement


def test_a_task_that_goes_while_it_is_being_marked_is_passed_over(staff, make_task, monkeypatch):
    gone, task = make_task("alice"), make_task("bob")
    lock = TaskQuerySet.select_for_update

    def delete_and_lock(tasks):
        Task.objects.filter(id=gone.id).delete()
        return lock(tasks)

    monkeypatch.setattr(TaskQuerySet, "select_for_update", delete_and_lock)

    assert run(staff, "mark_completed", [gone, task]) == ["1 task marked completed."]
    assert (len(history(task)), history(gone)) == (1, [])


# History


def test_who_changed_what_from_what(staff, make_task):
    task = make_task(description="x" * 200)

    save(staff, task, title="Buy bread", description="", completed="on")

    said = (
        f"title from “Buy milk” to “Buy bread”, description from “{'x' * 99}…” to nothing and completed from no to yes"
    )
    assert history(task) == [("admin", f"Changed {said}.")]
    assert "Changed title from “Buy milk” to “Buy bread”" in staff.get(f"{LIST}{task.id}/history/").content.decode()


def test_who_deleted_what(staff, make_task):
    first, second, third = make_task(title="first"), make_task(title="second"), make_task(title="third")

    staff.post(f"{LIST}{first.id}/delete/", {"post": "yes"}, follow=True)
    assert run(staff, "delete_selected", [second, third], post="yes") == ["Successfully deleted 2 tasks."]

    assert not Task.objects.exists()
    for task in (first, second, third):
        assert history(task) == [("admin", f"Deleted task “{task.title}”.")]


def test_who_deleted_a_task_can_be_seen(staff, make_task):
    task, other = make_task(title="gone"), make_task(title="other")
    for each in (task, other):
        staff.post(f"{LIST}{each.id}/delete/", {"post": "yes"})
    path = "/admin/admin/logentry/"

    page = staff.get(f"{path}?q={task.id}").content.decode()

    assert "Deleted task “gone”." in page
    assert "Deleted task “other”." not in page
    entry = LogEntry.objects.get(object_id=str(task.id))
    assert staff.get(f"{path}add/").status_code == 403
    assert staff.post(f"{path}{entry.id}/change/", {"object_repr": "x"}).status_code == 403
    assert staff.post(f"{path}{entry.id}/delete/", {"post": "yes"}).status_code == 403
    assert history(task) == [("admin", "Deleted task “gone”.")]


def test_every_entry_names_the_user_of_its_task(staff, make_task):
    """erase_user finds them by that, also those of tasks that are gone."""
    task = make_task()
    save(staff, task, title="Buy bread")
    run(staff, "mark_completed", [task])
    run(staff, "delete_selected", [task], post="yes")
    other = make_task()
    staff.post(f"{LIST}{other.id}/delete/", {"post": "yes"})

    entries = LogEntry.objects.all()

    assert len(entries) == 4
    assert all(json.loads(entry.change_message)[0]["user_id"] == "alice" for entry in entries)


def test_the_history_takes_no_post(staff, make_task):
    assert staff.post(f"{LIST}{make_task().id}/history/").status_code == 200
