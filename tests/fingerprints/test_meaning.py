"""What changes the digest of code and what does not: on small packages, on generated functions, and on the package itself."""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import subprocess
import symtable
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pga
from pga.fingerprints.closure import explain, meaning
from pga.fingerprints.modules import Module, Reference, Tidy
from pga.fingerprints.normal_form import Writer
from pga.fingerprints.package import Sources

REAL = Path(pga.__file__).parent


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """A package `toy` of the given modules ("nets/dcgan" → toy/nets/dcgan.py)."""
    shutil.rmtree(folder / "toy", ignore_errors=True)
    for name, source in {"__init__": "", **files}.items():
        path = folder / "toy" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
    return folder / "toy"


def toy(folder: Path, files: Mapping[str, str], *roots: str, **options: Any) -> str:
    return meaning(*(roots or ["toy.m.f"]), package_folder=write(folder, files), **options)


# Other modules of every toy package, so that the sources below can refer to them.
AROUND = {
    "losses": """
        import torch

        EPSILON = 0.01

        def square(x):
            return scale(x) * x + EPSILON

        def scale(x):
            return 2 * x

        def unused(x):
            return x
        """,
    "other": """
        def scale(x):
            return 3 * x

        def wrap(function):
            return function
        """,
    "nets/__init__": "from toy.nets.dcgan import Encoder\n",
    "nets/dcgan": """
        class Encoder:
            width = 4

            def forward(self, x):
                return x
        """,
}

SAME = {
    "comments and blank lines": ("def f(x):\n    return x + 1", "# why\n\n\ndef f(x):  # what\n\n    # how\n    return (x\n        + 1)"),
    "docstrings": ("def f(x):\n    return x", '"""M."""\nA = 1\n"""A."""\ndef f(x):\n    """F."""\n    return x'),
    "docstring alone in a body": ("def f(x):\n    pass", 'def f(x):\n    """F."""'),
    "docstring of a class": ("class f:\n    a = 1", 'class f:\n    """F."""\n    a = 1\n    """A."""'),
    "annotations of functions": ("def f(x, *y, z=1, **w): ...", "def f(x: int, *y: str, z: float = 1, **w: dict) -> 'int': ..."),
    "annotations that name a class": (
        "def f(x):\n    return x",
        "from toy.nets import Encoder\ndef f(x: Encoder) -> list[Encoder]:\n    return x",
    ),
    "annotations of locals": ("def f(x):\n    y = x\n    return y", "def f(x):\n    z: float\n    y: int = x\n    return y"),
    "annotations of attributes": ("class f:\n    def g(self):\n        self.x = 1", "class f:\n    def g(self):\n        self.x: int = 1"),
    "annotations of constants": ("A = 1\ndef f():\n    return A", "A: int = 1\ndef f():\n    return A"),
    "imports for type checkers": (
        "def f(x):\n    return x",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from toy.losses import square\ndef f(x: square):\n    return x",
    ),
    "imports for type checkers, by attribute": (
        "from toy.losses import square\ndef f(x):\n    return square(x)",
        "import typing\nif typing.TYPE_CHECKING:\n    from toy.other import scale as square\nelse:\n    from toy.losses import square\n"
        "def f(x):\n    return square(x)",
    ),
    "script part": ("def f(x):\n    return x", 'def f(x):\n    return x\nif __name__ == "__main__":\n    print(f(1))'),
    "order of definitions": (
        "A = 1\ndef f(x):\n    return g(x) + A\ndef g(x):\n    return x",
        "def g(x):\n    return x\ndef f(x):\n    return g(x) + A\nA = 1",
    ),
    "unreferenced function": ("def f(x):\n    return x\ndef g(x):\n    return x", "def f(x):\n    return x\ndef g(x):\n    return x + 1"),
    "unreferenced import": ("def f(x):\n    return x", "import os\nfrom toy.losses import square\ndef f(x):\n    return x"),
    "order of imports": (
        "import os\nfrom toy.losses import scale, square\ndef f(x):\n    return scale(square(os.path))",
        "from toy.losses import square, scale\nimport os\ndef f(x):\n    return scale(square(os.path))",
    ),
    "local renamed": ("def f(x):\n    a = x\n    return a", "def f(x):\n    b = x\n    return b"),
    "loop variable": ("def f(x):\n    for i in x:\n        print(i)", "def f(x):\n    for item in x:\n        print(item)"),
    "with": ("def f(x):\n    with x as a:\n        a.b()", "def f(x):\n    with x as file:\n        file.b()"),
    "exception name": (
        "def f():\n    try:\n        g()\n    except OSError as e:\n        raise ValueError(e) from e",
        "def f():\n    try:\n        g()\n    except OSError as error:\n        raise ValueError(error) from error",
    ),
    "comprehension variables": (
        "def f(x):\n    return [a for b in x for a in b if a]",
        "def f(x):\n    return [d for c in x for d in c if d]",
    ),
    "comprehension variable like another local": (
        "def f(x):\n    a = x\n    return {b: a for b in a}, a",
        "def f(x):\n    b = x\n    return {a: b for a in b}, b",
    ),
    "comprehension shadows": ("def f(x):\n    a = x\n    return [a for a in a]", "def f(x):\n    a = x\n    return [b for b in a]"),
    "comprehension of a constant": ("f = [a for a in range(3)]", "f = [b for b in range(3)]"),
    "walrus": ("def f(x):\n    return [y := a for a in x], y", "def f(x):\n    return [z := a for a in x], z"),
    "match": (
        "def f(x):\n match x:\n  case {1: a, **r}: return a, r\n  case [b, *c]: return b, c\n  case int(real=d) as e: return d, e",
        "def f(x):\n match x:\n  case {1: p, **q}: return p, q\n  case [r, *s]: return r, s\n  case int(real=t) as u: return t, u",
    ),
    "nested function": (
        "def f(x):\n    def g(y):\n        return x + y\n    return g",
        "def f(x):\n    def h(y):\n        return x + y\n    return h",
    ),
    "nonlocal": (
        "def f(x):\n    a = 0\n    def g():\n        nonlocal a\n        a += 1\n    g()\n    return a",
        "def f(x):\n    n = 0\n    def g():\n        nonlocal n\n        n += 1\n    g()\n    return n",
    ),
    "local of a method": (
        "class f:\n    def g(self):\n        a = self.b\n        return a",
        "class f:\n    def g(self):\n        c = self.b\n        return c",
    ),
    "local of a lambda": ("f = lambda x: (a := x) + a", "f = lambda x: (b := x) + b"),
    "del": ("def f(x):\n    a = x\n    del a", "def f(x):\n    b = x\n    del b"),
    "f-string": ("def f(x):\n    a = x\n    return f'a {a:>{x}} {a!r}'", "def f(x):\n    b = x\n    return f'a {b:>{x}} {b!r}'"),
    "unpacking": ("def f(x):\n    a, (b, *c) = x\n    return c, b, a", "def f(x):\n    b, (c, *a) = x\n    return a, c, b"),
    "asynchronous": (
        "async def f(x):\n    async with x as a:\n        return [b async for b in a]",
        "async def f(x):\n    async with x as c:\n        return [d async for d in c]",
    ),
    "style of imports: module": (
        "from toy.losses import square\ndef f(x):\n    return square(x)",
        "from toy import losses\ndef f(x):\n    return losses.square(x)",
    ),
    "style of imports: dotted": (
        "from toy.losses import square\ndef f(x):\n    return square(x)",
        "import toy.losses\ndef f(x):\n    return toy.losses.square(x)",
    ),
    "style of imports: alias": (
        "from toy.losses import square\ndef f(x):\n    return square(x)",
        "import toy.losses as L\ndef f(x):\n    return L.square(x)",
    ),
    "style of imports: relative": (
        "from toy.losses import square\ndef f(x):\n    return square(x)",
        "from . import losses\ndef f(x):\n    return losses.square(x)",
    ),
    "style of imports: relative name": (
        "from toy.losses import square\ndef f(x):\n    return square(x)",
        "from .losses import square as s\ndef f(x):\n    return s(x)",
    ),
    "style of imports: inside the function": (
        "from toy.losses import square\ndef f(x):\n    return square(x)",
        "def f(x):\n    from toy.losses import square as s\n    return s(x)",
    ),
    "style of imports: module inside the function": (
        "from toy.losses import square\ndef f(x):\n    return square(x)",
        "def f(x):\n    import toy.losses\n    return toy.losses.square(x)",
    ),
    "style of imports: through a package that passes it on": (
        "from toy.nets.dcgan import Encoder\ndef f():\n    return Encoder()",
        "from toy import nets\ndef f():\n    return nets.Encoder()",
    ),
    "style of imports: other packages": (
        "import torch.nn.functional as F\ndef f(x):\n    return F.relu(x)",
        "import torch\ndef f(x):\n    return torch.nn.functional.relu(x)",
    ),
    "definition moved to another file": (
        "from toy.losses import scale\ndef f(x):\n    return scale(x)",
        "def f(x):\n    return scale(x)\ndef scale(x):\n    return 2 * x",
    ),
    "a parameter like a function": ("def f(scale):\n    return scale", "from toy.losses import scale\ndef f(scale):\n    return scale"),
    "a local like a function": (
        "def f(x):\n    square = x\n    return square",
        "from toy.losses import square\ndef f(x):\n    square = x\n    return square",
    ),
    "an attribute like a function": ("def f(x):\n    return x.square", "from toy.losses import square\ndef f(x):\n    return x.square"),
    "a keyword like a function": ("def f(x):\n    return x(square=1)", "from toy.losses import square\ndef f(x):\n    return x(square=1)"),
}

