"""Write the reference of all functions from their docstrings."""

import argparse
import warnings
from pathlib import Path

import pdoc

import pga

for name in pga.__all__:
    getattr(pga, name)  # pdoc sees what has been imported
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", type=Path, help="to write to")
parser.add_argument("rooms", nargs="*", help="packages of pga (default: all)")
arguments = parser.parse_args()
rooms = arguments.rooms or sorted(path.parent.name for path in Path(pga.__file__).parent.glob("*/__init__.py"))
warnings.filterwarnings("ignore", "Error parsing type annotation|Cannot determine where", UserWarning)  # types that only a checker imports
pdoc.render.configure(docformat="google", math=True, footer_text=f"pga {pga.__version__}")
pdoc.pdoc("pga", *(f"pga.{room}" for room in rooms), output_directory=arguments.folder)
