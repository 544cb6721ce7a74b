#!/bin/bash
# Consumes a sink of orderd into a file, a CloudEvent per line. Needs bash, jq, socat.
#
#     consumer.sh /run/orderd/orderd.sock SINK events.ndjson
#
# An event counts as delivered when the file is on disk. After a kill a line may be there twice: whoever reads the
# file tells copies apart by the event's id, or keeps each order's highest "orderversion".
set -o pipefail
trap '' PIPE # A daemon that is gone is the end of a connection, not ours.
socket=$1 sink=$2 file=$3

consume() {
    local line method tags kind
    printf '%s\n' "$(jq -nc --arg sink "$sink" '{jsonrpc: "2.0", id: 1, method: "sink.attach",
        params: {sink: $sink, protocol: 1, program: "examples/shell", in_flight_max: 64}}')" >&"$to"
    read -r line <&"$from" || return 0
    if kind=$(jq -er '.error // empty | "\(.data.retryable) \(.message)"' <<<"$line"); then
        echo "refused: $kind" >&2
        [[ $kind == true* ]]; return
    fi
    while read -r line <&"$from"; do
        # Take what else has come already: one sync for all of it.
        local batch=$line
        while read -r -t 0 -u "$from" && read -r line <&"$from"; do batch+=$'\n'$line; done
        jq -r 'select(.method == "closing") | "closing: \(.params.message)"' <<<"$batch" >&2
        tags=$(jq -sc '[.[] | select(.method == "event").params.tag]' <<<"$batch")
        [[ $tags == "[]" ]] && continue
        if jq -c 'select(.method == "event").params.event' <<<"$batch" >>"$file" && sync -d "$file"; then
            printf '{"jsonrpc":"2.0","method":"delivered","params":{"tags":%s}}\n' "$tags" >&"$to"
        else
            printf '{"jsonrpc":"2.0","method":"unavailable","params":{"reason":"cannot write"}}\n' >&"$to"
        fi
    done
    return 0
}

while true; do
    coproc DAEMON { exec socat - "UNIX-CONNECT:$socket"; }
    # Copies of our own: the shell takes its own away when the process ends.
    if { exec {from}<&"${DAEMON[0]}" {to}>&"${DAEMON[1]}"; } 2>/dev/null; then
        consume || exit 1
        exec {from}<&- {to}>&-
    fi
    kill "${DAEMON_PID:-$!}" 2>/dev/null
    wait 2>/dev/null
    sleep 1
done
