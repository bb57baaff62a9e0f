from .batch import Summary as Summary, run as run
from .progress import Progress as Progress
