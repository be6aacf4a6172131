from api.rows import UserRows
from api.views import OwnedViewSet
from tasks.models import own_tasks
from tasks.serializers import TaskBodySerializer, TaskPatchSerializer, TaskSerializer


class TaskViewSet(OwnedViewSet):
    """The tasks of the token's user. OwnedViewSet has what every resource does, this class what is special to tasks."""

    noun = "Task"
    serializer_class = TaskSerializer
    bodies = {"create": TaskBodySerializer, "update": TaskBodySerializer, "partial_update": TaskPatchSerializer}
    filters = {"completed": {"true": True, "false": False}}

    def get_queryset(self) -> UserRows:
        """The only door to rows: the path must name the token's user (403), and the rows are that user's."""
        return own_tasks.of(self.user_of_path_and_token())
