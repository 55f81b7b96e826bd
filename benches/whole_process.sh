#!/usr/bin/env bash
# What the whole program costs with N objects on a real API server, beside the server's own LIST and `kubectl diff --server-side`, in the
# same run on the same machine: a cold `status` (read the tree, parse, LIST, compare), what a commit that changes one file costs a
# console that follows, and the console's memory and processor time when nothing happens.
#
#   KUBECONFIG=... benches/whole_process.sh [N] [path of the driftdeck binary]
#
# Makes a namespace with N Deployments without replicas of about 4 KB each, and deletes it at the end. Needs kubectl, git, tmux; with curl
# the LIST is measured without kubectl's own start. Figures are medians of RUNS (5) runs.
set -euo pipefail

kubeconfig=${KUBECONFIG:-$HOME/.kube/config}
count=${1:-1000}
driftdeck=$(realpath "${2:-target/release/driftdeck}")
idle=${IDLE_SECONDS:-60}
runs=${RUNS:-5}
namespace=dd-bench-$$
work=$(mktemp -d)
session=dd-bench-$$
export HOME=$work/home XDG_CONFIG_HOME=$work/config XDG_CACHE_HOME=$work/cache XDG_STATE_HOME=$work/state XDG_DATA_HOME=$work/data
mkdir -p "$HOME" "$work/repository/app"

cleanup() {
    tmux -L "$session" kill-server 2>/dev/null || true
    kubectl delete namespace "$namespace" --wait=false >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

once() { # runs a command and prints how long it took, in seconds
    local start end
    start=$(date +%s.%N)
    # `status` and `diff` end with 1 or 2 where something differs; a command that cannot do its work says so.
    "$@" >"$work/out" 2>"$work/err" || [ $? -le 2 ] || { head -5 "$work/err" >&2; exit 1; }
    end=$(date +%s.%N)
    awk -v a="$start" -v b="$end" 'BEGIN { printf "%.3f\n", b - a }'
}

seconds() { # the median of several runs
    for _ in $(seq "$runs"); do once "$@"; done | median
}

# The server's address and the admin's certificate, for a client without a start of its own.
list() { kubectl get --raw "$1"; }
if command -v curl >/dev/null; then
    part() { kubectl config view --minify --raw --flatten -o "jsonpath={$1}"; }
    server=$(part '.clusters[0].cluster.server')
    part '.clusters[0].cluster.certificate-authority-data' | base64 -d >"$work/ca.crt"
    part '.users[0].user.client-certificate-data' | base64 -d >"$work/client.crt"
    part '.users[0].user.client-key-data' | base64 -d >"$work/client.key"
    [ ! -s "$work/client.key" ] ||
        list() { curl -sf --cacert "$work/ca.crt" --cert "$work/client.crt" --key "$work/client.key" "$server$1"; }
fi

kubectl create namespace "$namespace" >/dev/null
awk -v n="$count" -v folder="$work/repository/app" 'BEGIN {
    for (i = 0; i < n; i++) {
        name = sprintf("app-%05d", i); file = folder "/" name ".yaml"
        printf "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: %s\n  labels:\n    app.kubernetes.io/name: %s\n    team: team-%d\n  annotations:\n    checksum/config: \"%032d%032d\"\n", name, name, i % 13, i * 104729, i * 7919 > file
        printf "spec:\n  replicas: 0\n  selector:\n    matchLabels:\n      app: %s\n  template:\n    metadata:\n      labels:\n        app: %s\n    spec:\n      containers:\n      - name: main\n        image: registry.example.com/team/%s:1.%d.0\n        env:\n", name, name, name, i % 40 > file
        for (e = 0; e < 4; e++) printf "        - name: SETTING_%d\n          value: value-%d\n", e, i * 31 + e * 17 > file
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

echo "objects: $count Deployments in $namespace; processors: $(nproc); medians of $runs runs"
deployments="/apis/apps/v1/namespaces/$namespace/deployments?resourceVersion=0"
# kubectl takes minutes for more, one way or the other.
if [ "$count" -le 1000 ]; then
    echo "kubectl apply --server-side (makes them): $(once kubectl apply -n "$namespace" --server-side --field-manager=driftdeck -f "$work/repository/app") s"
    echo "LIST: $(seconds list "$deployments") s"
    echo "driftdeck status, the very first (clones, fetches schemas): $(once "$driftdeck" status) s"
    echo "driftdeck status, objects that driftdeck never applied: $(seconds "$driftdeck" status) s"
    echo "driftdeck sync (labels all of them): $(once "$driftdeck" --write sync bench --yes --wait=false) s"
else
    echo "driftdeck sync (makes them): $(once "$driftdeck" --write sync bench --yes --wait=false) s"
fi
echo "one object: $(($(list "$deployments" | wc -c) / count)) bytes"
echo "LIST: $(seconds list "$deployments") s"
echo "driftdeck status, objects that it applied: $(seconds "$driftdeck" status) s"
if [ "$count" -le 1000 ]; then
    echo "kubectl diff --server-side: $(once kubectl diff -n "$namespace" --server-side --field-manager=driftdeck -f "$work/repository/app") s"
fi

tmux -L "$session" new-session -d -s "$session" -x 160 -y 50 "exec '$driftdeck' --log debug"
pid=$(tmux -L "$session" list-panes -t "$session" -F '#{pane_pid}')
ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
memory() { awk -v f="$1:" '$1 == f { printf "%.1f", $2 / 1024 }' "/proc/$pid/status"; }
compared() { cat "$XDG_STATE_HOME"/driftdeck/*.log | sed -n 's/.*compared.*objects=\([0-9]*\) milliseconds=\([0-9.]*\).*/\1 \2/p' | awk -v n="$count" '$1 == n { print $2 }'; }
wait_for() { # what, command: until it succeeds
    local what=$1; shift
    for _ in $(seq 600); do "$@" && return; sleep 0.1; done
    echo "not in time: $what" >&2; exit 1
}
more_than() { [ "$(compared | wc -l)" -gt "$1" ]; }
still() { local before; before=$(ticks); sleep 2; [ "$(ticks)" -le "$((before + 2))" ]; }
wait_for "the console compares" more_than 0
wait_for "the console has done" still
for run in $(seq "$((runs + 1))"); do
    known=$(compared | wc -l)
    sed -i "s|^    checksum/config: .*|    checksum/config: \"change $run\"|" "$work/repository/app/app-00000.yaml"
    git -C "$work/repository" -c user.name=bench -c user.email=bench@example.com commit -qam "change $run"
    wait_for "the commit is compared" more_than "$known"
    # The first one also reads from the cluster what was applied last.
    [ "$run" -eq 1 ] || compared | tail -n 1
    wait_for "the console has done" still
done | median | awk '{ printf "console, one file changed: render and compare in %.1f ms\n", $1 }'
# After a minute without a key.
sleep 60
before=$(ticks)
sleep "$idle"
awk -v a="$before" -v b="$(ticks)" -v s="$idle" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "console, idle for %d s: %.2f %% of one processor\n", s, (b - a) / hz / s * 100 }'
echo "console: $(memory VmRSS) MB resident ($(memory RssAnon) MB of its own, the rest is the program file), $(memory VmHWM) MB at most"
