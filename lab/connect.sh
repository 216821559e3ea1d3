#!/bin/bash
# Sets the pod network of a plain cluster up on every machine that is a node by now, as after a node was added.
#
# usage: connect.sh LAB.JSON
set -euo pipefail

lab=$1
work=$(mktemp -d)
trap 'close_connections; rm -rf "$work"' EXIT

# shellcheck source=lab/machines.sh
source "$(dirname "$0")/machines.sh"
# shellcheck source=lab/pods.sh
source "$(dirname "$0")/pods.sh"

eval "$(read_lab)"
connect_pods "$(kubectl get nodes --no-headers | wc -l)"
