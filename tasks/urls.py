"""
Both parts of a path are the view's to judge, after the token: a stranger gets a 401 or a 403 for every user id,
and only the owner learns that an id is bad. The detail route comes first, so that …/tasks/tasks is such an id.
"""

from django.urls import path, register_converter
from django.urls.converters import PathConverter

from tasks.views import TaskViewSet


class UserIDConverter(PathConverter):
    regex = "(?s:.+)"  # any characters, a slash and a line break among them


register_converter(UserIDConverter, "user_id")

urlpatterns = [
    path(
        "<user_id:user_id>/tasks/<str:id>",
        TaskViewSet.as_view({"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}),
        name="task-detail",
    ),
    path("<user_id:user_id>/tasks", TaskViewSet.as_view({"get": "list", "post": "create"}), name="task-list"),
]
