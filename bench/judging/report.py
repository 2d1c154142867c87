"""The tables: ours beside the others, ours in every scene, and what was asked of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from judging import printed, targets
from judging.endings import ABORTED, OPEN, PROMOTED, UNAVAILABLE, Endings
from judging.flights import PAIRS, PER_STRATUM
from judging.printed import Figure
from judging.scenes import OURS, RATIOS
from judging.targets import Results, Target
from judging.worlds import GRID


def markdown(results: Results, figures: Sequence[Figure], asked: Sequence[Target], runs: int, seed: int) -> str:
    """Everything, for docs/benchmarks.md."""
    parts = [f"{runs:,} runs of each scene ({_runs(results, PAIRS):,} from random places of June), seed {seed}."]
    parts += ["\n".join(_beside(results)), "\n".join(_scenes(results)), "\n".join(_ratios(results))]
    parts += ["\n".join([*_verdicts(asked), *_reproduced(figures)])]
    return "\n\n".join(part for part in parts if part)


def _runs(results: Results, scenes: Mapping[str, Any]) -> int:
    return max((results[scene][OURS].outcome.size for scene in scenes if scene in results), default=0)


def _beside(results: Results) -> Iterator[str]:
    scenes = [scene for scene in results if len(results[scene]) > 2]
    if not scenes:
        return
    for part in (scenes[: len(printed.SCENES)], scenes[len(printed.SCENES) :]):
        if part:
            if part[0] != scenes[0]:
                yield ""
            yield "| aborted by · after, median | " + " | ".join(part) + " |"
            yield "|---|" + "--:|" * len(part)
            for judge in results[part[0]]:
                yield f"| {judge} | " + " | ".join(_aborted(results[scene][judge]) for scene in part) + " |"


def _aborted(endings: Endings) -> str:
    seconds, requests = endings.median(ABORTED, "seconds"), endings.median(ABORTED, "requests")
    share = f"{endings.share(ABORTED):.1%}"
    return share if seconds is None or requests is None else f"{share} · {seconds:,.0f} s · {requests:,.0f}"


def _scenes(results: Results) -> Iterator[str]:
    yield f"| {OURS} | aborted | promoted | neither | median to abort | median to promote |"
    yield "|---|--:|--:|--:|--:|--:|"
    for scene, judges in results.items():
        for judge, endings in judges.items():
            if scene not in RATIOS and (judge == OURS or len(judges) == 2):
                name = scene if judge == OURS else f"{scene}, counted by request: what is not guaranteed"
                gone = endings.share(UNAVAILABLE)
                yield (
                    f"| {name} | {endings.share(ABORTED) + gone:.1%}{f', as unavailable {gone:.1%}' if gone else ''} "
                    f"| {endings.share(PROMOTED):.1%} | {endings.share(OPEN):.1%} "
                    f"| {_median(scene, endings, UNAVAILABLE if gone else ABORTED)} "
                    f"| {_median(scene, endings, PROMOTED)} |"
                )


def _median(scene: str, endings: Endings, outcome: int) -> str:
    seconds = endings.median(outcome, "seconds")
    if seconds is None:
        return ""
    return f"{seconds / GRID * PER_STRATUM:,.0f} requests in all" if scene in PAIRS else f"{seconds:,.0f} s"


def _ratios(results: Results) -> Iterator[str]:
    played = [scene for scene in RATIOS if scene in results]
    if played:
        yield "| one metric alone | least canary requests of any test | ours, mean | ratio |"
        yield "|---|--:|--:|--:|"
    for scene in played:
        mean, bound = float(results[scene][OURS].requests.mean()), RATIOS[scene].bound
        yield f"| {scene} | {bound:,.0f} | {mean:,.0f} | {mean / bound:.2f} |"


def _verdicts(asked: Sequence[Target]) -> Iterator[str]:
    for target in asked:
        limit = f"{'≤' if target.at_most else '≥'} {_number(target, target.limit)}"
        said = f"{target.what} **{_number(target, target.value)}**, target {limit}: {'met' if target.met else 'missed'}"
        yield f"- {target.scene}: {said}"


def _number(target: Target, value: float) -> str:
    if target.what in (targets.ABORTS, targets.PROMOTES, targets.NO_CANARY):
        return f"{value * 100:.3g} %"
    return f"{value:,.0f} s" if target.what == targets.SECONDS else f"{value:.2f}"


def _reproduced(figures: Sequence[Figure]) -> Iterator[str]:
    if figures:
        off = [f for f in figures if not f.within]
        yield (
            f"- rules of others: {len(figures) - len(off)} of {len(figures)} figures within three Monte-Carlo errors "
            f"of what they gave before: {'met' if not off else 'missed'}"
        )
        for f in off:
            yield f"  - {f.rule}, {f.scene}: {f.what} {f.here:g}, before {f.printed:g}"


def as_json(
    results: Results, figures: Sequence[Figure], asked: Sequence[Target], runs: int, seed: int
) -> dict[str, Any]:
    """Everything, for a program."""
    return {
        "runs": runs,
        "seed": seed,
        "scenes": {
            scene: {judge: _summary(endings) for judge, endings in judges.items()} for scene, judges in results.items()
        },
        "figures": [vars(figure) for figure in figures],
        "targets": [vars(target) | {"met": target.met} for target in asked],
    }


def _summary(endings: Endings) -> dict[str, Any]:
    return {
        "runs": endings.outcome.size,
        "aborted": endings.share(ABORTED),
        "unavailable": endings.share(UNAVAILABLE),
        "promoted": endings.share(PROMOTED),
        "abort_seconds": endings.median(ABORTED, "seconds"),
        "abort_requests": endings.median(ABORTED, "requests"),
        "promote_seconds": endings.median(PROMOTED, "seconds"),
        "mean_requests": float(endings.requests.mean()),
    }
