"""The URLs that are served, and those of a second resource."""

from django.urls import include, path

from config.urls import *  # noqa: F403 - its handlers too

urlpatterns = [path("api/", include("tests.notes.urls")), *urlpatterns]  # noqa: F405 - from the line above
