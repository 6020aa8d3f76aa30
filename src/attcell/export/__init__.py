"""Trained models as files that run without attcell, and how attcell runs them."""
