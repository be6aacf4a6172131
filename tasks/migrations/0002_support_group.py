from typing import Any

from django.db import migrations

PERMISSIONS = {"view_task": "Can view task", "change_task": "Can change task"}


def make_group(apps: Any, schema_editor: Any) -> None:
    """Also make the content type and the permissions, which Django would make only after the last migration."""
    task, _ = apps.get_model("contenttypes.ContentType").objects.get_or_create(app_label="tasks", model="task")
    support, _ = apps.get_model("auth.Group").objects.get_or_create(name="Support")
    for codename, name in PERMISSIONS.items():
        permission, _ = apps.get_model("auth.Permission").objects.get_or_create(
            content_type=task, codename=codename, defaults={"name": name}
        )
        support.permissions.add(permission)


def remove_group(apps: Any, schema_editor: Any) -> None:
    """Its members keep their accounts, but have no rights."""
    apps.get_model("auth.Group").objects.filter(name="Support").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("tasks", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_group, remove_group)]
