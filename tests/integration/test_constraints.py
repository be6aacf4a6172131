"""What the database itself refuses, whoever asks: the API, the admin, a shell."""

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction

from api.models import WHITE_SPACE
from tasks.models import Task

CONSTRAINTS = {
    "task_user_id_length": [{"user_id": ""}, {"user_id": "x" * 256}],
    "task_title_length": [{"title": ""}, {"title": "x" * 201}],
    "task_title_not_blank": [{"title": " "}, {"title": WHITE_SPACE}],
    "task_description_length": [{"description": "x" * 1001}],
}


def test_each_constraint_of_the_model_is_tested():
    assert {constraint.name for constraint in Task._meta.constraints} == set(CONSTRAINTS)


@pytest.mark.parametrize(("name", "fields"), [(name, fields) for name in CONSTRAINTS for fields in CONSTRAINTS[name]])
def test_a_violation_is_refused_by_name(make_task, name, fields):
    # PostgreSQL's varchar(n) is the first to notice what is too long
    with pytest.raises((IntegrityError, DatabaseError), match=f"{name}|value too long"), transaction.atomic():
        make_task(**fields)

    assert not Task.objects.exists()


@pytest.mark.parametrize(("name", "fields"), [(name, fields) for name in CONSTRAINTS for fields in CONSTRAINTS[name]])
def test_a_form_says_so_before(db, name, fields):
    with pytest.raises(ValidationError):
        Task(**{"user_id": "alice", "title": "x"} | fields).full_clean()


@pytest.mark.parametrize("column", ["user_id", "title", "completed", "created_at", "updated_at"])
def test_nothing_but_the_description_may_be_null(make_task, column):
    task = make_task()

    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.filter(pk=task.pk).update(**{column: None})


def test_the_limits_count_code_points(make_task):
    task = make_task("😀" * 255, "😀" * 200, description="😀" * 1000)

    task.refresh_from_db()

    assert (len(task.user_id), len(task.title), len(task.description)) == (255, 200, 1000)


def test_an_id_is_never_used_again(make_task):
    first = make_task()
    first_id = first.id
    first.delete()

    assert make_task().id > first_id


def test_an_id_has_64_bits(make_task):
    assert make_task(id=2**63 - 1).id == 2**63 - 1


def test_times_keep_their_microseconds(make_task):
    task = make_task()
    created_at = task.created_at

    task.refresh_from_db()

    assert task.created_at == created_at
    assert task.created_at.utcoffset().total_seconds() == 0


def test_user_ids_sort_and_compare_by_bytes(make_task):
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT collisdeterministic FROM pg_collation WHERE collname = 'default'")
            assert cursor.fetchone() == (True,)

    assert [Task.objects.owned_by(name).count() for name in ("é", "e\u0301")] == [0, 0]
