from tasks.models import Task


def test_a_task_is_gone_for_good_by_one_statement(alice, make_task, django_assert_num_queries):
    task, other = make_task(), make_task()
    path = f"/api/alice/tasks/{task.id}"

    with django_assert_num_queries(1):
        response = alice.delete(path)

    assert response.status_code == 204
    assert response.content == b""
    assert alice.delete(path).status_code == alice.get(path).status_code == 404
    assert list(Task.objects.all()) == [other]


def test_a_missing_task_and_somebody_elses_are_the_same_404(alice, make_task):
    theirs = make_task("bob")

    responses = [alice.delete(f"/api/alice/tasks/{number}") for number in (theirs.id, theirs.id + 1)]

    assert [(response.status_code, response.content) for response in responses] == [
        (404, b'{"detail":"Task not found"}')
    ] * 2
    assert Task.objects.filter(pk=theirs.pk).exists()


def test_a_body_is_ignored(alice, make_task):
    response = alice.generic("DELETE", f"/api/alice/tasks/{make_task().id}", "{", "text/plain")

    assert response.status_code == 204
