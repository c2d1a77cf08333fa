"""``python -m benchmarks.peers``: ours beside other systems."""

from benchmarks.peers.command import command

if __name__ == "__main__":
    command()
