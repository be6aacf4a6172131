from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from api.authentication import ApiUser

if TYPE_CHECKING:  # at run time it would import this module, as the default permission
    from rest_framework.views import APIView


class PathNamesTokenUser(BasePermission):
    """Layer 2: the {user_id} of the path is the token's user, code point by code point, for every method."""

    message = "User ID mismatch"
    code = "user_mismatch"

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.user, ApiUser) and request.user.id == view.kwargs.get("user_id")
