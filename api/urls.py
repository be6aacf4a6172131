"""
The routes of per-user resources, by `resource`, and the one route about a whole user.

Views check both parts of a path, after the token: a stranger gets a 401 or a 403 for every user id, and only the
owner learns that a row's id is invalid. The detail route comes first, so that …/tasks/tasks is such an id.
"""

from typing import Any

from django.urls import URLPattern, path, register_converter
from django.urls.converters import PathConverter

from api.views import EraseView, OwnedViewSet


class UserIDConverter(PathConverter):
    regex = "(?s:.+)"  # any characters, slashes and line breaks included


register_converter(UserIDConverter, "user_id")


def resource(name: str, view_set: type[OwnedViewSet]) -> list[URLPattern]:
    """`/{user_id}/name` and `/{user_id}/name/{id}`, with a method for each body in `bodies`."""
    to_all = allowed(view_set, get="list", post="create")
    to_one = allowed(view_set, get="retrieve", put="update", patch="partial_update", delete="destroy")
    return [
        path(f"<user_id:user_id>/{name}/<str:id>", view_set.as_view(to_one), name=f"{name}-detail"),
        path(f"<user_id:user_id>/{name}", view_set.as_view(to_all), name=f"{name}-list"),
    ]


def allowed(view_set: type[OwnedViewSet], **actions: str) -> dict[str, Any]:
    return {method: action for method, action in actions.items() if view_set.allows(action)}


urlpatterns = [path("<user_id:user_id>", EraseView.as_view(), name="erase")]
