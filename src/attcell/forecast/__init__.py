"""A plan before the money: a few videos are measured, and the whole list is counted from them."""
