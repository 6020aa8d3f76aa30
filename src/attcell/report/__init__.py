"""Pictures, lines and pages for people; nothing is computed here."""
