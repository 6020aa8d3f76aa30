"""Extraction for a whole set of videos, as its own command."""
