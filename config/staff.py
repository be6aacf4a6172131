"""Sign-in of staff: a limit for guesses, one password hash at a time, sessions that end."""

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django import forms
from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth import SESSION_KEY, authenticate
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Sum
from django.dispatch import receiver
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

FAILURES_OF_AN_ADDRESS = 25  # in AXES_COOLOFF_TIME, for all names together; AXES_FAILURE_LIMIT is for one name

IDLE = 30 * 60  # seconds without a request after which a session ends
STAMP = "seen"  # key in a session: the time of its last request, to the minute
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

hashing = threading.Lock()


class HasherBusyError(PermissionDenied):
    """Another thread of this process is hashing a password. config.errors answers 503."""


class OneAtATimeHasher(PBKDF2PasswordHasher):
    """Hashes in one thread at a time, because a hash takes 0.4 s of a processor: other threads serve the API."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        if not hashing.acquire(blocking=False):
            raise HasherBusyError
        try:
            return super().encode(password, salt, iterations)
        finally:
            hashing.release()


class StaffBackend(ModelBackend):
    def authenticate(self, request: Any, username: str | None = None, password: str | None = None, **more: Any) -> Any:
        try:
            return super().authenticate(request, username, password, **more)
        except HasherBusyError:
            request.axes_locked_out = request.hasher_is_busy = True  # so that django-axes counts no failure
            raise


class FailedSignIns(AxesDatabaseHandler):  # type: ignore[misc] # it has no types
    """django-axes has a limit for an address and a name. This adds a higher one for an address and all names."""

    def get_failures(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        recent = AccessAttempt.objects.filter(
            ip_address=request.axes_ip_address, attempt_time__gte=get_cool_off_threshold(request)
        )
        of_address: int = recent.aggregate(sum=Sum("failures_since_start"))["sum"] or 0
        of_name: int = super().get_failures(request, credentials)
        return max(of_name, of_address * settings.AXES_FAILURE_LIMIT // FAILURES_OF_AN_ADDRESS)


class SignInForm(AdminAuthenticationForm):
    """Has a field for a code if `ADMIN_OTP` is on. The error does not say which of the three was wrong."""

    error_messages = AdminAuthenticationForm.error_messages | {
        "invalid_login": "Please enter the correct username and password of a staff account, and code if there is one."
    }
    # Django's field has no limit: a name too long for axes' table would cost a hash and not count as a failure.
    username = UsernameField(max_length=150, widget=forms.TextInput(attrs={"autofocus": True}))
    code = forms.CharField(
        max_length=16,
        help_text="The six digits that your authenticator app shows now, or one of your recovery codes.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not settings.ADMIN_OTP:
            del self.fields["code"]

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        if not settings.ADMIN_OTP:
            return
        user.otp_device = device_that_made(self.cleaned_data.get("code", ""), user)
        if user.otp_device is None:
            user_login_failed.send(__name__, credentials={"username": user.get_username()}, request=self.request)
            raise self.get_invalid_login_error()


def device_that_made(code: str, user: Any) -> Device | None:
    """The device that made the code. A code works once; each wrong code blocks the device twice as long as before."""
    code = code.replace(" ", "").lower()
    kind = TOTPDevice if len(code) == 6 else StaticDevice  # an app's codes have six digits
    with transaction.atomic():
        device = kind.objects.select_for_update().filter(user=user, confirmed=True).first()
        return device if device and device.verify_token(code) else None


class OwnPasswordForm(AdminPasswordChangeForm):
    """Guesses at the old password count like those at sign-in."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        if authenticate(self.request, username=self.user.get_username(), password=password) is None:
            raise forms.ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return password


class StaffSite(AdminSite):
    site_header = site_title = settings.OTP_TOTP_ISSUER
    index_title = "Support"
    enable_nav_sidebar = False  # tasks need the width
    site_url = None  # no page is at /
    login_form = SignInForm

    def has_permission(self, request: Any) -> bool:
        return super().has_permission(request) and (not settings.ADMIN_OTP or request.user.is_verified())

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Django's own with another form. From Django 6 on the form is an attribute."""
        view = PasswordChangeView.as_view(
            form_class=partial(OwnPasswordForm, request=request),
            template_name="registration/password_change_form.html",
            success_url=reverse("admin:password_change_done"),
            extra_context=self.each_context(request) | (extra_context or {}),
        )
        return view(request)


# Sessions


@receiver(user_logged_in)
def begin_session(request: HttpRequest, **kwargs: Any) -> None:
    """Store the time when the session ends: otherwise every write of it would start eight new hours."""
    now = timezone.now()
    request.session.set_expiry(now + timedelta(seconds=settings.SESSION_COOKIE_AGE))
    request.session[STAMP] = now.timestamp()


def end_idle_sessions(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    def middleware(request: HttpRequest) -> Any:
        if SESSION_KEY in request.session:
            now = timezone.now().timestamp()
            idle = now - request.session.get(STAMP, 0)
            if idle >= IDLE:
                request.session.flush()
            elif idle >= 60:  # a write for every request would be many
                request.session[STAMP] = now
        return get_response(request)

    return middleware


def secure_pages(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    def middleware(request: HttpRequest) -> Any:
        response = get_response(request)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        return response

    return middleware
