# Who the master is. The other scripts read this one.

# host N: the name of pod N. It stays when the pod's address changes. It is whole,
# since a Sentinel looks names up all the time: along a search path that takes
# three times as long, and it waits for each.
DOMAIN=$(sed -n 's/^search .* svc\.\([^ ]*\).*/\1/p' /etc/resolv.conf | head -n 1)
host() { echo "$SET-$1.$SET.$NAMESPACE.svc${DOMAIN:+.$DOMAIN}"; }
ME=$(host "${POD##*-}")
OTHERS=
for n in 0 1 2; do
  if [ "$(host "$n")" != "$ME" ]; then OTHERS="$OTHERS $(host "$n")"; fi
done

# limited COMMAND…: nobody who does not answer is waited for.
limited() { if command -v timeout >/dev/null 2>&1; then timeout 3 "$@"; else "$@"; fi; }

# ours NAME: lets only the name of one of the pods through, no error text.
ours() { case $1 in "$SET"-[0-9].*) echo "$1" ;; *) return 1 ;; esac; }

# told: the master as a Sentinel of another pod knows it.
told() {
  for one in $OTHERS; do
    ours "$(limited redis-cli -h "$one" -p 26379 --raw sentinel get-master-addr-by-name "$MASTER" 2>/dev/null | head -n 1)" && return
  done
  return 1
}

# noted: the master as this pod's Sentinel has noted it on the volume, so that a
# cluster that starts as a whole goes on with the newest data.
noted() { ours "$(sed -n "s/^sentinel monitor $MASTER \([^ ]*\) .*/\1/p" "$STATE" 2>/dev/null | head -n 1)"; }

# serving: another server that is a master now.
serving() {
  for one in $OTHERS; do
    if [ "$(limited redis-cli -h "$one" -p "$PORT" --raw role 2>/dev/null | head -n 1)" = master ]; then echo "$one" && return; fi
  done
  return 1
}

# master: the first time of all it is pod 0.
master() { told || noted || serving || host 0; }