DIFFERENT = {
    "constant": ("A = 1\ndef f(x):\n    return A", "A = 2\ndef f(x):\n    return A"),
    "type of a constant": ("def f(x):\n    return 1", "def f(x):\n    return 1.0"),
    "True is not 1": ("def f(x):\n    return 1", "def f(x):\n    return True"),
    "text is not bytes": ("def f(x):\n    return 'a'", "def f(x):\n    return b'a'"),
    "None is not absent": ("def f(x):\n    return {None: x}", "def f(x):\n    return {**x}"),
    "operator": ("def f(x):\n    return x + 1", "def f(x):\n    return x - 1"),
    "default": ("def f(x=1):\n    return x", "def f(x=2):\n    return x"),
    "name of a parameter": ("def f(x):\n    return x", "def f(y):\n    return y"),
    "kind of a parameter": ("def f(x, y):\n    return x", "def f(x, *, y):\n    return x"),
    "keyword of a call": ("def f(x):\n    return x(a=1)", "def f(x):\n    return x(b=1)"),
    "attribute": ("def f(x):\n    return x.a", "def f(x):\n    return x.b"),
    "string": ("def f(x):\n    return 'a'", "def f(x):\n    return 'b'"),
    "text of an f-string": ("def f(x):\n    return f'a{x}'", "def f(x):\n    return f'b{x}'"),
    "f-string which prints a local's name": ("def f(x):\n    a = x\n    return f'{a=}'", "def f(x):\n    b = x\n    return f'{b=}'"),
    "decorator": (
        "import functools\n@functools.cache\ndef f(x):\n    return x",
        "import functools\n@functools.lru_cache\ndef f(x):\n    return x",
    ),
    "decorator added": ("import torch\ndef f(x):\n    return x", "import torch\n@torch.no_grad()\ndef f(x):\n    return x"),
    "class attribute": ("class f:\n    a = 1", "class f:\n    a = 2"),
    "name of a class attribute": ("class f:\n    a = 1", "class f:\n    b = 1"),
    "base class": ("class f(dict): ...", "class f(list): ..."),
    "method": ("class f:\n    def g(self):\n        return 1", "class f:\n    def g(self):\n        return 2"),
    "field of a dataclass": ("class f:\n    a: int", "class f:\n    a: float"),
    "order of fields": ("class f:\n    a: int\n    b: int", "class f:\n    b: int\n    a: int"),
    "class in an annotation of a field": (
        "class G:\n    b = 1\nclass f:\n    a: G",
        "class G:\n    b = 2\nclass f:\n    a: G",
    ),
    "order of statements": ("def f(x):\n    x.a()\n    x.b()", "def f(x):\n    x.b()\n    x.a()"),
    "two locals exchanged": ("def f(x):\n    a, b = x\n    return a - b", "def f(x):\n    a, b = x\n    return b - a"),
    "two locals merged": ("def f(x):\n    a = 1\n    b = 2\n    return a", "def f(x):\n    a = 1\n    a = 2\n    return a"),
    "local instead of parameter": ("def f(x):\n    y = 1\n    return x", "def f(x):\n    y = 1\n    return y"),
    "local instead of a global": ("A = 1\ndef f():\n    A = 2\n    return A", "A = 1\ndef f():\n    global A\n    A = 2\n    return A"),
    "nonlocal instead of a local": (
        "def f():\n    a = 0\n    def g():\n        a = 1\n    g()\n    return a",
        "def f():\n    a = 0\n    def g():\n        nonlocal a\n        a = 1\n    g()\n    return a",
    ),
    "variable of the comprehension, not around it": ("def f(x, y):\n    return [x for x in y]", "def f(x, y):\n    return [x for z in y]"),
    "imported from elsewhere in the package": (
        "from toy.losses import scale\ndef f(x):\n    return scale(x)",
        "from toy.other import scale\ndef f(x):\n    return scale(x)",
    ),
    "imported from elsewhere, both in use": (
        "from toy import losses, other\nfrom toy.losses import scale\ndef f(x):\n    return scale(x), losses.scale, other.scale",
        "from toy import losses, other\nfrom toy.other import scale\ndef f(x):\n    return scale(x), losses.scale, other.scale",
    ),
    "imported from elsewhere outside": (
        "from torch.nn.functional import relu as act\ndef f(x):\n    return act(x)",
        "from torch.nn.functional import gelu as act\ndef f(x):\n    return act(x)",
    ),
    "imported from elsewhere inside the function": (
        "def f(x):\n    from toy.losses import scale\n    return scale(x)",
        "def f(x):\n    from toy.other import scale\n    return scale(x)",
    ),
    "import with a fallback": (
        "try:\n    from fast import g\nexcept ImportError:\n    from toy.losses import scale as g\ndef f(x):\n    return g(x)",
        "try:\n    from fast import g\nexcept ImportError:\n    from toy.other import scale as g\ndef f(x):\n    return g(x)",
    ),
    "import with a fallback in a function": (
        "def f(x):\n    try:\n        import g\n    except ImportError:\n        from toy.losses import scale as g\n    return g(x)",
        "def f(x):\n    try:\n        import g\n    except ImportError:\n        from toy.other import scale as g\n    return g(x)",
    ),
    "imported, then bound anew": (
        "from toy.losses import scale\nscale = [scale]\ndef f(x):\n    return scale",
        "from toy.other import scale\nscale = [scale]\ndef f(x):\n    return scale",
    ),
    "what a class body takes from the module": ("a = 1\nclass f:\n    a = a", "a = 2\nclass f:\n    a = a"),
    "definition under a condition": (
        "import sys\nif sys.platform:\n    def g(): return 1\nelse:\n    def g(): return 2\ndef f():\n    return g()",
        "import sys\nif sys.platform:\n    def g(): return 1\nelse:\n    def g(): return 3\ndef f():\n    return g()",
    ),
    "imported twice, perhaps": (
        "from toy.losses import scale\ntry:\n    from toy.fast import scale\nexcept ImportError: ...\ndef f(x):\n    return scale(x)",
        "from toy.other import scale\ntry:\n    from toy.fast import scale\nexcept ImportError: ...\ndef f(x):\n    return scale(x)",
    ),
    "a global, not the local around it": (
        "A = 1\ndef f():\n    A = 2\n    def g():\n        global A\n        return A\n    return g, A",
        "A = 1\ndef f():\n    A = 2\n    def g():\n        nonlocal A\n        return A\n    return g, A",
    ),
    "global set in a function that something else calls": (
        "A = None\ndef f():\n    return A\ndef g():\n    global A\n    A = 1",
        "A = None\ndef f():\n    return A\ndef g():\n    global A\n    A = 2",
    ),
    "global set in a function": (
        "def f():\n    g()\n    return A\ndef g():\n    global A\n    A = 1",
        "def f():\n    g()\n    return A\ndef g():\n    global A\n    A = 2",
    ),
    "a nested class's name": ("def f():\n    class A: ...\n    return A", "def f():\n    class B: ...\n    return B"),
    "a registered nested function's name": (
        "def f(r):\n    @r.register\n    def a(): ...\n    return r",
        "def f(r):\n    @r.register\n    def b(): ...\n    return r",
    ),
    "local that is read by name": (
        "def f(x):\n    a = x\n    return locals()",
        "def f(x):\n    b = x\n    return locals()",
    ),
    "variables of vars()": ("def f(x):\n    a = x\n    return vars()", "def f(x):\n    b = x\n    return vars()"),
    "global that is read by a computed name": (
        "def f(x):\n    return globals()[x]\ndef g():\n    return 1",
        "def f(x):\n    return globals()[x]\ndef g():\n    return 2",
    ),
    "effect: call on import": ("import torch\ndef f(x):\n    return x", "import torch\ntorch.manual_seed(0)\ndef f(x):\n    return x"),
    "effect: setting": (
        "import torch\ntorch.backends.cudnn.benchmark = False\ndef f(x):\n    return x",
        "import torch\ntorch.backends.cudnn.benchmark = True\ndef f(x):\n    return x",
    ),
    "effect: under a condition": (
        "import torch\nif torch.cuda.is_available():\n    torch.use(1)\ndef f(x):\n    return x",
        "import torch\nif torch.cuda.is_available():\n    torch.use(2)\ndef f(x):\n    return x",
    ),
    "effect: entry of a table": (
        "TABLE = {}\ndef g(): return 1\nTABLE['a'] = g\ndef f(x):\n    return TABLE[x]",
        "TABLE = {}\ndef g(): return 2\nTABLE['a'] = g\ndef f(x):\n    return TABLE[x]",
    ),
    "effect: registered by a decorator": (
        "T = {}\ndef add(g):\n    T[g.__name__] = g\n    return g\n@add\ndef g(): return 1\ndef f(x):\n    return T[x]",
        "T = {}\ndef add(g):\n    T[g.__name__] = g\n    return g\n@add\ndef g(): return 2\ndef f(x):\n    return T[x]",
    ),
    "effect: registered elsewhere by a decorator": (
        "import atexit\n@atexit.register\ndef g():\n    return 1\ndef f(): ...",
        "import atexit\n@atexit.register\ndef g():\n    return 2\ndef f(): ...",
    ),
    "effect: implementation of a generic function": (
        "import functools\n@functools.singledispatch\ndef f(x): ...\n@f.register\ndef _(x: int):\n    return 1",
        "import functools\n@functools.singledispatch\ndef f(x): ...\n@f.register\ndef _(x: int):\n    return 2",
    ),
    "type for which a generic function is implemented": (
        "import functools\n@functools.singledispatch\ndef f(x): ...\n@f.register\ndef _(x: int):\n    return 1",
        "import functools\n@functools.singledispatch\ndef f(x): ...\n@f.register\ndef _(x: float):\n    return 1",
    ),
    "a function that happens to be called import_module": (
        "def import_module(name):\n    return 1\ndef f():\n    return import_module('a')",
        "def import_module(name):\n    return 2\ndef f():\n    return import_module('a')",
    ),
    "module imported by a constant name": (
        "import importlib\ndef f(x):\n    return importlib.import_module('toy.losses')",
        "import importlib\ndef f(x):\n    return importlib.import_module('toy.other')",
    ),
}


