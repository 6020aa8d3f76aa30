"""A model behind HTTP: ``service`` answers, within ``limits`` of size, time and number."""
