"""``torture writers`` finds nothing where nothing is wrong, and finds a change set that the feed passes over."""

from __future__ import annotations

import pytest

# The feed leaves out the last but one of what it should tell.
PASSED_OVER = """
from crm_core.store import feed

read = feed.read

def lossy(connection, types, after, limit=100):
    found = read(connection, types, after, limit)
    return [*found[:-2], *found[-1:]] if len(found) > 2 else found

feed.read = lossy
"""


def test_nothing_is_found_where_nothing_is_wrong(torture):
    ended = torture("writers", "--seconds", 3, "--processes", "2")
    assert ended.code == 0, ended.out
    assert "nothing found" in ended.out


def test_a_change_set_that_the_feed_passes_over_is_found(torture):
    ended = torture("writers", "--seconds", 1, "--processes", "1", planted=PASSED_OVER)
    assert ended.code == 1, ended.out
    assert "a reader of the feed was not told the change set" in " ".join(ended.out.split()), ended.out


# Somebody presses Ctrl-C while they write.
INTERRUPTED = """
import os
import signal
import time
from torture.writers import command

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it

def interrupted(ground, children):
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)

command._follow = interrupted
"""


@pytest.mark.timeout(400)  # whoever waited would wait for 800 seconds
def test_whoever_interrupts_it_waits_for_nobody(torture):
    ended = torture("writers", "--seconds", 800, "--processes", "2", planted=INTERRUPTED)
    assert ended.code == 130, ended.out
    said = " ".join(ended.out.split())
    assert "Interrupted (after" in said
    assert "writers: cut short before what they were told was compared; nothing of it is told here." in said
    assert "nothing measured" in ended.out.splitlines()
    assert "At once" not in ended.out and "nothing found" not in ended.out
