"""How the kernel behaves from ten thousand accounts to ten millions: ``python -m benchmarks.growth --help``."""
