"""Generated videos with known truth: what happens, where the actor is, and when the action takes place."""
