"""Writers: many processes write at once, and what they were told is compared with what is there."""
