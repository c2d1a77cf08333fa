"""The domain: records of the kernel and, beside them, the verbs that work on them."""
