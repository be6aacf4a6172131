from django import forms
from django.contrib import admin
from django.http import HttpRequest

from tasks.models import Task


@admin.register(Task)
class TaskAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # it takes no argument at run time
    """For support staff: find a user's tasks, understand what happened, correct a mistake."""

    list_display = ["id", "user_id", "title", "completed", "created_at", "updated_at"]
    list_filter = ["completed", "created_at"]
    search_fields = ["user_id__exact"]
    search_help_text = "The exact user ID"
    show_full_result_count = False
    ordering = ["-id"]
    fields = ["id", "user_id", "title", "description", "completed", "created_at", "updated_at"]
    readonly_fields = ["id", "user_id", "created_at", "updated_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tasks are made by their users."""
        return False

    def save_model(self, request: HttpRequest, obj: Task, form: "forms.ModelForm[Task]", change: bool) -> None:
        """Like the API: what was changed is written, and no other column, and `updated_at` moves."""
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        Task.objects.owned_by(obj.user_id).revise(obj.id, **changes)
