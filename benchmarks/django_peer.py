"""Django's side, in a process of its own: ``python -m benchmarks.django_peer URL`` reads orders, prints seconds.

One JSON line in: ``{"do": "bulk"|"single"|"update", "count": N, "start": K}``; one number out.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from sqlalchemy import make_url

from benchmarks.rows import SINCE, customers


def configure(url: str) -> Any:
    """Set Django up on the database, with the settings that are fair beside ours; returns its models."""
    import django
    from django.conf import settings

    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        database: dict[str, Any] = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": parsed.database,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
            },
        }
    else:
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parsed.database,
            "USER": parsed.username,
            "HOST": parsed.host,
            "PORT": parsed.port,
        }
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=[],
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()
    return _models()


def _models() -> Any:
    from types import SimpleNamespace

    from django.db import connection, models

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
        primary = models.BooleanField()

        class Meta:
            app_label = "peer"

    class Ownership(models.Model):
        account = models.ForeignKey(Account, models.CASCADE)
        user_id = models.BigIntegerField(db_index=True)
        role = models.CharField(max_length=20)
        valid_from = models.DateTimeField()

        class Meta:
            app_label = "peer"

    with connection.schema_editor() as editor:
        for model in (Account, Contact, Affiliation, Ownership):
            editor.create_model(model)
    return SimpleNamespace(Account=Account, Contact=Contact, Affiliation=Affiliation, Ownership=Ownership)


def bulk(models: Any, count: int, start: int) -> float:
    """``bulk_create``, a thousand customers to a transaction."""
    from django.db import transaction

    source = list(customers(count, start))
    begun = time.perf_counter()
    for offset in range(0, count, 1000):
        part = source[offset : offset + 1000]
        with transaction.atomic():
            accounts = models.Account.objects.bulk_create([models.Account(**row[0]) for row in part])
            contacts = models.Contact.objects.bulk_create([models.Contact(**row[1]) for row in part])
            models.Affiliation.objects.bulk_create(
                [
                    models.Affiliation(account=account, contact=contact, **row[2])
                    for account, contact, row in zip(accounts, contacts, part, strict=True)
                ]
            )
            models.Ownership.objects.bulk_create(
                [
                    models.Ownership(account=account, user_id=row[3]["user"], role="owner", valid_from=SINCE)
                    for account, row in zip(accounts, part, strict=True)
                ]
            )
    return time.perf_counter() - begun


def single(models: Any, count: int, start: int) -> float:
    """``save()``, one transaction for each customer."""
    from django.db import transaction

    source = list(customers(count, start))
    begun = time.perf_counter()
    for account_row, contact_row, link, owner in source:
        with transaction.atomic():
            account, contact = models.Account(**account_row), models.Contact(**contact_row)
            account.save()
            contact.save()
            models.Affiliation.objects.create(account=account, contact=contact, **link)
            models.Ownership.objects.create(account=account, user_id=owner["user"], role="owner", valid_from=SINCE)
    return time.perf_counter() - begun


def update(models: Any, count: int, start: int) -> float:
    """``bulk_update`` of one field of loaded objects; loading them is part of ours too, so it counts here."""
    from django.db import transaction

    begun = time.perf_counter()
    with transaction.atomic():
        objects = list(models.Account.objects.order_by("id")[:count])
        for each in objects:
            each.name = f"{start} {each.id}"
        models.Account.objects.bulk_update(objects, ["name"], batch_size=500)
    return time.perf_counter() - begun


def main() -> None:
    """Serve orders until the input ends."""
    models = configure(sys.argv[1])
    work = {"bulk": bulk, "single": single, "update": update}
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(work[order["do"]](models, order["count"], order["start"]), flush=True)


if __name__ == "__main__":
    main()
