"""
A tour of the task API: list, create, edit, complete, poll, delete, erase. Each step prints what came back.

pip install httpx
API_URL=http://127.0.0.1:8000 USER_ID=alice TOKEN=… python tasks.py
"""

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx

Task = dict[str, Any]

api = httpx.Client(base_url=os.environ["API_URL"], headers={"Authorization": f"Bearer {os.environ['TOKEN']}"})
user = f"/api/{quote(os.environ['USER_ID'], safe='')}"
tasks = f"{user}/tasks"


def success(answer: httpx.Response) -> httpx.Response:
    """The answer; an error is raised with the API's own message."""
    if answer.is_error:
        raise RuntimeError(f"{answer.status_code}: {answer.json()['detail']}")
    return answer


def pages(limit: int) -> Iterator[list[Task]]:
    """Page after page, by the Link headers."""
    answer = success(api.get(tasks, params={"limit": limit}))
    yield answer.json()
    while "next" in answer.links:
        answer = success(api.get(answer.url.join(answer.links["next"]["url"])))
        yield answer.json()


def etag(task: Task) -> str:
    """A task's ETag. It also works for a task from a list, which has no header for each task."""
    return f'"{task["updated_at"]}"'


def edit(task: Task, change: Callable[[Task], Task]) -> Task:
    """Edit without undoing another edit: after a 412, read the task again, and apply the change to that."""
    path = f"{tasks}/{task['id']}"
    while True:
        answer = api.put(path, json=change(task), headers={"If-Match": etag(task)})
        print(f"edit: {answer.status_code}")
        if answer.status_code != httpx.codes.PRECONDITION_FAILED:
            break
        fresh = success(api.get(path))
        task = fresh.json()
        print(f"read again: {fresh.status_code}, {task['title']}")
    edited: Task = success(answer).json()
    return edited


def main() -> None:
    for page in pages(limit=2):
        print("page:", ", ".join(task["title"] for task in page))

    # one key for one task, however often it is sent: here twice, as after a time-out
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = success(api.post(tasks, json={"title": "Buy milk"}, headers=key))
    second = success(api.post(tasks, json={"title": "Buy milk"}, headers=key))
    task_id = first.json()["id"]
    print(f"create: {first.status_code}, task {task_id}")
    replayed = second.headers.get("Idempotency-Replayed")
    print(f"create again: {second.status_code}, task {second.json()['id']}, replayed: {replayed}")

    # somebody else edits the title, so that our ETag is an old one
    path = f"{tasks}/{task_id}"
    success(api.put(path, json={"title": "Buy oat milk"}))
    edited = edit(first.json(), lambda now: now | {"description": "Two litres"})
    print(f"edited: {edited['title']}, {edited['description']}")

    completed = success(api.patch(path, json={"completed": True}))
    print(f"complete: {completed.status_code}, {'done' if completed.json()['completed'] else 'open'}")

    # the ETag of a write is that of the next read: nothing has changed since
    print("poll:", api.get(path, headers={"If-None-Match": etag(completed.json())}).status_code)

    print("delete:", success(api.delete(path)).status_code)
    gone = api.get(path)
    print(f"read: {gone.status_code}, {gone.json()['detail']}")

    # for a user who deletes their account: this erases everything, and a second call is no error
    print("erase:", success(api.delete(user)).status_code)
    print("left:", len(success(api.get(tasks)).json()))


if __name__ == "__main__":
    main()
