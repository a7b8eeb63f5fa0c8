"""The kinds of data sets. One more is a class (`pga.data.kind.Kind`) and a row here."""

from __future__ import annotations

from pga.data.array_file import ArrayFile
from pga.data.celeba import Celeba
from pga.data.cifar10 import Cifar10
from pga.data.digits import Digits
from pga.data.folder import Folder
from pga.data.idx import Idx
from pga.data.kind import Kind
from pga.data.parquet import Parquet
from pga.runtime.registry import Registry

KINDS: Registry[str, type[Kind]] = {
    "digits": Digits,
    "idx": Idx,
    "cifar10": Cifar10,
    "celeba": Celeba,
    "folder": Folder,
    "array": ArrayFile,
    "parquet": Parquet,
}
