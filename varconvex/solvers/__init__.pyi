from .pdhg import pdhg as pdhg, warm_up as warm_up
from .pdhg_batch import pdhg_batch as pdhg_batch
from .solution import Progress as Progress, Solution as Solution
from .stationary import Stationary as Stationary, stationary as stationary
