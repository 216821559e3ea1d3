"""What is sent to a machine: argument lists become one quoted line here, and nowhere else.

Every command runs as root (through sudo for other users), in the C locale, with a known PATH and under `timeout`,
so that the machine itself ends what we gave up. The scripts below are ours, short and POSIX: they take their
parameters as arguments, never by pasting text. A script or content that comes on standard input is used only when
all of it arrived, so that a cut connection never runs half a script or keeps half a file.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import Literal

Sudo = Literal["none", "free", "password"]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MARK = "GROUNDPLANE_RUN"
KILL_AFTER = 5

# Statuses of our own scripts; sysexits(3) numbers that the programs inside do not use.
CUT_SHORT = 65
MISSING = 66
NOT_THERE_YET = 67
CORRUPT = 68
NOT_A_FILE = 69
SUDO_ATE_NOTHING = 70
BUSY = 71
NO_ROOM = 72

_NOT_ASKING = ("sudo", "-n", "-H", "--")
# -k: ask even when an earlier answer is remembered, so that the password line is always read.
_ASKING = ("sudo", "-S", "-k", "-p", "", "-H", "--")
# With a password, sudo reads one line from standard input if it asks at all. When it did not ask, that line must
# not reach the command: the command starts only behind the second line.
_BEHIND_SUDO = 'IFS= read -r line; [ "$line" = go ] || exit 70; exec "$@"'

READ = '[ -e "$1" ] || exit 66; exec cat -- "$1"'
STAT = '[ -e "$1" ] || exit 66; exec stat -L -c "%a %s %U %G" -- "$1"'
DIGEST = '[ -e "$1" ] || exit 66; exec sha256sum < "$1"'

RUN_SCRIPT = 't=$(cat); [ "$(printf %s "$t" | wc -c)" -eq "$1" ] || exit 65; set --; eval "$t"'

# Prints how many bytes the file system of the folder $1 has free.
_FREE = """free() { set -- $(stat -f -c '%a %S' -- "$1"); echo $(($1 * $2)); }
"""

# $1 path, $2 size, $3 mode. The temporary name is fixed, so that a later try replaces what a crash left.
# A write that failed where there is no room for it failed for that: "FREE NEEDED FOLDER" is printed, in bytes.
WRITE = f"""set -eu
{_FREE}[ ! -d "$1" ] || exit 69
folder=$(dirname -- "$1"); mkdir -p -- "$folder"
new="$folder/.$(basename -- "$1").groundplane"
trap 'rm -f -- "$new"' EXIT
rm -f -- "$new"
(umask 077; cat > "$new") || {{
  rest=$(free "$folder"); have=$(stat -c %s -- "$new")
  [ "$rest" -lt $(($2 - have)) ] || exit 1
  echo "$((rest + have)) $2 $folder"; exit 72
}}
[ "$(wc -c < "$new")" -eq "$2" ] || exit 65
chmod "$3" "$new"; sync "$new"
mv -f -- "$new" "$1"; sync "$folder"
"""

# $1 path, $2 part, $3 sha256, $4 mode. Prints "whole", or the size of the part that an earlier try left.
UPLOAD_LOOK = """set -eu
[ ! -d "$1" ] || exit 69
if [ -f "$1" ] && [ "$(sha256sum < "$1" | cut -c1-64)" = "$3" ]; then
  chmod "$4" "$1"; rm -f -- "$2"; echo whole; exit 0
