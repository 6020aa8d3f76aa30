"""Measurements that the README's figures come from; each file is a command of its own."""
