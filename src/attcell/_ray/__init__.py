"""The work on a list of videos, spread over the machines of a Ray cluster by Ray Data."""
