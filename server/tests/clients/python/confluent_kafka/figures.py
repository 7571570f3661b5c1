"""Figures that a script measured: printed, held against what is aimed at, and kept as JSON for whoever wants to compare.

`TARGETS=no` has them only told; `JSON` names the file.
"""

import json
import os

HAS_TARGETS = os.environ.get("TARGETS") != "no"


def quantile(samples, share):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(samples):
    """Median, 90th and 99th percentile and the greatest, of seconds, in milliseconds."""
    shares = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "max_ms": 1}
    return {"count": len(samples)} | {name: round(quantile(samples, share) * 1000, 2) for name, share in shares.items()}


def tell(what, spread_):
    figures = ", ".join(f"{name.removesuffix('_ms')} {value:.0f} ms" for name, value in spread_.items() if name != "count")
    print(f"--  {what}: {spread_['count']} times, {figures}", flush=True)


def check_below(what, limit, got, unit):
    tell_target(what, got < limit, "under", limit, got, unit)


def check_at_least(what, limit, got, unit):
    tell_target(what, got >= limit, "at least", limit, got, unit)


def tell_target(what, is_met, how, limit, got, unit):
    if is_met:
        print(f"{'ok' if HAS_TARGETS else '--'}  {what}: {got:.4g} {unit} ({how} {limit:g})", flush=True)
    elif HAS_TARGETS:
        print(f"FAILED  {what}: expected {how} {limit:g} {unit}, got {got:.4g} {unit}", flush=True)
    else:
        print(f"--  {what}: {got:.4g} {unit}, which misses the aim of {how} {limit:g}", flush=True)


def keep(figures):
    if path := os.environ.get("JSON"):
        with open(path, "w") as file:
            json.dump(figures, file, indent=1)
            file.write("\n")
