from __future__ import annotations
from typing import Literal
from pga.params.base import Strict
class Evaluation(Strict):
    extractor: Literal["classifier", "inception"]
    resize: Literal["tf1", "pytorch_fid"] = "tf1"
