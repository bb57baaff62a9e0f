from .certify import (
    Certificate as Certificate,
    certify_convexity as certify_convexity,
    fill_hull as fill_hull,
    hull_half_spaces as hull_half_spaces,
    hull_vertices as hull_vertices,
)
from .components import keep_scribbled as keep_scribbled
from .outline import Outline as Outline, least_outline as least_outline
from .promises import ShapeCertificate as ShapeCertificate
