import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.text import Truncator

from api.authentication import is_user_id
from api.models import USER_ID_MAX_LENGTH
from tasks.models import DESCRIPTION_MAX_LENGTH, TITLE_MAX_LENGTH, Task, TaskQuerySet, own_tasks

LARGEST_ID = 2**63 - 1
MOST_WORDS = 10  # each is looked for in the index: a hundred take seconds


class BrowserCharField(forms.CharField):
    """Text that counts as unchanged if only its line ends differ: browsers send their own, or none in one line."""

    def __init__(self, *, line_end: str, **kwargs: Any) -> None:
        self.line_end = line_end
        super().__init__(**kwargs)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Without `maxlength`: browsers count in UTF-16, and would stop a long title with emoji too early."""
        return {name: value for name, value in super().widget_attrs(widget).items() if name != "maxlength"}

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return text and re.sub("\r\n?|\n", self.line_end, text)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.to_python(initial), data)


class TaskForm(forms.ModelForm):  # type: ignore[type-arg] # it takes no argument at run time
    title = BrowserCharField(
        line_end="", max_length=TITLE_MAX_LENGTH, widget=AdminTextInputWidget(attrs={"class": "vLargeTextField"})
    )
    description = BrowserCharField(
        line_end="\n",
        max_length=DESCRIPTION_MAX_LENGTH,
        widget=AdminTextareaWidget,
        required=False,
        strip=False,
        empty_value=None,
    )
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen"] = self.instance.updated_at.isoformat()

    def clean_seen(self) -> None:
        if "seen" in self.changed_data:
            message = format_html(
                "Somebody has changed this task since you opened it. Nothing is saved: look at <a href='{}' "
                "target='_blank'>what it is now</a>.",
                reverse("admin:tasks_task_change", args=[self.instance.id]),
            )
            self.add_error(None, ValidationError(message, code="stale"))


class UserFilter(admin.SimpleListFilter):
    """All tasks of one user. The list shows this filter only while it is on; a link beside each task turns it on."""

    title = "user ID"
    parameter_name = "user_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(user_id, user_id)] if (user_id := request.GET.get(self.parameter_name)) else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        return queryset.filter(user_id=self.value()) if is_user_id(self.value()) else queryset.none()


class TaskList(ChangeList):
    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Task]) -> list[Any]:
        """Newest first, by the index that serves it."""
        return ["-created_at", "-id"] if UserFilter.parameter_name in request.GET else ["-id"]


class BoundedPaginator(Paginator):  # type: ignore[type-arg] # it takes no argument at run time
    most = 1_000  # tasks; a search or a filter shows others
    most_of_a_user = 100_000

    @cached_property
    def count(self) -> int:
        tasks: Any = self.object_list
        found: int = tasks[: self.most].count()
        return found


@admin.register(Task)
class TaskAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # likewise
    """
    For support staff: find a user's tasks, understand what happened, correct a mistake.

    Its queries are quick with millions of tasks: they count up to a bound, and order by an index.
    """

    form = TaskForm
    readonly_fields = ["id", "user", "created_at", "updated_at"]
    list_display = ["id", "__str__", "user", "completed", "created_at", "updated_at"]
    list_display_links = ["id", "__str__"]
    list_filter = [UserFilter, "completed", "created_at"]
    search_fields = ["title"]  # Django shows a search box then; get_search_results does the search
    search_help_text = "A user ID, a task ID, or words that titles have, or begin with"
    sortable_by = ()
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ["mark_completed", "mark_open"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only users make tasks."""
        return False

    # Finding

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TaskList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only the filters' own lookups: others would read all tasks."""
        return lookup in {UserFilter.parameter_name, "completed__exact", "created_at__gte", "created_at__lt"}

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        paginator: Any = super().get_paginator(request, *args, **kwargs)
        if UserFilter.parameter_name in request.GET:
            paginator.most = paginator.most_of_a_user
        return paginator

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """The tasks of that user or with that id, if there are any; otherwise those that have all of the words."""
        search_term = search_term.strip()
        if not search_term:
            return queryset, False
        if len(search_term) > USER_ID_MAX_LENGTH:
            return queryset.none(), False
        exact = Q(user_id=search_term)
        if search_term.isdecimal() and int(search_term) <= LARGEST_ID:
            exact |= Q(id=int(search_term))
        if Task.objects.filter(exact).exists():
            return queryset.filter(exact).order_by("-created_at", "-id"), False

        words = list(dict.fromkeys(search_term.lower().split()))
        if len(words) > MOST_WORDS:
            self.message_user(request, f"Search for {MOST_WORDS} words at most.", messages.WARNING)
            return queryset.none(), False
        found = with_words(queryset, words)
        if UserFilter.parameter_name in request.GET:
            return found, False
        # `id + 0` makes the planner use the index of words instead of walking all tasks from the newest. It gets the
        # ids as a list, because it can't estimate how few there are.
        newest = found.order_by((F("id") + 0).desc()).values_list("id", flat=True)[: BoundedPaginator.most]
        return Task.objects.filter(id__in=list(newest)).order_by("-id"), False

    @admin.display(description="user ID")
    def user(self, task: Task) -> str:
        url = reverse("admin:tasks_task_changelist") + "?" + urlencode({UserFilter.parameter_name: task.user_id})
        return format_html("<a href='{}' title='All tasks of this user'>{}</a>", url, task.user_id)

    # Changing

    def get_fields(self, request: HttpRequest, obj: Task | None = None) -> list[Any]:
        fields = ["id", "user", "title", "description", "completed", "created_at", "updated_at"]
        return [*fields, "seen"] if self.has_change_permission(request, obj) else fields

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Task | None:
        """Lock a task that is about to be changed or deleted."""
        task: Task | None = super().get_object(request, object_id, from_field)
        if task and connection.in_atomic_block:
            return locked(task)
        return task

    def save_model(self, request: HttpRequest, obj: Task, form: TaskForm, change: bool) -> None:
        """As the API does: write the changed columns only, and move `updated_at`."""
        if form.changed_data:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            own_tasks.of(obj.user_id).revise(obj.id, **changes)

    def delete_model(self, request: HttpRequest, obj: Task) -> None:
        Task.objects.owned_by(obj.user_id).filter(id=obj.id).delete()

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        for task in queryset:
            self.delete_model(request, task)

    def response_action(  # type: ignore[override] # the stubs are those of Django 6
        self, request: HttpRequest, queryset: QuerySet[Task]
    ) -> HttpResponse | None:
        if request.POST.get("select_across", "0") != "0":
            self.message_user(request, "Select the tasks on this page, not all there are.", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset)

    @admin.action(description="Mark selected tasks completed", permissions=["change"])
    def mark_completed(self, request: HttpRequest, queryset: TaskQuerySet) -> None:
        self.mark(request, queryset, completed=True)

    @admin.action(description="Mark selected tasks open", permissions=["change"])
    def mark_open(self, request: HttpRequest, queryset: TaskQuerySet) -> None:
        self.mark(request, queryset, completed=False)

    @transaction.atomic
    def mark(self, request: HttpRequest, queryset: TaskQuerySet, *, completed: bool) -> None:
        count = 0
        for selected in queryset.order_by("user_id", "id"):
            task = locked(selected)
            if task and task.completed is not completed:
                own_tasks.of(task.user_id).revise(task.id, completed=completed)
                self.log_change(request, task, changed(task, {"completed": (not completed, completed)}))
                count += 1
        status = "completed" if completed else "open"
        self.message_user(request, f"{count} task{pluralize(count)} marked {status}.")

    # History: Django's JSON, plus the user's id, by which erase_user finds it

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return changed(
            form.instance, {name: (form.initial[name], form.cleaned_data[name]) for name in form.changed_data}
        )

    def log_change(self, request: HttpRequest, obj: Task, message: Any) -> Any:
        """A form that was saved without a change is not in the history."""
        return super().log_change(request, obj, message) if message[0]["changed"]["fields"] else None

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        staff: Any = request.user
        for task in queryset:
            message = [{"deleted": {"name": "task", "object": task.title}, "user_id": task.user_id}]
            LogEntry.objects.log_actions(staff.pk, [task], DELETION, message)


