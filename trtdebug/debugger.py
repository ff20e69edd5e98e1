"""The main job: from an open case to its diagnosis. Room 6.5: above the stages and the repro, below the CLI."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

from trtdebug import __version__
from trtdebug.core.build_error import BuildError
from trtdebug.core.diagnosis import (
    BackendInfo,
    Culprit,
    Diagnosis,
    ExtensionInfo,
    Fix,
    ReproResult,
    StageTime,
    TrialCounts,
)
from trtdebug.core.errors import UserError
from trtdebug.core.finding import Finding
from trtdebug.core.intervention import Intervention, Knob
from trtdebug.core.outcome import Outcome, Signature
from trtdebug.export.folder import export_fix
from trtdebug.fixes.ladder.helpless import helpless
from trtdebug.graph.index import GraphIndex
from trtdebug.graph.load import load_model
from trtdebug.repro.of_build import export_unbuilt
from trtdebug.repro.of_case import export_repro
from trtdebug.stages.axes import axes, told
from trtdebug.stages.context import Context, Progress
from trtdebug.stages.divergence import first_divergence
from trtdebug.stages.fix import fix
from trtdebug.stages.flaky import flaky_builds
from trtdebug.stages.localise import Located, localise
from trtdebug.stages.narrow import Narrowed, heisenbug, narrow, suspected
from trtdebug.stages.observe import Observation, observe
from trtdebug.stages.output_verdicts import output_verdicts
from trtdebug.stages.preflight import plugin_problems, run_checks
from trtdebug.stages.propagate import Propagated, first_failing, propagate
from trtdebug.stages.refused import Refused, refused, why_refused
from trtdebug.stages.repeated import enough
from trtdebug.stages.sanity import Sanity, can_force, sanity, with_forced
from trtdebug.stages.shortcut import Shortcut, foresee, shortcut
from trtdebug.stages.tactics import can_choose, tactics
from trtdebug.stages.unbuildable import Unbuildable
from trtdebug.stages.unfuse import fewest_marks

T = TypeVar("T")
Until = Literal["localise", "fix", "repro"]
"""How far the pipeline goes."""


@dataclass
class Debugger:
    """Runs the pipeline of an open case.

    Attributes:
        findings: what preflight found already.
        until: the last stage to run.
        fix_folder: where to export a verified fix; None = fix/ in the session.
    """

    ctx: Context
    findings: tuple[Finding, ...] = ()
    until: Until = "repro"
    fix_folder: Path | None = None
    stages: list[StageTime] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    infos: dict[str, BackendInfo] = field(default_factory=dict)
    _unbuilt: tuple[Unbuildable, ...] = ()
    _tactics_tried: bool = False
    _undecided_tactics: tuple[str, ...] = ()

    def run(self) -> Diagnosis:
        """The diagnosis. What could not be decided stands in `unknown`; it is never guessed."""
        self.ctx.session.listeners.append(lambda job, outcome, cached: self._note_engine(outcome))
        try:
            with self._stage("sanity"):
                sane = sanity(self.ctx)
        except UserError as error:
            self._check(with_reference=False)
            return self._unreferenced(error)
        self.findings += sane.findings
        self._check(with_reference=True)
        if not sane.steady:
            return self._diagnosis(sane)
        if sane.natural and (errors := why_refused(self.ctx, sane.natural)):
            return self._refused(sane, errors)
        self.findings += flaky_builds(sane.natural)
        if sane.presumed:
            short = self._shortcut()
            if short is not None:
                return self._confirmed(sane, short)
            if self.ctx.low is not None:  # in FP32 global switches come first
                by_tactics = self._by_tactics(sane)
                if by_tactics is not None:
                    return by_tactics
        with self._stage("sanity"):
            sane = with_forced(self.ctx, sane)
        self.findings += tuple(f for f in sane.findings if f not in self.findings)
        if sane.verdict == "matches" and self.ctx.case.candidate_model is not None:
            self._look_inside()
        if sane.verdict == "untestable" and (errors := why_refused(self.ctx, sane.natural)):
            return self._refused(sane, errors)
        if sane.verdict in ("matches", "untestable"):
            self._say_what_was_not_tested(sane)
            return self._diagnosis(sane)
        if not sane.natural:
            self._say_that_it_was_not_built()
        if sane.searchable:
            return self._low_precision(sane)
        return self._other(sane)

    # branches -------------------------------------------------------------------------------------------

    def _shortcut(self) -> Shortcut | None:
        """What the emulator foresees, where a build of the candidate confirms that it is all."""
        if not can_force(self.ctx) or self.ctx.candidate.deterministic:
            return None
        foreseen = self._try("foresee", lambda: foresee(self.ctx))
        return self._try("observe", lambda: shortcut(self.ctx, foreseen)) if foreseen else None

    def _confirmed(self, sane: Sanity, short: Shortcut) -> Diagnosis:
        """Each convicted node fails by itself, and with all of them pinned the candidate passes."""
        if not sane.natural:
            self._say_that_it_was_not_built()
            sane = replace(sane, verdict="fragile", signature=short.signature, reason=short.reason)
        signature = sane.signature or short.signature
        return self._located(sane, signature, short.observation, True, short.healthy)

    def _low_precision(self, sane: Sanity) -> Diagnosis:
        """Everything low fails, everything pinned passes: find what has to be pinned."""
        assert sane.forced is not None
        assert sane.forced.signature is not None
        short = None if sane.presumed else self._shortcut()  # else it was tried before
        observation = (
            short.observation if short is not None else self._try("observe", lambda: observe(self.ctx))
        )
        healthy = short.healthy if short is not None else frozenset()
        return self._located(
            sane, sane.forced.signature, observation or Observation({}, {}), sane.fast, healthy
        )

    def _located(
        self,
        sane: Sanity,
        signature: Signature,
        observation: Observation,
        fast: bool,
        healthy: frozenset[str],
    ) -> Diagnosis:
        if observation.unobserved:
            self.unknown.append(f"{len(observation.unobserved)} nodes could not be observed by themselves")
        located = self._try("localise", lambda: localise(self.ctx, signature, observation, fast, healthy))
        located = located or Located((), None)
        if not any(c.proven for c in located.culprits):
            by_tactics = self._by_tactics(sane)
            if by_tactics is not None:
                return by_tactics
        propagated = (
            self._failing(self.ctx.exposing(self.ctx.items)) if self.ctx.candidate.deterministic else None
        )
        self.unknown += located.unknown
        self.findings += located.findings
        fixes = self._fixes(sane, signature, located)
        return self._diagnosis(sane, located, fixes, observation, propagated)

    def _refused(self, sane: Sanity, errors: tuple[BuildError, ...]) -> Diagnosis:
        """The candidate does not build the model: nothing can be compared, but the part to blame can be told."""
        found = self._try("localise", lambda: refused(self.ctx, errors))
        found = found or Refused(f"the candidate cannot build this model: {errors[0]}")
        self.unknown += found.unknown
        if not found.of_the_model:
            self._say_what_was_not_tested(sane)
            return self._diagnosis(sane)
        self._unbuilt = found.pieces
        reason = self._explained(found.reason)
        sane = replace(sane, verdict="untestable", signature=Signature("build-failure"), reason=reason)
        located = Located(found.culprits, None)
        fixes = self._fixes(sane, sane.signature, located)
        if self.until != "localise" and not any(f.verified for f in fixes):
            operators = self.ctx.case.options.operators
            self.findings += tuple(helpless(self.ctx.model, found.culprits, operators))
        return self._diagnosis(sane, located, fixes)

    def _other(self, sane: Sanity) -> Diagnosis:
        """Not a matter of low precision alone, or not only: global switches, then the first wrong tensor."""
        self._say_why_not_searched(sane)
        with self._stage("axes"):
            switches = axes(self.ctx, sane.natural, self.ctx.case.fix_builds)
        self.findings += switches.findings
        knobs = switches.cure
        by_tactics = None if knobs else self._by_tactics(sane)
        if by_tactics is not None:
            return by_tactics
        self.unknown += self._undecided_tactics
        failing = next((o for o in sane.natural if o.status == "fail"), None)
        if failing is not None and self._must_not_be_perturbed():
            return self._narrowed(sane, failing, knobs)
        propagated = self._failing(())
        located = Located(self._first_wrong(propagated, told(knobs)), None, knobs=knobs)
        fixes = self._fixes(sane, sane.signature, located)
        return self._diagnosis(sane, located, fixes, None, propagated)

    def _by_tactics(self, sane: Sanity) -> Diagnosis | None:
        """The diagnosis where tactics are to blame; None where they are not, or where banning them does not help."""
        signature = sane.signature
        if self._tactics_tried or not sane.failing or signature is None or not can_choose(self.ctx):
            return None
        self._tactics_tried = True
        located = self._try("tactics", lambda: tactics(self.ctx, signature, sane.natural))
        if located is None or not located.bans:
            self._undecided_tactics = located.unknown if located is not None else ()
            return None
        fixes = self._fixes(sane, signature, located)
        if fixes and not fixes[-1].verified:
            self.unknown.append(f"tactics are in doubt, but banning them does not hold: {fixes[-1].reason}")
            return None
        self.unknown += located.unknown
        return self._diagnosis(sane, located, fixes)

    def _fixes(self, sane: Sanity, signature: Signature | None, located: Located) -> tuple[Fix, ...]:
        """All fixes that were tried, where the pipeline goes so far."""
        if self.until == "localise" or signature is None:
            return ()
        with self._stage("fix"):
            return fix(self.ctx, signature, located, self.findings, sane.natural, self.ctx.case.fix_builds)

    def _must_not_be_perturbed(self) -> bool:
        """Whether looking at tensors changes the engine: real builders fuse, and have their moods."""
        return not self.ctx.candidate.deterministic and self.ctx.case.candidate_model is None

    def _narrowed(self, sane: Sanity, failing: Outcome, knobs: tuple[Knob, ...]) -> Diagnosis:
        found = self._try("observe", lambda: narrow(self.ctx, failing))
        found = found or Narrowed({}, None, ())
        if found.unbuilt:
            self.unknown.append(f"some tensors could not be observed: {found.unbuilt}")
        if found.cured_by:
            self.findings += (heisenbug(found, failing),)
        culprits = (suspected(found, told(knobs)),) if found.nodes else ()
        located = Located(culprits, None, knobs=knobs, marks=self._fewest_marks(found, sane.natural))
        fixes = self._fixes(sane, sane.signature, located)
        return self._diagnosis(sane, located, fixes, None, Propagated(found.errors, failing))

    def _fewest_marks(self, found: Narrowed, natural: Sequence[Outcome]) -> tuple[str, ...]:
        """Of the marks that made the failure go away, the fewest that keep it away."""
        if not found.cured_by:
            return ()
        builds = enough(natural, self.ctx.case.fix_builds)
        marks = self._try("fusion", lambda: fewest_marks(self.ctx, found.cured_by, found.nodes, builds))
        if not marks:
            self.unknown.append("the tensors whose marking cured one build do not cure the next ones")
        return marks or ()

    def _say_that_it_was_not_built(self) -> None:
        self.unknown.append(
            "not built as you build it: whether your own builds fail is not known (--builds N)"
        )

    def _say_what_was_not_tested(self, sane: Sanity) -> None:
        untestable = [o for o in sane.natural if o.status == "untestable"]
        if untestable:
            count = f"{len(untestable)} of {len(sane.natural)}"
            self.unknown.append(
                f"{count} builds, made as you make them, could not be tested: {untestable[0].reason}"
            )
        if sane.forced is not None and sane.forced.status == "untestable":
            self.unknown.append(f"low precision could not be forced everywhere: {sane.forced.reason}")

    def _look_inside(self) -> None:
        """Two models whose outputs agree may differ inside: a clamp or an ArgMax hides it."""
        propagated = self._propagated(())
        error = first_failing(propagated) if propagated else None
        if error is not None:
            self.findings += (
                Finding(
                    "intermediate-differs",
                    "warning",
                    f"the outputs agree, but {error.tensor} does not: {error.reason}",
                    self.ctx.index.producer.get(error.tensor),
                    "Other inputs may show it at the outputs; `trtdebug compare` lists every tensor.",
                ),
            )

    def _say_why_not_searched(self, sane: Sanity) -> None:
        if sane.pinned is not None and sane.pinned.status != "pass":
            how = "fails, too" if sane.pinned.status == "fail" else f"can't be tested ({sane.pinned.reason})"
            self.unknown.append(
                f"with every node pinned to FP32 the candidate {how}: precision is not the only cause"
            )
        elif sane.forced is not None and sane.forced.status == "pass":
            self.unknown.append(
                "forced into low precision everywhere the candidate passes: the cause lies elsewhere"
            )
        elif sane.forced is not None and sane.forced.status == "untestable":
            self.unknown.append(f"low precision could not be forced: {sane.forced.reason}")

    def _propagated(self, interventions: Sequence[Intervention]) -> Propagated | None:
        propagated = self._try("observe", lambda: propagate(self.ctx, interventions))
        if propagated is None:
            return None
        if propagated.outcome.status == "untestable":
            self.unknown.append(f"not every tensor could be observed: {propagated.outcome.reason}")
            return None
        return propagated

    def _failing(self, interventions: Sequence[Intervention]) -> Propagated | None:
        """All tensors of a build that fails; says so where marking them cures it."""
        propagated = self._propagated(interventions)
        outputs = (
            [e for e in propagated.outcome.tensors if e.tensor in self.ctx.index.outputs]
            if propagated
            else []
        )
        if outputs and all(e.status == "pass" for e in outputs):
            self.unknown.append("with every tensor marked as an output the failure is gone (fusion matters)")
        return propagated

    def _first_wrong(self, propagated: Propagated | None, knobs: str) -> tuple[Culprit, ...]:
        error = first_failing(propagated) if propagated else None
        node = self.ctx.index.producer.get(error.tensor) if error else None
        if propagated is None or error is None or node is None:
            return ()
        blind = self._read_on_one_side(error.tensor, propagated)
        inputs = f"{blind[0]}, which it reads, exists on one side only" if blind else "what it reads agrees"
        evidence = f"{error.tensor} is the first tensor to differ ({error.reason}); {inputs}"
        if knobs:
            evidence += f"; {knobs} makes the difference"
        return (Culprit((node,), "unknown", evidence, proven=False),)

    def _read_on_one_side(self, tensor: str, propagated: Propagated) -> list[str]:
        """Tensors that the node of either model reads to compute `tensor`, and that the other model lacks."""
        ours = self.ctx.index
        blind = [t for t in ours.node(ours.producer[tensor]).reads if t in propagated.unmatched]
        if self.ctx.case.candidate_model is not None:
            theirs = GraphIndex(load_model(Path(self.ctx.case.candidate_model)))
            known = {*ours.tensors, *ours.inputs, *theirs.initializers}
            blind += [t for t in theirs.node(theirs.producer[tensor]).reads if t not in known]
        return blind

    def _unreferenced(self, error: UserError) -> Diagnosis:
        """The reference can't run, so nothing can be compared."""
        reason = self._explained(error.message)
        sane = Sanity("untestable", None, reason, ())
        errors = why_refused(self.ctx, ())
        if not errors:
            return self._diagnosis(sane)
        self.unknown.append(f"{reason}; so the repro and the fixes have nothing to be compared with")
        return self._refused(sane, errors)

    def _explained(self, reason: str) -> str:
        """The reason with the first error that the checks found in the model, where there is one."""
        broken = next((f for f in self.findings if f.severity == "error"), None)
        return f"{reason} ({broken.message})" if broken else reason

    # results --------------------------------------------------------------------------------------------

    def _diagnosis(
        self,
        sane: Sanity,
        located: Located | None = None,
        fixes: tuple[Fix, ...] = (),
        observation: Observation | None = None,
        propagated: Propagated | None = None,
    ) -> Diagnosis:
        self.ctx.session.drop_engines()
        culprits = located.culprits if located else ()
        proven = [n for c in culprits if c.proven and c.kind != "build" for n in c.nodes]
        divergence = first_divergence(self.ctx, proven, observation, propagated)
        fix_folder = self._exported(fixes)
        repro = self._repro(sane.signature, culprits) if self.until == "repro" else None
        counts = self.ctx.session.counts
        candidate = self._info(self.ctx.case.candidate)
        return Diagnosis(
            verdict=sane.verdict,
            signature=sane.signature,
            reason=sane.reason,
            rule=self.ctx.limits.describe(),
            reference=self._info(self.ctx.case.reference),
            candidate=candidate,
            builds=len(sane.natural),
            failed_builds=sum(o.status == "fail" for o in sane.natural),
            first_divergence=divergence,
            culprits=culprits,
            fixes=fixes,
            fix_folder=fix_folder,
            repro=repro,
            findings=self.findings + plugin_problems(self.ctx.plugins) + self._worker_troubles(),
            unknown=tuple(dict.fromkeys(self.unknown)),
            stages=tuple(self.stages),
            trials=TrialCounts(
                counts.total, counts.builds, counts.cached, counts.untestable, round(counts.seconds, 3)
            ),
            outputs=output_verdicts(self.ctx, sane),
            trtdebug=__version__,
            extensions=self._extensions(),
        )

    def _exported(self, fixes: tuple[Fix, ...]) -> str | None:
        """Writes what production needs for the fix that holds; of several the last, which is the best."""
        verified = [f for f in fixes if f.verified]
        if not verified:
            return None
        folder = self.fix_folder or self.ctx.session.folder / "fix"
        self.ctx.report_progress(Progress("export", f"writing {folder}"))
        info = self._info(self.ctx.case.candidate)
        versions = self._versions()
        done = self._try("export", lambda: export_fix(self.ctx, verified[-1], folder, info, versions))
        return str(folder) if done is not None else None

    def _repro(self, signature: Signature | None, culprits: tuple[Culprit, ...]) -> ReproResult | None:
        unbuilt = next((piece for piece in self._unbuilt if piece.proven), None)
        if unbuilt is not None:
            self.ctx.report_progress(Progress("repro", "exporting and re-verifying in a fresh process"))
            folder, command = self.ctx.session.folder / "repro", self.ctx.case.command
            return self._try(
                "repro", lambda: export_unbuilt(self.ctx, unbuilt, folder, command, self._versions())
            )
        proven = [c for c in culprits if c.proven and c.kind == "precision"]
        if not proven or signature is None:
            return None
        self.ctx.report_progress(Progress("repro", "exporting and re-verifying in a fresh process"))
        return self._try(
            "repro", lambda: export_repro(self.ctx, proven, self.ctx.case.command, self._versions())
        )

    def _versions(self) -> dict[str, str]:
        return {"trtdebug": __version__} | {i.backend: i.version for i in self.infos.values()}

    def _check(self, with_reference: bool) -> None:
        """All checks; `with_reference`: the reference is known to run, so they may ask for its values."""
        with self._stage("preflight"):
            found = run_checks(self.ctx, with_reference)
        self.findings = tuple(dict.fromkeys((*(f for f in self.findings), *found)))

    def _extensions(self) -> tuple[ExtensionInfo, ...]:
        """Distributions of third parties that are active, each once."""
        active = (p for p in self.ctx.plugins.plugins() if not p.builtin and p.state == "active")
        return tuple(dict.fromkeys(ExtensionInfo(p.distribution, p.version) for p in active))

    def _worker_troubles(self) -> tuple[Finding, ...]:
        """What broke workers, in an interrupted run of this session, too."""
        restarts = (e for e in self.ctx.session.journal.read() if e["event"] == "worker_restarted")
        found = (
            Finding(
                "worker-restarted",
                "warning",
                f"in the trial {e['purpose']!r} the worker of {e['backend']} had to be replaced: {e['reason']}",
                mitigation=f"The log is in the session's trials/{e['trial']}.",
            )
            for e in restarts
        )
        return tuple(dict.fromkeys(found))

    def _note_engine(self, outcome: Outcome) -> None:
        if outcome.engine is not None:
            e = outcome.engine
            self.infos.setdefault(e.backend, BackendInfo(e.backend, e.version, e.device))

    def _info(self, name: str) -> BackendInfo:
        return self.infos.get(name, BackendInfo(name, ""))

    def _try(self, name: str, work: Callable[[], T]) -> T | None:
        """A stage whose failure leaves something unknown, and does not end the session."""
        with self._stage(name):
            try:
                return work()
            except UserError as error:
                self.unknown.append(f"{name}: {error.message}")
                return None

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        journal, counts = self.ctx.session.journal, self.ctx.session.counts
        started, before = time.perf_counter(), counts.total
        journal.write("stage_started", stage=name)
        yield
        spent = StageTime(name, round(time.perf_counter() - started, 3), counts.total - before)
        journal.write("stage_finished", stage=name, seconds=spent.seconds, trials=spent.trials)
        self.stages.append(spent)
