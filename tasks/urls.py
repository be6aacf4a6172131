from api.urls import resource
from tasks.views import TaskViewSet

urlpatterns = resource("tasks", TaskViewSet)
