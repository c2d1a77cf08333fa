"""The tables of the kernel's customers as models of Django, and Django set up on a database."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

__all__ = ["configure", "create_tables"]


def configure(database: dict[str, Any]) -> SimpleNamespace:
    """Set Django up with settings that are fair beside ours; returns its models."""
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": connected(database)},
        INSTALLED_APPS=[],
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()
    return _models()


def connected(database: dict[str, Any]) -> dict[str, Any]:
    """What Django's settings say of a database."""
    if database["kind"] == "sqlite":
        pragmas = "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
        options = {"transaction_mode": "IMMEDIATE", "init_command": pragmas}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": database["path"], "OPTIONS": options}
    where = {"USER": database["user"], "HOST": database["host"], "PORT": database["port"]}
    return {"ENGINE": "django.db.backends.postgresql", "NAME": database["name"], **where}


def create_tables(models: SimpleNamespace) -> None:
    """Make the tables."""
    from django.db import connection

    with connection.schema_editor() as editor:
        for model in vars(models).values():
            editor.create_model(model)


def _models() -> SimpleNamespace:
    from django.db import models

    class Account(models.Model):
        name = models.CharField(max_length=200)
        industry = models.CharField(max_length=80)
        grade = models.CharField(max_length=10, db_index=True)
        employees = models.IntegerField()
        website = models.CharField(max_length=500)
        email = models.CharField(max_length=254)
        phone = models.CharField(max_length=40)
        kind = models.CharField(max_length=40, default="company")
        active = models.BooleanField(default=True)
        created_at = models.DateTimeField(auto_now_add=True)
        updated_at = models.DateTimeField(auto_now=True)

        class Meta:
            app_label = "peer"
            indexes = (models.Index(fields=["name", "id"], name="peer_name"),)

    class Contact(models.Model):
        name = models.CharField(max_length=200)
        family_name = models.CharField(max_length=80)
        given_name = models.CharField(max_length=80)
        created_at = models.DateTimeField(auto_now_add=True)
        updated_at = models.DateTimeField(auto_now=True)

        class Meta:
            app_label = "peer"
            indexes = (models.Index(fields=["name", "id"], name="peer_contact_name"),)

    class Affiliation(models.Model):
        account = models.ForeignKey(Account, models.CASCADE)
        contact = models.ForeignKey(Contact, models.CASCADE)
        role = models.CharField(max_length=80)
        title = models.CharField(max_length=120)
        primary = models.BooleanField(default=True)

        class Meta:
            app_label = "peer"

    class Ownership(models.Model):
        account = models.ForeignKey(Account, models.CASCADE)
        user_id = models.BigIntegerField(db_index=True)
        role = models.CharField(max_length=20)
        valid_from = models.DateTimeField()
        valid_to = models.DateTimeField(null=True)

        class Meta:
            app_label = "peer"

    return SimpleNamespace(Account=Account, Contact=Contact, Affiliation=Affiliation, Ownership=Ownership)
