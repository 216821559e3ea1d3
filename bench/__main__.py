"""Run the benchmark that is named, or all of them. The exit status is 1 when a goal was missed."""

from __future__ import annotations

import sys

from bench import api_server, assess, console, create_cluster, members, migrate, scale, survey
from bench.figures import save, table

BENCHMARKS = {
    "assess": assess.run,
    "members": members.run,
    "survey": survey.run,
    "scale": scale.run,
    "create_cluster": create_cluster.run,
    "migrate": migrate.run,
    "console": console.run,
    "api_server": api_server.run,
}


def main(names: list[str]) -> int:
    """Run the benchmarks and print their tables."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"cannot find benchmark {unknown[0]}: there are {', '.join(BENCHMARKS)}")
        return 2
    tables, missed = [], False
    for name in names or BENCHMARKS:
        figures = BENCHMARKS[name]()
        path = save(name, figures)
        tables.append(f"{table(name, figures)}\n(written to {path})")
        missed = missed or any(figure.met is False for figure in figures)
    print("\n\n".join(tables))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
