"""One of several processes that claim from the same pool at once; prints what it was told, as JSON."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from typing import Any

from crm_core import Crm, pools
from crm_core.errors import CrmError

LIST, ANEW = 20, 10


def main(build: dict[str, Any], login: str, seed: int, way: str) -> None:
    """Go once through all that was there at first, or (``anew``) look again after each claim until nothing is left."""
    with Crm.open(build) as crm:
        ids = look(crm, login, 100_000)
        # Everybody begins at the same end, and when all have looked, so that they meet.
        print("ready", flush=True)
        sys.stdin.readline()
        found = emptying(crm, login, seed) if way == "anew" else once(crm, login, seed, ids)
    won, told = found
    print(json.dumps({"login": login, "won": won, "told": told}))


def look(crm: Crm, login: str, limit: int) -> list[int]:
    """What is in the pool, the first of it."""
    with crm.session(login, read_only=True) as session:
        return [each.id for each in pools.browse(session, "north", limit=limit)]


def claim(crm: Crm, login: str, id_: int) -> str | None:
    """Claim an account; gives what one is told who does not get it."""
    try:
        with crm.session(login) as session:
            pools.claim(session, "north", id_)
    except CrmError as error:
        return error.problem
    return None


def once(crm: Crm, login: str, seed: int, ids: list[int]) -> tuple[list[int], Counter[str]]:
    """Each account of a list, until one's capacity is reached."""
    won: list[int] = []
    told: Counter[str] = Counter()
    for start in range(0, len(ids), LIST):
        part = ids[start : start + LIST]
        random.Random(seed + start).shuffle(part)
        for id_ in part:
            refusal = claim(crm, login, id_)
            if refusal is None:
                won.append(id_)
                continue
            told[refusal] += 1
            if "own as many accounts" in refusal:
                return won, told
    return won, told


def emptying(crm: Crm, login: str, seed: int) -> tuple[list[int], Counter[str]]:
    """One of the first few that are there, and again: what a person does who reads "choose another one"."""
    won: list[int] = []
    told: Counter[str] = Counter()
    chosen = random.Random(seed)
    while ids := look(crm, login, ANEW):
        id_ = chosen.choice(ids)
        refusal = claim(crm, login, id_)
        if refusal is None:
            won.append(id_)
        else:
            told[refusal] += 1
    return won, told


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
