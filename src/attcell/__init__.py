"""attcell recognises actions in videos and shows where and when the evidence is."""

__version__ = "0.1.0"
