"""What an erasure reaches beside the rows themselves; the verbs are in ``crm_core.store.erasure``."""
