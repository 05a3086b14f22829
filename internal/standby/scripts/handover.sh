# Before its pod ends, a master gives its place to a replica: a drain or a
# rollout then costs a second, not the time until a Sentinel misses it.
. /etc/redis-ha/master.sh
role() { limited redis-cli -p "$PORT" --raw role 2>/dev/null | head -n 1; }
if [ "$(role)" != master ]; then exit 0; fi
for one in $OTHERS; do
  if [ "$(limited redis-cli -h "$one" -p 26379 --raw sentinel failover "$MASTER" 2>/dev/null)" = OK ]; then break; fi
done
left=15
while [ "$left" -gt 0 ] && [ "$(role)" = master ]; do
  sleep 1
  left=$((left - 1))
done
exit 0
