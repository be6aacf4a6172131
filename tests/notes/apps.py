from django.apps import AppConfig


class NotesConfig(AppConfig):
    """The notes of docs/make-it-yours.md, under another name: a project that follows that page has its own."""

    name, label = "tests.notes", "jottings"

    def ready(self) -> None:
        from tests.notes.models import Note

        Note._meta.verbose_name, Note._meta.verbose_name_plural = "jotting", "jottings"
