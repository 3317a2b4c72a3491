"""Words that a user chooses among. Imports nothing heavy: the command line's help names them."""

from typing import Literal

Backing = Literal["auto", "decoded", "encoded"]
LabelForm = Literal["logits", "probabilities"]
