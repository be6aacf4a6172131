import re
from typing import Any

from django.urls import reverse
from django.utils import timezone
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from tasks.authentication import BearerAuthentication
from tasks.models import Task, TaskQuerySet
from tasks.parsers import json_body
from tasks.permissions import PathNamesTokenUser
from tasks.serializers import TaskPatchSerializer, TaskSerializer

LARGEST_ID = 2**63 - 1


class TaskViewSet(GenericViewSet[Task]):
    """
    The tasks of one user, three times guarded: the token is genuine (BearerAuthentication), the path names the
    token's user (PathNamesTokenUser), and every query starts from the token's user (get_queryset), never the path.
    """

    authentication_classes = [BearerAuthentication]
    permission_classes = [PathNamesTokenUser]
    serializer_class = TaskSerializer
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    def get_queryset(self) -> TaskQuerySet:
        return Task.objects.owned_by(self.request.user.id)  # type: ignore[arg-type] # an ApiUser, whose id is a string

    def list(self, request: Request, **kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_queryset().in_creation_order(), many=True).data)

    def create(self, request: Request, **kwargs: Any) -> Response:
        serializer = self.get_serializer(data=json_body(request))
        serializer.is_valid(raise_exception=True)
        now = timezone.now()
        task = serializer.save(user_id=request.user.id, created_at=now, updated_at=now)
        location = reverse("task-detail", args=[request.user.id, task.id])
        return Response(serializer.data, status.HTTP_201_CREATED, headers={"Location": location})

    def retrieve(self, request: Request, **kwargs: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    def update(self, request: Request, **kwargs: Any) -> Response:
        return self.revise(TaskSerializer)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        return self.revise(TaskPatchSerializer)

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        deleted, _ = self.get_queryset().filter(id=self.task_id()).delete()
        if not deleted:
            raise NotFound("Task not found")
        return Response(status=status.HTTP_204_NO_CONTENT)

    def revise(self, serializer_class: type[TaskSerializer | TaskPatchSerializer]) -> Response:
        """Write what the body names, no other column. Who comes second reads again: neither write is lost."""
        while True:
            task = self.get_object()
            serializer = serializer_class(task, data=json_body(self.request))
            serializer.is_valid(raise_exception=True)
            if self.get_queryset().revise(task, **serializer.validated_data):
                return Response(self.get_serializer(task).data)

    def get_object(self) -> Task:
        try:
            return self.get_queryset().get(id=self.task_id())
        except Task.DoesNotExist:
            raise NotFound("Task not found") from None

    def task_id(self) -> int:
        """The id in the path; one that no row could ever have is an unknown URL."""
        text = self.kwargs["id"]
        if not re.fullmatch(r"-?[0-9]{1,19}", text) or abs(int(text)) > LARGEST_ID:
            raise NotFound("Not found")
        return int(text)
