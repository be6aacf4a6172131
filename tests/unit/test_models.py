from datetime import UTC, datetime, timedelta

from django.utils import timezone

from tasks.models import WHITE_SPACE, IdempotencyKey, Task


def test_a_task_reads_as_its_title():
    assert str(Task(title="Buy milk")) == "Buy milk"


def test_an_idempotency_key_reads_as_itself():
    assert str(IdempotencyKey(key="5c0a4f9e")) == "5c0a4f9e"


def test_white_space_is_pythons():
    assert f"{WHITE_SPACE}x{WHITE_SPACE}".strip() == "x"
    assert len(WHITE_SPACE) == sum(chr(number).isspace() for number in range(0x110000))


def test_the_next_update_is_now_or_just_after_the_last():
    before = timezone.now()

    assert Task(updated_at=before).next_update() > before
    assert Task(updated_at=datetime(2000, 1, 1, tzinfo=UTC)).next_update() >= before
    late = before + timedelta(days=1)
    assert Task(updated_at=late).next_update() == late + timedelta(microseconds=1)


def test_the_order_is_total():
    assert Task.objects.all().in_creation_order().query.order_by == ("created_at", "id")
