from types import SimpleNamespace
from typing import Any

import pytest

from api.permissions import PathNamesTokenUser


@pytest.mark.parametrize("user", [None, SimpleNamespace(id="alice")])
def test_only_a_tokens_user_is_let_in(user):
    request: Any = SimpleNamespace(user=user)
    view: Any = SimpleNamespace(kwargs={"user_id": "alice"})

    assert not PathNamesTokenUser().has_permission(request, view)
