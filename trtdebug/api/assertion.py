"""`trtdebug.assert_matches`: a test that tells the cause when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from typing_extensions import Unpack

from trtdebug.api.arguments import CaseArguments, FilePath
from trtdebug.api.debug import debug
from trtdebug.api.result import DebugResult
from trtdebug.api.values import FLAG
from trtdebug.debugger import Until
from trtdebug.report.blamed import blamed

if TYPE_CHECKING:
    import onnx

_MOST = 10


def assert_matches(
    model: FilePath | onnx.ModelProto,
    *,
    fragile: bool = False,
    until: Until = "fix",
    session: FilePath | None = None,
    **case: Unpack[CaseArguments],
) -> DebugResult:
    """Raises `AssertionError`, with the cause in words, unless the candidate agrees with the reference.

        def test_the_export_survives_fp16():
            trtdebug.assert_matches("model.onnx", fp16=True, inputs="samples/")

    In pytest the fixture `assert_matches` does the same, with its session in the test's own temporary folder.

    Args:
        model: path of an ONNX file, or a model in memory.
        fragile: accept `"fragile"`, too: the builds pass, but one with low precision everywhere does not.
        until: how far to go where it fails: `"localise"` (the cause), `"fix"` or `"repro"`.
        session: session folder. Default: a new one, `.trtdebug/<id>`.
        **case: how the candidate is built, fed and judged; see `CaseArguments`.

    Returns:
        The result, where it matches.

    Raises:
        AssertionError: it does not agree, or nothing could be compared.
        UserError: something that was given does not exist, can't be read or does not fit.
    """
    __tracebackhide__ = True
    FLAG.taken("fragile", fragile)
    result = debug(model, until=until, session=session, **case)
    if result.matches or (fragile and result.verdict == "fragile"):
        return result
    raise AssertionError("\n".join(_lines(result)))


def _lines(result: DebugResult) -> Iterator[str]:
    model, fix = result.report["model"]["path"], result.fix
    yield f"{model}: {result.verdict}"
    yield f"  {result.reason}"
    for culprit in result.report["culprits"][:_MOST]:
        what = "cause" if culprit["proven"] else "suspected"
        yield f"  {what}: {' + '.join(blamed(culprit)[:_MOST])}: {culprit['evidence']}"
    if len(result.culprits) > _MOST:
        yield f"  ... and {len(result.culprits) - _MOST} more"
    if fix is not None:
        yield f"  fix (verified): {fix.summary}"
    for line in result.diagnosis.unknown:
        yield f"  not known: {line}"
    yield f"  report: {result.session / 'report.txt'}"
