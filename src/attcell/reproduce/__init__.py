"""The papers' claims, measured: make or find the data, train, test, look, and judge.

``generated`` is the suite on videos with known truth, ``clips`` the one on real clips, and ``claims`` what is
claimed. Of the first, ``sizes`` says how much there is, ``networks`` and ``stages`` how each network is
trained, ``one_seed`` what is measured with a seed; ``watched``, ``erased`` and ``gates`` look at trained
networks.
"""
