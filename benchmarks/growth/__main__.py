"""``python -m benchmarks.growth``."""

from benchmarks.growth.command import command

if __name__ == "__main__":
    command()