def both(case: tuple[str, str], folder: Path) -> list[Path]:
    for source in case:
        compile(source, "case", "exec")
    return [write(folder / str(k), {**AROUND, "m": source}) for k, source in enumerate(case)]


@pytest.mark.parametrize("case", SAME)
def test_leaves_the_meaning(case: str, tmp_path: Path) -> None:
    before, after = both(SAME[case], tmp_path)
    assert (before / "m.py").read_text() != (after / "m.py").read_text()
    assert meaning("toy.m.f", package_folder=before) == meaning("toy.m.f", package_folder=after)


@pytest.mark.parametrize("case", DIFFERENT)
def test_changes_the_meaning_and_the_explanation(case: str, tmp_path: Path) -> None:
    before, after = both(DIFFERENT[case], tmp_path)
    assert meaning("toy.m.f", package_folder=before) != meaning("toy.m.f", package_folder=after)
    assert explain("toy.m.f", package_folder=before) != explain("toy.m.f", package_folder=after)


# ---- What is reached

CHAIN = {
    "m": "from toy.middle import g\ndef f(x):\n    return g(x)",
    "middle": "from toy import deep\ndef g(x):\n    return deep.h(x)\ndef unused():\n    return 1",
    "deep": "def h(x):\n    return x * FACTOR\nFACTOR = 2\nOTHER = 3",
}