@admin.register(LogEntry)
class HistoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg] # likewise
    """What staff did, for superusers: also to deleted tasks, by their ids."""

    list_display = ["action_time", "user", "content_type", "object_id", "object_repr", "get_change_message"]
    list_display_links = None
    list_filter = ["action_time", "user"]
    list_select_related = ["user", "content_type"]
    search_fields = ["object_id__exact"]
    search_help_text = "A task ID"
    sortable_by = ()
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


def with_words(tasks: TaskQuerySet, words: list[str]) -> TaskQuerySet:
    """Tasks whose titles have words that begin with these: on PostgreSQL by an index, see 0003_admin_indexes."""
    if connection.vendor == "postgresql":
        beginnings = " & ".join("'{}':*".format(re.sub(r"(['\\])", r"\1\1", word)) for word in words)
        query = SearchQuery(beginnings, config="simple", search_type="raw")
        return tasks.alias(words=SearchVector("title", config="simple")).filter(words=query)
    for word in words:
        tasks = tasks.filter(title__icontains=word)
    return tasks


def locked(task: Task) -> Task | None:
    """The task as it is now, locked until the transaction ends. It names the user, as all statements on tasks do."""
    return Task.objects.owned_by(task.user_id).select_for_update().filter(id=task.id).first()


def changed(task: Task, changes: dict[str, tuple[Any, Any]]) -> list[dict[str, Any]]:
    fields = [f"{name} from {shown(old)} to {shown(new)}" for name, (old, new) in changes.items()]
    return [{"changed": {"fields": fields}, "user_id": task.user_id}]


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"“{Truncator(value).chars(100)}”" if value else "nothing"