fi
mkdir -p -- "$(dirname -- "$1")"
if [ -f "$2" ]; then stat -c %s -- "$2"; else echo 0; fi
"""

# $1 path, $2 part, $3 sha256, $4 mode, $5 offset, $6 size. What arrives is appended; only the whole is renamed.
# The lock is held by whoever still has the part open: a sender that was given up but lives on must not go on writing
# into a file that has got its name meanwhile. A file that finds no room, before it is sent or in the middle, leaves no
# part, so that the machine is not left with a disk that we filled.
UPLOAD_SEND = f"""set -eu
{_FREE}no_room() {{ rm -f -- "$1"; echo "$2 $3 $4"; exit 72; }}
umask 077; exec 9>> "$2"; flock -w 30 9 || exit 71
have=0; [ ! -f "$2" ] || have=$(stat -c %s -- "$2")
[ "$have" -eq "$5" ] || exit 67
folder=$(dirname -- "$2"); rest=$(free "$folder")
[ "$rest" -ge $(($6 - have)) ] || no_room "$2" $((rest + have)) "$6" "$folder"
cat >> "$2" || {{
  rest=$(free "$folder"); have=$(stat -c %s -- "$2")
  [ "$rest" -ge $(($6 - have)) ] || no_room "$2" $((rest + have)) "$6" "$folder"
  exit 1
}}
[ "$(stat -c %s -- "$2")" -eq "$6" ] || exit 65
if [ "$(sha256sum < "$2" | cut -c1-64)" != "$3" ]; then rm -f -- "$2"; exit 68; fi
exec 9>&-
chmod "$4" "$2"
mv -f -- "$2" "$1"
"""

# Ends every process that carries the mark $1 in its environment: TERM, and KILL for what is left after a second. A
# process is gone some time after it was killed, on a busy machine.
END_MARKED = """
marked() { grep -lsaF -e "GROUNDPLANE_RUN=$1" /proc/[0-9]*/environ | cut -d / -f 3; }
found=$(marked "$1"); [ -n "$found" ] || exit 0
for signal in TERM KILL; do
  kill -$signal $found 2>/dev/null
  for tenth in 1 2 3 4 5 6 7 8 9 10; do
    sleep 0.1; found=$(marked "$1"); [ -n "$found" ] || exit 0
  done
done
exit 0
"""

# A person's terminal: what is typed ahead for sudo must not show, and the word $1 tells how far it is.
_SILENT = 'stty -echo; printf %s "$1"; shift; exec "$@"'
_ECHOING = 'stty echo; printf %s "$1"; shift; exec "$@"'

# The shell of whoever runs it, as it would be after logging in.
LOGIN = """cd
SHELL=$(getent passwd "$(id -u)" | cut -d : -f 7); SHELL=${SHELL:-/bin/sh}; LANG=${LANG:-C.UTF-8}; export SHELL LANG
exec "$SHELL" -l
"""

# Waits for the end of its standard input, which is the end of the connection, and ends what ran on it.
LIFELINE = "cat > /dev/null\n" + END_MARKED


def sh(text: str, *arguments: str) -> list[str]:
    """Return the argument list that runs one of our own scripts with `arguments` as $1, $2, …"""
    return ["sh", "-c", text, "sh", *arguments]


def command_line(argv: Sequence[str], *, sudo: Sudo, timeout: float | None, mark: str = "") -> str:
    """Return the line that the login shell of the machine gets for `argv`.

    With `sudo="password"`, standard input starts with the lines of `stdin_head`. `mark` goes into the environment
    of the command, to find it again. `timeout=None` is for what has to last as long as the connection.
    """
    words = ["env", "LC_ALL=C", f"PATH={PATH}"]
    if mark:
        words.append(f"{MARK}={mark}")
    if timeout is not None:
        words += ["timeout", "-k", str(KILL_AFTER), str(max(1, math.ceil(timeout)))]
    words += argv
    if sudo == "password":
        return shlex.join([*_ASKING, *sh(_BEHIND_SUDO, *words)])
    return shlex.join([*_NOT_ASKING, *words] if sudo == "free" else words)


def terminal_line(argv: Sequence[str], *, sudo: Sudo, mark: str, silent: str, begun: str) -> str:
    """Return the line for what a person works with in a terminal: `argv`, or the login shell when that is empty.

    It has no limit of time. With `sudo="password"` it prints `silent` when the password may be typed, and `begun` when
    that was right and all that follows is the person's.
    """
    words = ["env", f"PATH={PATH}", f"{MARK}={mark}", *(argv or sh(LOGIN))]
    if sudo == "password":
        return shlex.join([*sh(_SILENT, silent), *_ASKING, *sh(_ECHOING, begun), *words])
    return shlex.join([*_NOT_ASKING, *words] if sudo == "free" else words)


def looking_line(script: str, *, sudo: Sudo, timeout: float) -> tuple[str, bytes]:
    """Return the line, and the standard input, that run the facts script with as few programs as can be.

    As an argument it arrives whole or not at all, and nobody has to count it; but sudo writes arguments into the
    machine's log, so behind sudo it comes on standard input.
    """
    if sudo == "none":
        text = f"PATH={PATH}; export PATH\n{script}"
        return shlex.join(["timeout", "-k", str(KILL_AFTER), str(max(1, math.ceil(timeout))), "sh", "-c", text]), b""
    content = script.encode()
    return command_line(sh(RUN_SCRIPT, str(len(content))), sudo=sudo, timeout=timeout), content


def stdin_head(sudo: Sudo, password: str) -> bytes:
    """Return what must precede the command's own standard input."""
    return f"{password}\ngo\n".encode() if sudo == "password" else b""
