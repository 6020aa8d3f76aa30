"""Damaged inputs in thousands: what the program says of them, judged. See ``__main__``."""
