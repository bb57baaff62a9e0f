from .progress import Progress as Progress
from .run import Summary as Summary, run as run
