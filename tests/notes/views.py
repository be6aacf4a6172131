from api.rows import UserRows
from api.views import OwnedViewSet

from .models import own_notes
from .serializers import NoteBodySerializer, NoteSerializer


class NoteViewSet(OwnedViewSet):
    noun, serializer_class = "Note", NoteSerializer
    bodies = {"create": NoteBodySerializer, "update": NoteBodySerializer}
    filters = {"pinned": {"true": True, "false": False}}
    orderings = ["-created_at", "created_at"]

    def get_queryset(self) -> UserRows:
        return own_notes.of(self.user_of_path_and_token())
