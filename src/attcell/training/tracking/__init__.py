"""Where a training is logged to, and pictures of its attention as it goes."""
