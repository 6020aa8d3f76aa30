"""The HTML page: ``page`` writes it, ``views`` say what it shows, and ``templates`` how."""
