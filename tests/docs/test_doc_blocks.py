"""How pages are read, by which the documentation's commands are tested."""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_blocks import agrees, blocks

PAGE = """
text

<!-- needs: gpu -->
```sh
trtdebug run m.onnx \\
    --fp16   # a comment
# nothing
trtdebug status
```

<!-- exit: 4 -->

```console
$ trtdebug run m.onnx
UNTESTABLE: ...
...
$ trtdebug status
```

1. A list:

   ```python
   x = 1
   ```
"""


def test_a_page(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(PAGE)
    sh, console, python = blocks(tmp_path / "page.md")
    assert [c.words for c in sh.commands()] == [
        ["trtdebug", "run", "m.onnx", "--fp16"],
        ["trtdebug", "status"],
    ]
    assert sh.notes == {"needs": "gpu"}
    assert sh.where == "page.md:5"
    assert [c.output for c in console.commands()] == [("UNTESTABLE: ...", "..."), ()]
    assert console.notes == {"exit": "4"}
    assert (python.language, python.text, python.notes) == ("python", ("x = 1",), {})


def test_a_block_without_an_end(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("```sh\ntrtdebug status\n")
    with pytest.raises(ValueError, match="no end"):
        list(blocks(tmp_path / "page.md"))


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (("a", "b"), "a\nb\n", True),
        (("a",), "a\nb\n", False),
        (("a", "..."), "a\nb\nc\n", True),
        (("...", "c"), "a\nb\nc\n", True),
        (("...", "b"), "a\nb\nc\n", False),
        (("a", "...", "b", "..."), "a\nb\n", True),
        (("took ... s, (x)",), "took 3.2 s, (x)", True),
        (("took ... s, (x)",), "took 3.2 s, (y)", False),
        (("a", "b"), "a\n", False),
        ((), "", True),
    ],
)
def test_what_is_shown_is_what_is_printed(shown: tuple[str, ...], printed: str, same: bool) -> None:
    assert agrees(shown, printed) is same
