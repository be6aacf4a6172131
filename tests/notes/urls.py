from api.urls import resource

from .views import NoteViewSet

urlpatterns = resource("notes", NoteViewSet)
