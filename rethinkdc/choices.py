"""Words that a user chooses among. Imports nothing heavy: the command line's help names them."""

from typing import Literal

Backing = Literal["auto", "decoded", "encoded"]
Codec = Literal["jpeg", "png"]
"""What images are written as that are made smaller."""
DecoderName = Literal["pillow", "torchcodec"]
"""What decodes ordinary images."""
Force = Literal["all", "student"]
"""What a run makes anew although it is there: all that its methods make, or the student alone."""
LabelForm = Literal["logits", "probabilities"]
Precision = Literal["float32", "tf32", "tf32-conv", "bf16"]
"""Numbers that networks compute in: IEEE single precision, TF32 of tensor cores, autocast to bfloat16; or TF32 in
convolutions alone, PyTorch's own default on GPUs, which the code of most papers leaves as it is."""
Track = Literal["hard", "static", "stored", "online"]
FileKind = Literal["dataset", "set", "rows", "scores", "trace", "weights", "protocol", "study", "record", "records"]
"""What a file or folder may be."""
