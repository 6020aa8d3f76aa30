"""Streams that go on while they are watched: where they come from, and their frames with reconnection."""