def test_a_helper_two_modules_away(tmp_path: Path) -> None:
    before = toy(tmp_path, CHAIN)
    assert toy(tmp_path, {**CHAIN, "deep": CHAIN["deep"].replace("FACTOR = 2", "FACTOR = 4")}) != before
    assert toy(tmp_path, {**CHAIN, "deep": CHAIN["deep"].replace("x *", "x +")}) != before
    assert toy(tmp_path, {**CHAIN, "deep": CHAIN["deep"].replace("OTHER = 3", "OTHER = 4")}) == before
    assert toy(tmp_path, {**CHAIN, "middle": CHAIN["middle"].replace("return 1", "return 2")}) == before


def test_explain_names_just_what_is_reached_and_what_changed(tmp_path: Path) -> None:
    before = explain("toy.m.f", package_folder=write(tmp_path, CHAIN))
    assert list(before) == ["toy.deep.FACTOR", "toy.deep.h", "toy.m.f", "toy.middle.g"]
    after = explain("toy.m.f", package_folder=write(tmp_path, {**CHAIN, "deep": CHAIN["deep"].replace("x *", "x +")}))
    assert {name for name in before if before[name] != after[name]} == {"toy.deep.h"}


def test_a_renamed_file_means_the_same(tmp_path: Path) -> None:
    renamed = {name.replace("deep", "shallow"): source.replace("deep", "shallow") for name, source in CHAIN.items()}
    assert toy(tmp_path, renamed) == toy(tmp_path, CHAIN)


def test_recursion_ends(tmp_path: Path) -> None:
    files = {"m": "def f(x):\n    return g(x)\ndef g(x):\n    return f(x - 1)"}
    assert toy(tmp_path, files) != toy(tmp_path, {"m": files["m"].replace("- 1", "- 2")})


def test_a_shadowed_name_pulls_nothing_in(tmp_path: Path) -> None:
    source = """
        from toy.losses import scale, square, unused, EPSILON

        def f(scale, x):
            for square in x:
                pass
            with x as unused, x as (EPSILON, _):
                return [scale, square, unused, EPSILON]
        """
    assert list(explain("toy.m.f", package_folder=write(tmp_path, {**AROUND, "m": source}))) == ["toy.m.f"]


def test_the_first_iterable_of_a_comprehension_is_read_outside_of_it(tmp_path: Path) -> None:
    source = "from toy.losses import scale, square\ndef f():\n    return [scale for scale in square for _ in scale]"
    assert "toy.losses.square" in explain("toy.m.f", package_folder=write(tmp_path, {**AROUND, "m": source}))
    source = "from toy.losses import scale\ndef f():\n    return [scale for scale in scale]"
    assert "toy.losses.scale" in explain("toy.m.f", package_folder=write(tmp_path, {**AROUND, "m": source}))


