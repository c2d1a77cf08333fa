"""How two records become one: field by field, reference by reference; the verbs are in ``crm_core.store.merging``."""
