from .image_file import ImageFile as ImageFile
from .labels import read_labels as read_labels, read_mask as read_mask
from .lazy import ImageOnDisk as ImageOnDisk, open_on_disk as open_on_disk
from .opening import open_image as open_image
from .outlines import write_outlines as write_outlines
from .painted import colour as colour
from .reading import read_image as read_image
from .scribble_files import read_scribble_pair as read_scribble_pair, read_scribbles as read_scribbles
from .whole import write_whole as write_whole
from .writing import (
    check_outputs as check_outputs,
    write_labels as write_labels,
    write_mask as write_mask,
    write_picture as write_picture,
    write_probability as write_probability,
    write_text as write_text,
)
