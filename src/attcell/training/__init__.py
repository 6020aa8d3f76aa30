"""From a recipe to a run folder with a trained model: ``run.train`` is prepare, fit, finish.

``prepare`` checks the recipe and the videos, builds the network and computes the features that are kept.
``fit`` goes through the iterations by Lightning: ``learner`` is one step and one validation, ``schedule``
says how long and at which rate. ``finish`` weighs late fusion, or fits an SVM: ``svm`` makes the
representations, ``svm_fit`` chooses its settings, ``vlad`` learns its centres. ``run_folder`` says what lies
where.
"""