def test_a_class_attribute_does_not_hide_the_module_from_methods(tmp_path: Path) -> None:
    source = "from toy.losses import scale\nclass f:\n    scale = 1\n    def g(self):\n        return scale"
    assert "toy.losses.scale" in explain("toy.m.f", package_folder=write(tmp_path, {**AROUND, "m": source}))


def test_a_class_comes_whole_with_what_its_methods_need(tmp_path: Path) -> None:
    source = "from toy.losses import scale\nclass C:\n    def g(self):\n        return scale(1)\ndef f():\n    return C.name"
    assert {"toy.m.C", "toy.losses.scale"} <= explain("toy.m.f", package_folder=write(tmp_path, {**AROUND, "m": source})).keys()


def test_a_module_as_an_object_comes_whole(tmp_path: Path) -> None:
    source = "from toy import losses\ndef f(name):\n    return getattr(losses, name)"
    names = {"EPSILON", "scale", "square", "unused"}
    assert explain("toy.m.f", package_folder=write(tmp_path, {**AROUND, "m": source})).keys() == {
        "toy.losses", "toy.m.f", *(f"toy.losses.{name}" for name in names)
    }  # fmt: skip
    before = toy(tmp_path, {**AROUND, "m": source})
    assert toy(tmp_path, {**AROUND, "m": source, "losses": AROUND["losses"].replace("unused", "other")}) != before  # found by its name
    assert toy(tmp_path, {**AROUND, "m": source, "losses": AROUND["losses"].replace("import torch", "")}) == before


def test_a_package_as_an_object_brings_its_modules(tmp_path: Path) -> None:
    source = "from toy import nets\ndef f(name):\n    return getattr(nets, name)"
    assert "toy.nets.dcgan.Encoder" in explain("toy.m.f", package_folder=write(tmp_path, {**AROUND, "m": source}))


def test_a_module_may_make_its_attributes(tmp_path: Path) -> None:
    files = {"lazy": "def __getattr__(name):\n    return 1", "m": "from toy.lazy import anything\ndef f():\n    return anything"}
    assert toy(tmp_path, files) != toy(tmp_path, {**files, "lazy": files["lazy"].replace("1", "2")})


def test_a_package_that_imports_its_own_module(tmp_path: Path) -> None:
    files = {**AROUND, "nets/__init__": "from . import dcgan\ndef build():\n    return dcgan.Encoder()"}
    assert set(explain("toy.nets.build", package_folder=write(tmp_path, files))) == {"toy.nets.build", "toy.nets.dcgan.Encoder"}


# ---- What happens on import

EFFECTS = {
    "m": "from toy.settings import LIMIT\ndef f():\n    return LIMIT",
    "settings": "import toy.deeper\nLIMIT = 1",
    "deeper": "import torch\ntorch.set_default_dtype(VALUE)\nVALUE = 1\nOTHER = 1",
}


def test_effects_of_every_module_that_gets_imported(tmp_path: Path) -> None:
    before = toy(tmp_path, EFFECTS)
    assert toy(tmp_path, {**EFFECTS, "deeper": EFFECTS["deeper"].replace("VALUE = 1", "VALUE = 2")}) != before
    assert toy(tmp_path, {**EFFECTS, "deeper": EFFECTS["deeper"].replace("OTHER = 1", "OTHER = 2")}) == before
    assert toy(tmp_path, {**EFFECTS, "settings": "LIMIT = 1"}) != before
    assert toy(tmp_path, {**EFFECTS, "elsewhere": "import torch\ntorch.manual_seed(1)"}) == before  # imported by none


def test_effects_of_the_packages_around_and_of_imports_inside_functions(tmp_path: Path) -> None:
    grown = {"m": "import toy.grow\nfrom toy.tables import T\ndef f():\n    return T", "tables": "T = []"}
    grow = "from toy.tables import T\nT += [{}]"
    assert toy(tmp_path, {**grown, "grow": grow.format(1)}) != toy(tmp_path, {**grown, "grow": grow.format(2)})
    files = {"m": "def f():\n    import toy.a.b", "a/__init__": "print(1)", "a/b": "print(2)"}
    assert set(explain("toy.m.f", package_folder=write(tmp_path, files))) == {"toy.m.f", "toy.a.<import>", "toy.a.b.<import>"}


def test_a_pure_definition_under_a_condition_is_no_effect(tmp_path: Path) -> None:
    source = "def f():\n    return 1\nif f:\n    def g():\n        return {}"
    assert toy(tmp_path, {"m": source.format(1)}) == toy(tmp_path, {"m": source.format(2)})


# ---- Registries

REGISTRIES = {
    "m": """
        from toy import losses
        from toy.tables import MODELS

        def f(name, model):
            return getattr(losses, name)(losses.EPSILON), MODELS[model]
        """,
    "tables": """
        def build_a():
            return 1

        def build_b():
            return 2

        MODELS: dict[str, object] = {"a": (build_a, 1), "b": (build_b, 2)}
        """,
    "losses": AROUND["losses"],
}


def test_only_isolates_the_entries_of_a_table(tmp_path: Path) -> None:
    only = {"toy.tables.MODELS": ["a"]}
    before = toy(tmp_path, REGISTRIES, only=only)
    assert before != toy(tmp_path, REGISTRIES)
    for old, new in {"return 2": "return 3", "(build_b, 2)": "(build_b, 3)", '"b": (build_b, 2)': ""}.items():
        changed = {**REGISTRIES, "tables": REGISTRIES["tables"].replace(old, new)}
        assert toy(tmp_path, changed, only=only) == before, old
        assert toy(tmp_path, changed) != toy(tmp_path, REGISTRIES), old
    for old, new in {"return 1": "return 3", "(build_a, 1)": "(build_a, 3)"}.items():
        assert toy(tmp_path, {**REGISTRIES, "tables": REGISTRIES["tables"].replace(old, new)}, only=only) != before, old
    assert toy(tmp_path, REGISTRIES, only={"toy.tables.MODELS": ["b"]}) != before


