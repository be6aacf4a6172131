"""Where API_DOCS is on: the schema at /api/schema, and Swagger UI at /api/docs."""

import json
import re
from base64 import b64encode
from hashlib import sha256

from django.conf import settings
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.urls import path
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from api.schema import document
from api.views import PublicView


class SchemaView(PublicView):
    schema = None

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(json.dumps(document(), default=str), content_type="application/json")


class DocsView(PublicView, SpectacularSwaggerView):
    """Swagger UI. `get` renders its page, so that an error is JSON like all others."""

    renderer_classes = [JSONRenderer]
    schema = None
    title = str(settings.SPECTACULAR_SETTINGS["TITLE"])

    def get(self, request: Request) -> HttpResponse:
        page = render_to_string(self.template_name, super().get(request).data)  # type: ignore[no-untyped-call] # theirs
        return HttpResponse(page, headers={"Content-Security-Policy": policy(page)})


def policy(page: str) -> str:
    """The page's Content-Security-Policy: files of this server, and the page's own script and style by their hashes."""
    inline = re.findall(r"<(script|style)>(.*?)</\1>", page, re.DOTALL)
    hashes = [(kind, b64encode(sha256(text.encode()).digest()).decode()) for kind, text in inline]
    allowed = "".join(f"{kind}-src 'self' 'sha256-{digest}'; " for kind, digest in hashes)
    forbidden = "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return f"default-src 'self'; {allowed}img-src 'self' data:; {forbidden}"


urlpatterns = [
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", DocsView.as_view(), name="docs"),
]
