from .corruptions import CORRUPTIONS as CORRUPTIONS, corrupt as corrupt
from .download import fetch as fetch
from .folders import (
    Entry as Entry,
    Sample as Sample,
    list_convexity as list_convexity,
    list_folder as list_folder,
    list_samples as list_samples,
    read_folder as read_folder,
)
from .robot import robot_scribbles as robot_scribbles
