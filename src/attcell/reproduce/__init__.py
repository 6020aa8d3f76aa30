"""The papers' claims, measured on data with known truth: make the data, train, test, look, and judge.

``generated`` is the suite, from the videos to the table; ``networks`` says how each network is trained,
``looking`` where and when trained networks look, and ``claims`` what is claimed.
"""
