"""The URLs that are served, and those of a second resource: tests/notes, by the name of its AppConfig."""

from django.urls import include, path

from api.urls import resource
from config.urls import *  # noqa: F403 - its handlers too
from tests.notes.views import NoteViewSet


class JottingViewSet(NoteViewSet):
    noun = "Jotting"


urlpatterns = [path("api/", include(resource("jottings", JottingViewSet))), *urlpatterns]  # noqa: F405 - from the line above
