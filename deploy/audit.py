"""Read what pip-audit found about the lock and say it; asks nobody itself. `make audit` runs both.

pip-audit calls a lock well when the database knew none of its packages, and ends with the same status for a weakness and
for a database out of reach. So this decides: exit 0: every package was looked up and none has a known weakness. 1: at
least one has. 3: at least one package could not be looked up, so nothing is known of it.
"""

import json
import sys

WELL, WEAK, UNKNOWN = 0, 1, 3


def judge(report: str) -> tuple[int, list[str]]:
    """Give the exit status and the lines to print for pip-audit's JSON."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        return UNKNOWN, ["audit: NOT DONE, the database of weaknesses could not be asked; nothing is known"]
    weak = [
        f"{package['name']} {package['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'no release'}"
        for package in packages
        for found in package.get("vulns", [])
    ]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if weak:
        return WEAK, [*weak, f"audit: {len(weak)} known weaknesses; {len(skipped)} packages could not be looked up"]
    if skipped or not packages:
        return UNKNOWN, [f"audit: NOT DONE, {len(skipped)} of {len(packages)} packages could not be looked up"]
    return WELL, [f"audit: none of {len(packages)} packages has a known weakness"]


if __name__ == "__main__":
    status, lines = judge(sys.stdin.read())
    print("\n".join(lines))
    sys.exit(status)
