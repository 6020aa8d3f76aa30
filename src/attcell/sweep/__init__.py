"""Many trainings of one recipe, to find better values for some of its keys."""