def test_only_isolates_the_definitions_of_a_module_but_not_what_is_named(tmp_path: Path) -> None:
    only = {"toy.losses": ["scale"]}
    before = toy(tmp_path, REGISTRIES, only=only)
    for old, new, same in [("* x + EPSILON", "* x", True), ("2 * x", "3 * x", False), ("0.01", "0.02", False)]:  # m.f names EPSILON
        changed = {**REGISTRIES, "losses": REGISTRIES["losses"].replace(old, new)}
        assert (toy(tmp_path, changed, only=only) == before) is same, old


def test_the_order_of_roots_and_keys_is_nothing(tmp_path: Path) -> None:
    folder = write(tmp_path, REGISTRIES)
    only = {"toy.tables.MODELS": ["a", "b"], "toy.losses": {"square", "scale"}}
    reverse = {"toy.losses": ["scale", "square"], "toy.tables.MODELS": ("b", "a")}
    assert meaning("toy.m.f", "toy.losses.unused", only=only, package_folder=folder) == meaning(
        "toy.losses.unused", "toy.m.f", "toy.m.f", only=reverse, package_folder=folder
    )


@pytest.mark.parametrize(
    ("only", "named"),
    [
        ({"toy.tables.MODEL": ["a"]}, r"toy\.tables\.MODEL\b"),
        ({"toy.missing": ["a"]}, r"toy\.missing"),
        ({"elsewhere.TABLE": ["a"]}, r"elsewhere\.TABLE"),
        ({"toy.tables.MODELS": ["a", "z"]}, r"toy\.tables\.MODELS: no z among a, b"),
        ({"toy.losses": ["cubic"]}, r"toy\.losses: no cubic among EPSILON, scale, square, unused"),
        ({"toy.tables.build_a": ["a"]}, r"toy\.tables\.build_a: .*dict literal"),
        ({"toy.odd.COMPUTED": ["a"]}, r"toy\.odd\.COMPUTED: .*constants"),
        ({"toy.odd.SPREAD": ["a"]}, r"toy\.odd\.SPREAD: .*constants"),
        ({"toy.odd.TWICE": ["a"]}, r"toy\.odd\.TWICE: .*once"),
        ({"toy.odd.GROWN": ["a"]}, r"toy\.odd\.GROWN: .*dict literal"),
    ],
)
def test_unknown_registries_and_keys_are_named(only: dict[str, list[str]], named: str, tmp_path: Path) -> None:
    odd = "K = 'a'\nCOMPUTED = {K: 1}\nSPREAD = {'a': 1, **COMPUTED}\nTWICE = {'a': 1, 'a': 2}\nGROWN = {'a': 1}\nGROWN |= COMPUTED"
    with pytest.raises(ValueError, match=named):
        toy(tmp_path, {**REGISTRIES, "odd": odd}, only=only)


def test_without_leaves_out_what_cannot_change_a_result(tmp_path: Path) -> None:
    files = {
        "m": "from toy import bar\nfrom toy.losses import scale\ndef f(x):\n    return bar.track(scale(x))",
        "losses": AROUND["losses"],
    }
    bars = ["def track(x):\n    return x\nprint(1)", "import toy.other\ndef track(x):\n    return list(x)\nprint(2)"]
    for name, same in [("toy.bar", True), ("toy.losses.scale", False)]:
        digests = {toy(tmp_path, {**AROUND, **files, "bar": bar}, without=[name]) for bar in bars}
        assert len(digests) == (1 if same else 2)
    packed = {**files, "m": "from toy.bars import bar\nfrom toy.losses import scale\ndef f(x):\n    return bar.track(scale(x))"}
    assert len({toy(tmp_path, {**AROUND, **packed, "bars/bar": bar}, without=["toy.bars"]) for bar in bars}) == 1
    with pytest.raises(ValueError, match=r"toy\.bars"):
        toy(tmp_path, {**files, "bar": bars[0]}, without=["toy.bars"])


# ---- Refusals


@pytest.mark.parametrize("root", ["toy.m.missing", "toy.missing", "toy.m.f.name", "elsewhere", "toy.m.imported"])
def test_an_unknown_root_is_named(root: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=root.replace(".", r"\.")):
        toy(tmp_path, {"m": "from torch import imported\ndef f(): ..."}, root)


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("from toy.losses import *\ndef f(): ...", r"toy\.m, line 1: `import \*`"),
        ("def f(name):\n    import importlib\n    return importlib.import_module(name)", r"toy\.m, line 3: `importlib\.import_module`"),
        ("from importlib import import_module as i\ndef f(name):\n    return i(f'toy.{name}')", r"toy\.m, line 3"),
        ("import importlib\ndef f(name):\n    return importlib.import_module(name, 'toy')", r"toy\.m, line 3"),
        ("import importlib\ndef f():\n    return importlib.import_module('.losses', 'toy')", r"toy\.m, line 3"),
        ("def f(name):\n    return __import__(name)", r"toy\.m, line 2: `__import__`"),
        ("import sys\ndef f(name):\n    return sys.modules.get(name)", r"toy\.m, line 3: `sys\.modules"),
        ("class B: ...\ndef f(name):\n    return B.__subclasses__()", r"toy\.m, line 3: `__subclasses__`"),
        ("class f:\n    def __init_subclass__(cls):\n        TABLE.append(cls)", r"toy\.m, line 2: `__init_subclass__`"),
    ],
)
def test_what_cannot_be_followed_is_refused(source: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=named):
        toy(tmp_path, {**AROUND, "m": source})


def test_what_is_not_reached_is_not_refused(tmp_path: Path) -> None:
    files = {"m": "import sys\ndef f(): ...\ndef g():\n    return sys.modules", "star": "from toy.m import *"}
    assert list(explain("toy.m.f", package_folder=write(tmp_path, files))) == ["toy.m.f"]


# ---- Generated functions: renaming locals changes nothing, a changed literal does

LOCALS = [f"⟨{k}⟩" for k in range(4)]
INNER = [f"⟨{k}⟩" for k in range(4, 7)]  # variables of comprehensions, which may hide locals
LITERAL = "⟨#⟩"


