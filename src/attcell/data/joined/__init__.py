"""Untrimmed videos with known intervals, made by joining trimmed clips."""
