"""What people have on disk: official annotation files, sources of videos, data sets to learn from."""