@st.composite
def expressions(draw: st.DrawFn, depth: int = 1, names: tuple[str, ...] = (*LOCALS, "p", "q", "HELPER")) -> str:
    def inner() -> str:
        return draw(expressions(depth - 1, names))

    kind = draw(st.integers(0, 8 if depth else 1))
    if kind == 0:
        return LITERAL
    if kind == 1:
        return draw(st.sampled_from(names))
    variable = draw(st.sampled_from(INNER))
    # A comprehension's variable may get a local's name in the rendering, so that its element does not read locals.
    element = draw(expressions(depth - 1, ("p", "q", "HELPER", variable)))
    return [
        lambda: f"({inner()} + {inner()})",
        lambda: f"HELPER({inner()}, key={inner()}).attribute",
        lambda: f"[{element} for {variable} in {inner()}]",
        lambda: f"{{{variable}: {element} for {variable} in {inner()} if {element}}}",
        lambda: f"(lambda p: {inner()})",
        lambda: f"f'text {{{draw(st.sampled_from(names))}!r:>{{{LITERAL}}}}}'",
        lambda: f"({inner()} if {inner()} else {inner()})",
    ][kind - 2]()


@st.composite
def statements(draw: st.DrawFn, depth: int = 2) -> str:
    def block() -> str:
        return textwrap.indent(draw(statements(depth - 1)), "    ")

    def value() -> str:
        return draw(expressions())

    def local() -> str:
        return draw(st.sampled_from(LOCALS))

    def simple_or_compound() -> str:
        return [
            lambda: f"{local()} = {value()}",
            lambda: f"{local()}, *{local()} = {value()}",
            lambda: f"{local()} += {value()}",
            lambda: f"del {local()}",
            lambda: f"return {value()}",
            lambda: f"import math as {local()}",
            lambda: f"print({local()} := {value()})",
            lambda: f"for {local()} in {value()}:\n{block()}",
            lambda: f"if {value()}:\n{block()}\nelse:\n{block()}",
            lambda: f"with {value()} as {local()}:\n{block()}",
            lambda: f"try:\n{block()}\nexcept OSError as {local()}:\n{block()}",
            lambda: f"match {value()}:\n    case [{LOCALS[0]}, *{LOCALS[1]}]:\n{textwrap.indent(block(), '    ')}",
            lambda: f"def {local()}(p, r={value()}):\n{block()}",
            lambda: f"def {LOCALS[0]}():\n    nonlocal {LOCALS[1]}\n    {LOCALS[1]} = {value()}",
            lambda: f"class {'Nested'}:\n    field: int = {value()}\n    def method(self, p):\n{textwrap.indent(block(), '    ')}",
        ][draw(st.integers(0, 14 if depth else 6))]()

    return "\n".join(simple_or_compound() for _ in range(draw(st.integers(1, 2))))


PLAIN = ["a0", "a1", "a2", "a3", "c0", "c1", "c2"]


def render(body: str, names: list[str], literals: list[int]) -> str:
    body = f"{' = '.join(LOCALS)} = 0\n{body}"
    for placeholder, name in zip(LOCALS + INNER, names, strict=True):
        body = body.replace(placeholder, name)
    for literal in literals:
        body = body.replace(LITERAL, str(literal), 1)
    source = "def HELPER(x, key):\n    return x\n\ndef f(p, q):\n" + textwrap.indent(body, "    ")
    compile(source, "generated", "exec")
    return source


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("generated")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_renaming_locals_of_any_function_leaves_its_meaning_and_a_changed_literal_does_not(data: st.DataObject, folder: Path) -> None:
    body = f"{LOCALS[1]} = {LITERAL}\n" + data.draw(statements())
    literals = list(range(body.count(LITERAL)))
    outer = data.draw(st.permutations(["b", "HELPERS", "x", "losses", "key", "attribute"]))[: len(LOCALS)]
    inner = data.draw(st.permutations([*outer, "c0", "c1"]))[: len(INNER)]
    before = toy(folder, {"m": render(body, PLAIN, literals)})
    assert toy(folder, {"m": render(body, [*outer, *inner], literals)}) == before
    literals[data.draw(st.sampled_from(literals))] += 1000
    assert toy(folder, {"m": render(body, PLAIN, literals)}) != before


# ---- Scopes, against the interpreter's own


class Recorder(Writer):
    """A writer that notes which names it takes for the module's or for builtins."""

    def __init__(self, module: Module, statement: ast.stmt):
        self.outside: set[str] = set()
        super().__init__(module, [statement])

    def lookup(self, name: str) -> str | Reference:
        found = super().lookup(name)
        if found == self.module.lookup(name):
            self.outside.add(name)
        return found

    def refer(self, found: str | Reference, node: ast.AST) -> None:
        pass


