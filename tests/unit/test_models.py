from api.models import WHITE_SPACE, IdempotencyKey
from tasks.models import Task


def test_a_task_reads_as_its_title():
    assert str(Task(title="Buy milk")) == "Buy milk"


def test_an_idempotency_key_reads_as_itself():
    assert str(IdempotencyKey(key="5c0a4f9e")) == "5c0a4f9e"


def test_white_space_is_pythons():
    assert f"{WHITE_SPACE}x{WHITE_SPACE}".strip() == "x"
    assert len(WHITE_SPACE) == sum(chr(number).isspace() for number in range(0x110000))


def test_the_order_is_total():
    assert Task.objects.all().in_creation_order().query.order_by == ("created_at", "id")
