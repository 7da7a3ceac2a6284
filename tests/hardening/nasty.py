"""Texts that end what they stand in, if whoever writes them forgets to escape."""

from __future__ import annotations

CODE = [
    'x"""\nimport os\nos.abort()\n"""',
    "x'''\nraise SystemExit\n'''",
    'x"""; import os; os.abort() #',
    '"',
    "'",
    '"""',
    "'''",
    "\\",
    "ends with a backslash\\",
    '\\"""',
    "\\N{BULLET}",
    "\\x00\\u0000\\777",
    "{{ 7 * 7 }}{% for x in range(9) %}{% endfor %}{# comment #}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "%s %(name)s {0} {name!r} ${HOME} `id` $(id)",
    "# comment",
    "# -*- coding: utf-7 -*-",
    "# type: ignore",
    "# fmt: off",
    "# ruff: noqa",
    "a\nb",
    "a\r\nb",
    "a\rb",
    "\n\n\nclass Evil: pass",
    "\n    raise SystemExit",
]
"""Against Python, its comments and docstrings, and templates."""

MARKUP = [
    "<script>alert(1)</script>",
    "</text></svg><script>alert(1)</script>",
    "<!-- -->",
    "]]>",
    "<![CDATA[ x ]]>",
    "&amp; &lt; &#60; &unknown;",
    '" onload="alert(1)',
    "' onload='alert(1)",
    "javascript:alert(1)",
    "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;",
    "|x| a --> b; click a call f()",
    "%%{init: {'theme': 'dark'}}%%",
    "[link](javascript:alert(1)) **bold** | cell | `code`",
    "=cmd|' /C calc'!A0",
]
"""Against SVG, HTML, Mermaid, Markdown and spreadsheets."""

CHARACTERS = [
    "a\u2028b",
    "a\u2029b",
    "a\x85b",
    "a\x0bb",
    "a\x0cb",
    "a\x1cb\x1db\x1eb",
    "a\x00b",
    "a\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "a\x08\x7f",
    "\ufeffa",
    "a\u200bb\u200db\u2060",
    "a\u202egnp.exe\u202c",
    "a\u2066\u2067\u2069b",
    "a\ud800b",
    "a\udc80b",
    "a\uffff\ufffeb",
    "a\u0301\u0301\u0301",
    "\uff41\uff42\uff43",
    "\u0430dmin",
    "\u2168\xb2\u2460",
    "🏴\U000e0067\U000e0062\U000e007f",
    "\U0010ffff",
    "é 中文 العربية 🙂",
    " leading and trailing ",
    "   ",
    "\t",
    "\xa0",
    "x" * 500,
    "x " * 250,
    "x" * 100_000,
]
"""Against terminals, line splitting, sorting, widths and encodings."""

TEXTS = CODE + MARKUP + CHARACTERS
