from .image_file import ImageFile as ImageFile
from .opening import open_image as open_image
from .reading import (
    colour as colour,
    read_image as read_image,
    read_labels as read_labels,
    read_mask as read_mask,
    read_scribbles as read_scribbles,
)
from .whole import write_whole as write_whole
from .writing import (
    check_outputs as check_outputs,
    write_labels as write_labels,
    write_mask as write_mask,
    write_picture as write_picture,
    write_text as write_text,
)
