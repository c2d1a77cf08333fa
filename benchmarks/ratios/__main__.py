"""``python -m benchmarks.ratios``."""

from benchmarks.ratios.command import command

if __name__ == "__main__":
    command()
