"""The rows that the views read, and ORJSONRenderer's form of them, are what TaskSerializer defines."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.renderers import JSONRenderer

from api.renderers import ORJSONRenderer
from tasks.models import Task, own_tasks
from tasks.serializers import TaskSerializer

ODD: list[dict[str, Any]] = [
    {"title": "x"},
    {"title": "x" * 200, "description": "y" * 1000},
    {"title": 'A "quoted" \\ back\\slash / and </script>', "description": ""},
    {
        "title": "Zażółć 日本語 \U0001f469\u200d\U0001f469\u200d\U0001f467 e\u0301",
        "description": "\u2028 \ufeff \ufffe \U0010ffff",
    },
    {"title": "\x01\x1f\x7f\x80", "description": "one\ntwo\r\nthree\tfour\x0b"},
    {"title": 'Ends like a time at 12:30:59Z"', "description": '"2026-11-24T12:00:00Z"'},
    {"title": "done", "completed": True},
    *[
        {"title": str(time), "created_at": time, "updated_at": time + timedelta(microseconds=other)}
        for time in (
            datetime(2026, 11, 24, 12, tzinfo=UTC),  # no microseconds
            datetime(2026, 11, 24, 12, 0, 0, 1, tzinfo=UTC),
            datetime(2026, 11, 24, 12, 0, 0, 120000, tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(1000, 1, 1, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999998, tzinfo=UTC),
        )
        for other in (0, 1)
    ],
]


@pytest.mark.parametrize("fields", ODD)
def test_a_row_is_what_the_serializer_says(make_task, fields):
    task = make_task(**fields)
    defined = members(JSONRenderer().render(TaskSerializer(Task.objects.get()).data))

    alices = own_tasks.of("alice")
    for row in (
        alices.row(task.id),
        alices.page()[0],
        alices.page(where={"completed": task.completed}, descending=True, limit=2)[0],
        alices.remove(task.id),
    ):
        assert members(ORJSONRenderer().render(row)) == defined


def test_a_list_is_what_the_serializer_says(make_task):
    for fields in ODD:
        make_task(**fields)
    tasks = own_tasks.of("alice")

    rendered = ORJSONRenderer().render(tasks.page())

    assert members(rendered) == members(
        JSONRenderer().render(TaskSerializer(Task.objects.in_creation_order(), many=True).data)
    )


def test_a_row_that_was_written_is_what_the_serializer_says(db):
    alices = own_tasks.of("alice")

    made = alices.make(title="Zażółć", description=None)
    assert members(ORJSONRenderer().render(made)) == members(
        JSONRenderer().render(TaskSerializer(Task.objects.get()).data)
    )
    revised = alices.revise(made["id"], title="x\u2028y", description="")
    assert members(ORJSONRenderer().render(revised)) == members(
        JSONRenderer().render(TaskSerializer(Task.objects.get()).data)
    )


def members(body):
    """The JSON, with the order of its members."""
    return json.loads(body, object_pairs_hook=list)
