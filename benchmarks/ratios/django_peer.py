"""Django's side, in a process of its own: ``python -m benchmarks.ratios.django_peer URL`` reads orders, prints seconds.

One JSON line in: ``{"do": "bulk"|"single"|"update", "count": N, "start": K}``; one number out.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from sqlalchemy import make_url

from benchmarks.peers.scripts.django_tables import configure, create_tables
from benchmarks.rows import SINCE, customers


def opened(url: str) -> Any:
    """Django on the database, with tables; returns its models."""
    parsed = make_url(url)
    database = {
        "kind": parsed.get_backend_name(),
        "path": parsed.database,
        "name": parsed.database,
        "user": parsed.username,
        "host": parsed.host,
        "port": parsed.port,
    }
    models = configure(database)
    create_tables(models)
    return models


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
    models = opened(sys.argv[1])
    work = {"bulk": bulk, "single": single, "update": update}
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(work[order["do"]](models, order["count"], order["start"]), flush=True)


if __name__ == "__main__":
    main()
