"""Failures, as signals: `config.metrics` counts them if METRICS_PORT is set."""

from django.db import OperationalError
from django.dispatch import Signal

# Sent with `reason`, one of the codes of api.authentication and api.keys.
authentication_failed = Signal()

# Sent with `error`, the exception, where Django does not send got_request_exception.
database_failed = Signal()


class OutcomeUnknownError(OperationalError):
    """A write was sent, and the connection broke before its answer: it may have been carried out."""
