#!/usr/bin/env bash
# What the whole program costs with N objects on a real API server: memory and processor of a console that has looked at all of them,
# the time of a first `status`, and beside it the server's own LIST and `kubectl diff --server-side`, in the same run on the same machine.
#
#   KUBECONFIG=... benches/whole_process.sh [N] [path of the driftdeck binary]
#
# Makes a namespace with N Deployments without replicas of about 4 KB each, and deletes it at the end. Needs kubectl, git, tmux.
set -euo pipefail

kubeconfig=${KUBECONFIG:-$HOME/.kube/config}
count=${1:-1000}
driftdeck=$(realpath "${2:-target/release/driftdeck}")
idle=${IDLE_SECONDS:-30}
namespace=dd-bench-$$
work=$(mktemp -d)
session=dd-bench-$$
allow_difference=
export HOME=$work/home XDG_CONFIG_HOME=$work/config XDG_CACHE_HOME=$work/cache XDG_STATE_HOME=$work/state XDG_DATA_HOME=$work/data
mkdir -p "$HOME" "$work/repository/app"

cleanup() {
    tmux -L "$session" kill-server 2>/dev/null || true
    kubectl delete namespace "$namespace" --wait=false >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

seconds() { # runs a command and prints how long it took
    local start end
    start=$(date +%s.%N)
    # `status` and `diff` end with 1 or 2 where something differs.
    "$@" >"$work/out" 2>"$work/err" || [ "$allow_difference" ] || { head -5 "$work/err" >&2; exit 1; }
    end=$(date +%s.%N)
    awk -v a="$start" -v b="$end" 'BEGIN { printf "%.2f", b - a }'
}

kubectl create namespace "$namespace" >/dev/null
awk -v n="$count" -v folder="$work/repository/app" 'BEGIN {
    for (i = 0; i < n; i++) {
        name = sprintf("app-%05d", i); file = folder "/" name ".yaml"
        printf "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: %s\n  labels:\n    app.kubernetes.io/name: %s\n    team: team-%d\n  annotations:\n    checksum/config: \"%032d%032d\"\n", name, name, i % 13, i * 104729, i * 7919 > file
        printf "spec:\n  replicas: 0\n  selector:\n    matchLabels:\n      app: %s\n  template:\n    metadata:\n      labels:\n        app: %s\n    spec:\n      containers:\n      - name: main\n        image: registry.example.com/team/%s:1.%d.0\n        env:\n", name, name, name, i % 40 > file
        for (e = 0; e < 12; e++) printf "        - name: SETTING_%d\n          value: value-%d\n", e, i * 31 + e * 17 > file
        printf "        resources:\n          limits:\n            cpu: 500m\n            memory: 512Mi\n          requests:\n            cpu: 100m\n            memory: 128Mi\n" > file
        close(file)
    }
}'
git -C "$work/repository" init -q -b main
git -C "$work/repository" add .
git -C "$work/repository" -c user.name=bench -c user.email=bench@example.com commit -q -m objects
mkdir -p "$work/config/driftdeck"
context=$(kubectl config current-context)
cat > "$work/config/driftdeck/config.toml" <<TOML
[[repository]]
name = "bench"
url = "$work/repository"
[[cluster]]
name = "bench"
kubeconfig = "$kubeconfig"
context = "$context"
[[application]]
name = "bench"
repository = "bench"
path = "app"
cluster = "bench"
namespace = "$namespace"
TOML

echo "objects: $count Deployments in $namespace; processors: $(nproc)"
echo "kubectl apply --server-side (makes them): $(seconds kubectl apply -n "$namespace" --server-side --field-manager=driftdeck -f "$work/repository/app") s"
list="/apis/apps/v1/namespaces/$namespace/deployments?resourceVersion=0"
echo "one object: $(($(kubectl get --raw "$list" | wc -c) / count)) bytes"
echo "LIST: $(seconds kubectl get --raw "$list") s"
allow_difference=yes
echo "driftdeck status, first time: $(seconds "$driftdeck" status) s"
echo "driftdeck status, again: $(seconds "$driftdeck" status) s"
if [ "$count" -le 1000 ]; then
    echo "kubectl diff --server-side: $(seconds kubectl diff -n "$namespace" --server-side --field-manager=driftdeck -f "$work/repository/app") s"
fi

tmux -L "$session" new-session -d -s "$session" -x 160 -y 50 "exec '$driftdeck'"
pid=$(tmux -L "$session" list-panes -t "$session" -F '#{pane_pid}')
ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
memory() { awk -v f="$1:" '$1 == f { printf "%.1f", $2 / 1024 }' "/proc/$pid/status"; }
# It has looked at everything when it says so, and costs nothing any more for a while.
for _ in $(seq 300); do
    before=$(ticks)
    sleep 2
    [ "$(ticks)" -le "$((before + 2))" ] && tmux -L "$session" capture-pane -p -t "$session" | grep -Eq "Synced|OutOfSync|Drifted" && break
done
echo "console: $(memory VmRSS) MB resident ($(memory RssAnon) MB of its own, the rest is the program file), $(memory VmHWM) MB at most"
before=$(ticks)
sleep "$idle"
awk -v a="$before" -v b="$(ticks)" -v s="$idle" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "console, idle for %d s: %.2f %% of one processor\n", s, (b - a) / hz / s * 100 }'
