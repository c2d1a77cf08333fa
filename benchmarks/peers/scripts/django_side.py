"""Django with the same tables: models, ``bulk_create``, ``save``, pages by offset, access as a filter by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django_tables import configure, create_tables
from serving import serve

SINCE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class Django:
    """What its documentation shows for each job."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.page_size = given["page"]
        self.models = configure(given["database"])
        if given["fresh"]:
            create_tables(self.models)

    def ids(self, count: int) -> list[int]:
        return list(self.models.Account.objects.order_by("id").values_list("id", flat=True)[:count])

    def _account(self, row: dict[str, Any]) -> Any:
        own = ("name", "industry", "grade", "employees", "website", "email", "phone")
        return self.models.Account(**{key: row[key] for key in own})

    def _contact(self, row: dict[str, Any]) -> Any:
        return self.models.Contact(name=row["person"], family_name=row["family"], given_name=row["given"])

    def bulk(self, rows: list[dict[str, Any]]) -> None:
        from django.db import transaction

        models = self.models
        for offset in range(0, len(rows), 1000):
            part = rows[offset : offset + 1000]
            with transaction.atomic():
                accounts = models.Account.objects.bulk_create([self._account(row) for row in part])
                contacts = models.Contact.objects.bulk_create([self._contact(row) for row in part])
                models.Affiliation.objects.bulk_create(
                    [
                        models.Affiliation(account=account, contact=contact, role=row["role"], title=row["title"])
                        for account, contact, row in zip(accounts, contacts, part, strict=True)
                    ]
                )
                models.Ownership.objects.bulk_create(
                    [
                        models.Ownership(account=account, user_id=row["user"], role="owner", valid_from=SINCE)
                        for account, row in zip(accounts, part, strict=True)
                    ]
                )

    def single(self, rows: list[dict[str, Any]]) -> None:
        from django.db import transaction

        for row in rows:
            with transaction.atomic():
                account, contact = self._account(row), self._contact(row)
                account.save()
                contact.save()
                self.models.Affiliation.objects.create(
                    account=account, contact=contact, role=row["role"], title=row["title"]
                )
                self.models.Ownership.objects.create(
                    account=account, user_id=row["user"], role="owner", valid_from=SINCE
                )

    def update(self, ids: list[int], names: list[str]) -> None:
        from django.db import transaction

        wanted = dict(zip(ids, names, strict=True))
        with transaction.atomic():
            # Below the number of parameters that SQLite takes.
            for offset in range(0, len(ids), 500):
                accounts = list(self.models.Account.objects.filter(id__in=ids[offset : offset + 500]))
                for account in accounts:
                    account.name = wanted[account.id]
                self.models.Account.objects.bulk_update(accounts, ["name"], batch_size=500)

    def edit(self, ids: list[int], names: list[str]) -> None:
        from django.db import transaction

        for id_, name in zip(ids, names, strict=True):
            with transaction.atomic():
                account = self.models.Account.objects.get(id=id_)
                account.name = name
                account.save()

    def page(self, position: int, key: str | None, user: int | None) -> list[str]:
        accounts = self.models.Account.objects.order_by("name", "id")
        if user is not None:
            from django.db.models import Q
            from django.utils import timezone

            now = timezone.now()
            holding = Q(valid_to__isnull=True) | Q(valid_to__gt=now)
            mine = self.models.Ownership.objects.filter(holding, user_id=user, valid_from__lte=now)
            accounts = accounts.filter(id__in=mine.values("account_id"))
        return [account.name for account in accounts[position : position + self.page_size]]

    def search(self, word: str, user: int | None) -> list[str]:
        accounts = self.models.Account.objects.filter(name__icontains=word).order_by("name", "id")
        return [account.name for account in accounts[: self.page_size]]

    def count(self) -> tuple[int, int]:
        return self.models.Account.objects.count(), self.models.Contact.objects.count()


if __name__ == "__main__":
    serve(Django)
