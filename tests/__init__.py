"""One thread a process, also in what the tests start: two would mostly wait for each other on small work.

What a user has set in the environment counts. The variable is read when torch is first imported.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
