import re
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse, HttpResponseNotModified
from django.urls import reverse
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from tasks.authentication import BearerAuthentication
from tasks.etags import PreconditionFailed, condition, entity_tag, matches_strongly, matches_weakly
from tasks.idempotency import create_once, idempotency_key
from tasks.models import Task, TaskQuerySet
from tasks.pagination import KeysetPagination
from tasks.parsers import json_body
from tasks.permissions import PathNamesTokenUser
from tasks.serializers import TaskPatchSerializer, TaskSerializer

MOST_ATTEMPTS = 100  # of one write, while others keep coming first


class TooMuchAtOnce(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Too many others are changing this task at the moment: try again in a few seconds"
    default_code = "too_much_at_once"
    wait = 5


class TaskViewSet(GenericViewSet[Task]):
    """
    The tasks of one user, three times guarded: the token is genuine (BearerAuthentication), the path names the
    token's user (PathNamesTokenUser), and every query starts from the token's user (get_queryset), never the path.
    """

    authentication_classes = [BearerAuthentication]
    permission_classes = [PathNamesTokenUser]
    serializer_class = TaskSerializer
    pagination_class = KeysetPagination
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    known_tags: Sequence[str] = ()

    def get_queryset(self) -> TaskQuerySet:
        return Task.objects.owned_by(self.user_id)

    @property
    def user_id(self) -> str:
        user: Any = self.request.user
        user_id: str = user.id
        return user_id

    def list(self, request: Request, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        self.known_tags = condition(request, "If-None-Match")
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def create(self, request: Request, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=json_body(request))
        key = idempotency_key(request)
        serializer.is_valid(raise_exception=True)
        if key is None:
            task, replayed = Task.objects.make(self.user_id, **serializer.validated_data), False
        else:
            task, replayed = create_once(key, self.user_id, serializer.validated_data)
        headers = {"Location": reverse("task-detail", args=[self.user_id, task.id])}
        if replayed:
            headers["Idempotency-Replayed"] = "true"
        return Response(self.get_serializer(task).data, status.HTTP_201_CREATED, headers=headers)

    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        task = self.get_object()
        self.known_tags = condition(request, "If-None-Match")
        return Response(self.get_serializer(task).data)

    def update(self, request: Request, **kwargs: Any) -> Response:
        return self.revise(TaskSerializer)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        return self.revise(TaskPatchSerializer)

    def revise(self, serializer_class: type[TaskSerializer | TaskPatchSerializer]) -> Response:
        """Write what the body names, no other column. Who comes second reads again: neither write is lost."""
        for _ in range(MOST_ATTEMPTS):
            task = self.get_object()
            serializer = serializer_class(task, data=json_body(self.request))
            self.check_if_match(task)
            serializer.is_valid(raise_exception=True)
            if self.get_queryset().revise(task, **serializer.validated_data):
                return Response(self.get_serializer(task).data)
        raise TooMuchAtOnce

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        doomed = self.get_queryset().filter(id=self.task_id())
        while "If-Match" in request.headers:
            task = self.get_object()
            self.check_if_match(task)
            if doomed.filter(updated_at=task.updated_at).delete()[0]:
                return Response(status=status.HTTP_204_NO_CONTENT)
        if not doomed.delete()[0]:
            raise NotFound("Task not found")
        return Response(status=status.HTTP_204_NO_CONTENT)

    def check_if_match(self, task: Task) -> None:
        tags = condition(self.request, "If-Match")
        if tags and not matches_strongly(entity_tag(JSONRenderer().render(self.get_serializer(task).data)), tags):
            raise PreconditionFailed

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code in {status.HTTP_200_OK, status.HTTP_201_CREATED}:
            response.add_post_render_callback(self.tag)
        return response

    def tag(self, response: Response) -> HttpResponse:
        """The ETag of what was rendered; a 304 in its place where the client has that already."""
        tag = entity_tag(response.content + response.get("Link", "").encode())
        if matches_weakly(tag, self.known_tags):
            return HttpResponseNotModified(headers={"ETag": tag})
        response["ETag"] = tag
        return response

    def get_object(self) -> Task:
        try:
            return self.get_queryset().get(id=self.task_id())
        except Task.DoesNotExist:
            raise NotFound("Task not found") from None

    def task_id(self) -> int:
        """The id in the path; one that no row could ever have is an unknown URL."""
        text = self.kwargs["id"]
        if not re.fullmatch("-?0*[0-9]{1,19}", text) or not -(2**63) <= int(text) < 2**63:
            raise NotFound("Not found")
        return int(text)
