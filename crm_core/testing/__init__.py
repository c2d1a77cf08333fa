"""Help for testing the kernel, plugins and builds: fixtures, servers, the conformance kit."""
