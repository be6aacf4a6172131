"""All URLs. They have no trailing slash: a wrong path is a 404, never a redirect that loses a body."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from api.health import LiveView, ReadyView

handler400 = "config.errors.bad_request"
handler403 = "config.errors.permission_denied"
handler404 = "config.errors.page_not_found"
handler500 = "config.errors.server_error"

admin_urlpatterns = [
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
]
urlpatterns = [
    path("api/", include("tasks.urls")),
    path("api/", include("api.docs" if settings.API_DOCS else [])),
    path("api/", include("api.urls")),  # last: its route matches every path
    path("health", ReadyView.as_view(), name="health"),
    path("health/live", LiveView.as_view(), name="health-live"),
    *(admin_urlpatterns if settings.ADMIN_ENABLED else []),
]
