"""What several commands share: their options, the videos they are given, and how they end."""
