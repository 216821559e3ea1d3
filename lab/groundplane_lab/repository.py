"""A package repository on a lab machine: real packages, made there by dpkg-deb, that apt finds with no internet.

The machine's other package sources are moved aside, for nothing of them is in reach of the lab.
"""

from __future__ import annotations

from collections.abc import Mapping

from groundplane_lab.lab import execute
from groundplane_lab.model import Lab

_FOLDER = "/srv/packages"
_PUBLISH = r"""set -eu
name=$1 version=$2 folder=$3; shift 3
mkdir -p "$folder"
if ls /etc/apt/sources.list.d/*.sources >/dev/null 2>&1; then
    mkdir -p /etc/apt/elsewhere
    mv /etc/apt/sources.list.d/*.sources /etc/apt/elsewhere/
fi
echo "deb [trusted=yes] file:$folder ./" > /etc/apt/sources.list
tree=$(mktemp -d)
chmod 0755 "$tree"
mkdir "$tree/DEBIAN"
printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: lab <lab@localhost>\nDescription: made in the lab\n' \
    "$name" "$version" > "$tree/DEBIAN/control"
while [ $# -gt 1 ]; do
    mkdir -p "$tree/$(dirname "$1")"
    printf '%s' "$2" > "$tree/$1"
    case $1 in DEBIAN/*inst | DEBIAN/*rm) chmod 0755 "$tree/$1" ;; esac
    shift 2
done
dpkg-deb --root-owner-group --build "$tree" "$folder/${name}_${version}_all.deb" > /dev/null
rm -r "$tree"
cd "$folder"
for file in *.deb; do
    dpkg-deb -f "$file"
    digest=$(sha256sum < "$file" | cut -c1-64)
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$file" "$(stat -c %s "$file")" "$digest"
done > Packages.new
mv Packages.new Packages
"""


def publish(lab: Lab, machine: str, name: str, version: str, files: Mapping[str, str] | None = None) -> None:
    """Add a package to the machine's own repository; `files` are by path, maintainer scripts below DEBIAN/."""
    content = [part for path, text in (files or {}).items() for part in (path.lstrip("/"), text)]
    execute(lab, machine, ["sh", "-c", _PUBLISH, "sh", name, version, _FOLDER, *content])
