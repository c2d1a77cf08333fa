"""One of several processes that claim from the same pool at once; prints what it was told, as JSON."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from typing import Any

from crm_core import Crm, pools
from crm_core.errors import CrmError


def main(build: dict[str, Any], login: str, seed: int) -> None:
    won: list[int] = []
    told: Counter[str] = Counter()
    with Crm.open(build) as crm:
        with crm.session(login, read_only=True) as session:
            ids = [each.id for each in pools.browse(session, "north", limit=100_000)]
        # Everybody begins at the same end, and when all have looked, so that they meet.
        print("ready", flush=True)
        sys.stdin.readline()
        for start in range(0, len(ids), 20):
            part = ids[start : start + 20]
            random.Random(seed + start).shuffle(part)
            for id_ in part:
                try:
                    with crm.session(login) as session:
                        pools.claim(session, "north", id_)
                except CrmError as error:
                    told[error.problem] += 1
                    if "own as many accounts" in error.problem:
                        print(json.dumps({"login": login, "won": won, "told": told}))
                        return
                else:
                    won.append(id_)
    print(json.dumps({"login": login, "won": won, "told": told}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
