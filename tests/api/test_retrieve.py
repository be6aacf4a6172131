import pytest


def test_a_task_is_returned_by_one_statement(alice, make_task, django_assert_num_queries):
    task = make_task()

    with django_assert_num_queries(1):
        response = alice.get(f"/api/alice/tasks/{task.id}")

    assert response.status_code == 200
    assert response.json() == alice.get("/api/alice/tasks").json()[0]


def test_a_missing_task_and_somebody_elses_are_the_same_404(alice, bob, make_task):
    theirs = make_task("bob")
    mine = make_task("alice")

    missing = alice.get(f"/api/alice/tasks/{mine.id + 1000}")
    foreign = alice.get(f"/api/alice/tasks/{theirs.id}")

    assert missing.status_code == foreign.status_code == 404
    assert missing.content == foreign.content == b'{"detail":"Task not found"}'
    ignored = {"X-Request-ID"}
    assert {k: v for k, v in missing.items() if k not in ignored} == {
        k: v for k, v in foreign.items() if k not in ignored
    }


@pytest.mark.parametrize("number", ["0", "-1", "9223372036854775807", "-9223372036854775808", "0" * 30 + "5"])
def test_an_id_that_nobody_has_is_a_task_not_found(alice, db, number):
    response = alice.get(f"/api/alice/tasks/{number}")

    assert response.status_code == 404
    assert response.json() == {"detail": "Task not found"}


@pytest.mark.parametrize(
    "number",
    [
        "9223372036854775808",
        "-9223372036854775809",
        "9" * 5000,
        "1e3",
        "1.0",
        "+1",
        "0x1",
        "1_000",
        "abc",
        "tasks",
        "%D9%A1",  # an Arabic one
        "%EF%BC%91",  # a full-width one
        "%C2%B2",  # a superscript two
        "%00",
        "1%00",
        "%201",
        "1%0A",
        "1%20",
        "%FF",
        "null",
        "true",
    ],
)
def test_an_id_that_is_no_integer_of_64_bits_is_not_found(alice, db, number):
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        response = alice.generic(method, f"/api/alice/tasks/{number}")

        assert response.status_code == 404, method
        assert response.json() == {"detail": "Not found"}
