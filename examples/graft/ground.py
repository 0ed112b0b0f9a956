from dataclasses import dataclass
from torch import Tensor
@dataclass(frozen=True, slots=True)
class Ground:
    chips: Tensor
    photos: Tensor
    points: Tensor
    chip_of_photo: Tensor
    cell_of_chip: tuple
