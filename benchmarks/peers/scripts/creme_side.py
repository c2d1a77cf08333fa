"""Creme CRM: organisations with a contact employed there, entities saved one by one, pages by offset, credentials.

Creme saves entities one by one, also in its own import of files: what it keeps beside them (history, the first half of
each entity in a table of its own, sandboxes) hangs on ``save``. So here "in bulk" is a transaction for each thousand.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from django_tables import connected
from serving import serve

SETTINGS = "crm_benchmark_settings"


def settle(given: dict[str, Any]) -> None:
    """A project as ``creme_start_project`` makes one: a module of settings in a folder of its own."""
    import django

    folder = Path(given["folder"]) / "creme-project"
    folder.mkdir(exist_ok=True)
    own = {
        "DATABASES": {"default": connected(given["database"])},
        "SECRET_KEY": "x" * 60,
        "JOBMANAGER_BROKER": f"unix_socket://{folder}/",
        "LANGUAGE_CODE": "en",
        "TIME_ZONE": "UTC",
        "LOGGING_CONFIG": None,
    }
    lines = ["from creme.settings import *", *(f"{name} = {value!r}" for name, value in own.items())]
    (folder / f"{SETTINGS}.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.path.insert(0, str(folder))
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    if given["fresh"]:
        # Each is a command by itself: what is loaded at the start of a process hangs on what was made before.
        for command in (["migrate", "--no-input"], ["creme_populate"]):
            creme = [str(Path(sys.executable).parent / "creme"), *command, "--pythonpath", str(folder)]
            subprocess.run([sys.executable, *creme], check=True, stdin=subprocess.DEVNULL)
    django.setup()


class Creme:
    """What its views and its import do."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.page_size = given["page"]
        settle(given)
        from creme.creme_core.models import CremeUser, RelationType
        from creme.persons import get_contact_model, get_organisation_model

        self.organisation, self.contact = get_organisation_model(), get_contact_model()
        if given["fresh"]:
            self._make(given["users"])
        self.users = list(CremeUser.objects.filter(username__startswith="user").order_by("id"))
        self.boss = CremeUser.objects.filter(is_superuser=True, is_staff=False).order_by("id")[0]
        from creme.persons.constants import REL_SUB_EMPLOYED_BY

        self.employed = RelationType.objects.get(id=REL_SUB_EMPLOYED_BY)

    def _make(self, users: int) -> None:
        from creme.creme_core.auth.entity_credentials import EntityCredentials
        from creme.creme_core.models import CremeUser, SetCredentials, UserRole

        role = UserRole.objects.smart_create(
            name="Sales", allowed_apps=["persons"], creatable_models=[self.organisation, self.contact],
            listable_models=[self.organisation, self.contact],
        )  # fmt: skip
        SetCredentials.objects.create(role=role, value=EntityCredentials.VIEW, set_type=SetCredentials.ESET_OWN)
        for number in range(users):
            CremeUser.objects.create_user(
                username=f"user{number:02d}", first_name="User", last_name=str(number),
                email=f"user{number}@example.com", role=role,
            )  # fmt: skip
        # It has an organisation of its own, which cannot be deleted and would stand on the first page.
        self.organisation.objects.filter(is_managed=True).update(is_deleted=True)

    def ids(self, count: int) -> list[int]:
        found = self.organisation.objects.filter(is_deleted=False).order_by("id").values_list("id", flat=True)
        return list(found[:count])

    def _create(self, row: dict[str, Any]) -> None:
        from creme.creme_core.models import Relation

        user = self.users[row["user"]]
        organisation = self.organisation.objects.create(
            user=user, name=row["name"], phone=row["phone"], email=row["email"], url_site=row["website"]
        )
        contact = self.contact.objects.create(
            user=user, last_name=row["family"], first_name=row["given"], full_position=row["title"]
        )
        Relation.objects.create(user=user, subject_entity=contact, type=self.employed, object_entity=organisation)

    def _alone(self) -> Any:
        """What stands around the work of a view, or around one line of an import: its events go to the workflows."""
        from creme.creme_core.core.workflow import run_workflow_engine

        return run_workflow_engine(user=self.boss)

    def bulk(self, rows: list[dict[str, Any]]) -> None:
        from django.db import transaction

        for offset in range(0, len(rows), 1000):
            with transaction.atomic():
                for row in rows[offset : offset + 1000]:
                    with self._alone():
                        self._create(row)

    def single(self, rows: list[dict[str, Any]]) -> None:
        from django.db import transaction

        for row in rows:
            with transaction.atomic(), self._alone():
                self._create(row)

    def _rename(self, id_: int, name: str) -> None:
        organisation = self.organisation.objects.get(id=id_)
        organisation.name = name
        organisation.save()

    def update(self, ids: list[int], names: list[str]) -> None:
        from django.db import transaction

        with transaction.atomic():
            for id_, name in zip(ids, names, strict=True):
                with self._alone():
                    self._rename(id_, name)

    def edit(self, ids: list[int], names: list[str]) -> None:
        from django.db import transaction

        for id_, name in zip(ids, names, strict=True):
            with transaction.atomic(), self._alone():
                self._rename(id_, name)

    def _names(self, found: Any, position: int, user: int | None) -> list[str]:
        from creme.creme_core.auth.entity_credentials import EntityCredentials
        from creme.creme_core.models import CremeUser

        # The user of a request is read anew for each.
        reader = CremeUser.objects.get(id=self.boss.id if user is None else self.users[user].id)
        visible = EntityCredentials.filter(reader, found.filter(is_deleted=False)).order_by("name", "id")
        return [organisation.name for organisation in visible[position : position + self.page_size]]

    def page(self, position: int, key: str | None, user: int | None) -> list[str]:
        return self._names(self.organisation.objects.all(), position, user)

    def search(self, word: str, user: int | None) -> list[str]:
        return self._names(self.organisation.objects.filter(name__icontains=word), 0, user)

    def count(self) -> tuple[int, int]:
        accounts = self.organisation.objects.filter(is_deleted=False).count()
        return accounts, self.contact.objects.filter(is_user__isnull=True).count()


if __name__ == "__main__":
    serve(Creme)
