"""
A user id may hold a slash (`path`), and the detail route comes first so that …/tasks/tasks is a bad id. Ids are
the view's to judge (`str`): a bad one is a 404 for its owner, after the 401 and the 403 that others get.
"""

from django.urls import path

from tasks.views import TaskViewSet

urlpatterns = [
    path(
        "<path:user_id>/tasks/<str:id>",
        TaskViewSet.as_view({"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}),
        name="task-detail",
    ),
    path("<path:user_id>/tasks", TaskViewSet.as_view({"get": "list", "post": "create"}), name="task-list"),
]