def globals_of(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_global() and (symbol.is_referenced() or symbol.is_assigned() or symbol.is_imported()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from globals_of(child)


def bare(definition: ast.FunctionDef | ast.ClassDef) -> str:
    """Source of a definition without what is read around it (decorators, defaults, bases), each empty body filled."""
    definition.decorator_list = []
    if isinstance(definition, ast.ClassDef):
        definition.bases, definition.keywords = [], []
    else:
        definition.args.defaults = [ast.Constant(None) for _ in definition.args.defaults]
        definition.args.kw_defaults = [default and ast.Constant(None) for default in definition.args.kw_defaults]
    for node in ast.walk(definition):
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(ast.fix_missing_locations(definition))


@pytest.mark.parametrize("name", ["argparse", "collections", "enum", "functools", "inspect", "typing"])
def test_scopes_agree_with_the_interpreter(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    tree = Tidy(name, False).visit(ast.parse(Path(spec.origin).read_bytes()))
    module = Module(name)  # without definitions, so that a name which is not the definition's own is a builtin's
    definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert len(definitions) > 3
    for definition in definitions:
        text = bare(definition)
        (table,) = symtable.symtable(text, name, "exec").get_children()
        found = Recorder(module, ast.parse(text).body[0]).outside
        assert {name for name in found if is_plain(name)} == {name for name in globals_of(table) if is_plain(name)}, definition.name


def is_plain(name: str) -> bool:
    """Whether a name is no private one of a class, which the interpreter mangles, and not `__class__`, which it makes."""
    return "__" not in name


# ---- The package itself


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(REAL, tmp_path / "pga", ignore=shutil.ignore_patterns("__pycache__")))


SCIENCE = ("pga.params", "pga.networks", "pga.method.losses", "pga.method.values", "pga.training.trainer")


class Decorate(ast.NodeTransformer):
    """Gives every function another docstring and annotates every argument."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(ast.Constant("Another docstring.")))
        if not any(isinstance(decorator, ast.Attribute) and decorator.attr == "register" for decorator in node.decorator_list):
            for argument in node.args.args:
                argument.annotation = ast.Constant("Something")
        return node


def test_rewriting_every_file_of_the_package_leaves_every_meaning(copy: Path) -> None:
    before = explain(*SCIENCE, package_folder=copy)
    assert {"pga.method.losses.prior_nll", "pga.method.terms.MODELS", "pga.networks.build.build"} <= before.keys()
    for path in sources(copy):
        tree = Decorate().visit(ast.parse(path.read_text(encoding="utf-8")))
        future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
        rest = [node for node in tree.body if node not in future]
        lines = ast.unparse(ast.fix_missing_locations(ast.Module([*future, *rest], []))).splitlines()
        path.write_text("# a comment\n\n" + "\n".join(lines) + "\n\n# the end\n", encoding="utf-8")
    assert explain(*SCIENCE, package_folder=copy) == before


def test_a_changed_loss_changes_what_uses_it_and_nothing_else(copy: Path) -> None:
    everything = {"pga.method.losses": ["prior_nll"]}
    before = [
        meaning("pga.method.losses.prior_nll", package_folder=copy),
        meaning("pga.method.losses.reconstruction", package_folder=copy),
        meaning("pga.method.losses", package_folder=copy),
        meaning("pga.method.losses", only=everything, package_folder=copy),
    ]
    file = copy / "method/losses.py"
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "reconstruction")
    function.body[-1] = ast.Return(ast.Name("x_hat", ast.Load()))
    file.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")
    after = [
        meaning("pga.method.losses.prior_nll", package_folder=copy),
        meaning("pga.method.losses.reconstruction", package_folder=copy),
        meaning("pga.method.losses", package_folder=copy),
        meaning("pga.method.losses", only=everything, package_folder=copy),
    ]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, False, True]


def test_an_edit_that_keeps_size_and_time_of_a_file_is_seen(tmp_path: Path) -> None:
    package = write(tmp_path, {"m": "def f():\n    return 1"})
    before, status = meaning("toy.m.f", package_folder=package), (package / "m.py").stat()
    (package / "m.py").write_text("def f():\n    return 2", encoding="utf-8")
    os.utime(package / "m.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert meaning("toy.m.f", package_folder=package) != before


def test_sources_are_of_the_moment_at_which_they_were_read(tmp_path: Path) -> None:
    package = write(tmp_path, {**AROUND, "m": "from toy import losses\ndef f(x):\n    return losses.square(x)"})
    before, sources = meaning("toy.m.f", package_folder=package), Sources(package)  # nothing is parsed yet
    for name in ("m", "losses"):
        (package / f"{name}.py").unlink()
    assert meaning("toy.m.f", sources=sources) == before
    with pytest.raises(ValueError, match="toy.m.f"):
        meaning("toy.m.f", package_folder=package)


def test_files_that_nothing_can_import_mean_nothing(tmp_path: Path) -> None:
    package = write(tmp_path, {**AROUND, "m": "from toy import losses\ndef f(x):\n    return losses"})
    before = meaning("toy.m.f", package_folder=package)
    (package / ".#m.py").symlink_to("somebody@host.1:2")  # as editors mark what is open
    (package / "losses.bak.py").write_text("def g(x):\n    return x")
    (package / "folder.py").mkdir()
    assert meaning("toy.m.f", package_folder=package) == before


def test_the_same_in_every_process_and_nothing_analysed_is_imported() -> None:
    roots = ("pga.method.values", "pga.runtime.files")
    program = f"""if True:
        import sys
        from pga.fingerprints.closure import meaning
        print(meaning{roots})
        assert not {{"torch", *{roots}}} & {{*sys.modules}}"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REAL.parent)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in "012"
    }  # fmt: skip
    assert digests == {meaning(*roots) + "\n"}


KEPT = """
import functools
import torch.nn.functional as F
from toy import losses

TABLE: dict[str, object] = {"a": 1, "b": (2.5, -3j, b"x", None, ...)}
torch.backends.cudnn.benchmark = not True

class Model(dict, metaclass=type):
    width: int = 4

    @functools.cached_property
    def size(self) -> int:
        return [i for i in self if i][1:-1:2]

async def g(a, /, b=1, *c, d, e=2, **k):
    async with a as h, b:
        yield {**k, "h": await h}, {*c, d}
    while e := e - 1:
        continue
    else:
        assert 0 < e <= 9, f"{e=} {e:>{a}.2f} {e!r}"

def f(x):
    global TABLE
    try:
        y, *z = (lambda p, q=x: p if q else F.relu(p))(x)
    except* (OSError, ValueError) as error:
        raise KeyError from error
    finally:
        del x[0]
    match y:
        case {"k": [1, *r], **s} | losses.square(r, a=s) if r:
            TABLE += getattr(losses, r), Model(s=s), g
        case None | -1:
            pass

    def inner():
        nonlocal y
        y @= 1
        return locals

    return inner, z
"""


def test_the_normal_form_itself_is_unchanged(tmp_path: Path) -> None:
    """A digest kept from before. If it changes, so do all digests, and every run would be trained again: change it knowingly."""
    assert toy(tmp_path, {**AROUND, "m": KEPT}) == "820e9748b3e7999831428c0547ee8920a498c26333089a940622c9db19ca55b8"
