"""The parts of :mod:`crm_core.store.migrations`; import them from there."""
