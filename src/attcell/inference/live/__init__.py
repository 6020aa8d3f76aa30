"""Actions in a stream that goes on while it is watched."""
