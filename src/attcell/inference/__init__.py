"""A model on videos: predict, detect, test, and extract what is slow once."""
