"""One thread for each process, unless the user says otherwise: set before NumPy and PyTorch are imported.

Arrays here are small. Two threads of OpenBLAS or OpenMP wait for one another longer than they compute: three times the
processor time for a map of an image of 768 x 320. What runs in parallel are processes and images.
"""

import os

for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
