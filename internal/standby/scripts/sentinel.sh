# Starts the Sentinel. What it has noted of the others is kept on the volume.
set -eu
. /etc/redis-ha/master.sh
umask 077
case $REDIS_PASSWORD in
*'
'*)
  echo "start: the password in the Secret holds a line break, which no configuration file can" >&2
  exit 1
  ;;
esac
password=$(printf %s "$REDIS_PASSWORD" | sed 's/[\\"]/\\&/g')
mkdir -p "${STATE%/*}"
now=$(master)
echo "start: the master is $now, this is $ME"
{
  echo "port 26379"
  echo "protected-mode no"
  echo "dir ${STATE%/*}"
  echo "requirepass \"$password\""
  echo "sentinel sentinel-pass \"$password\""
  echo "sentinel resolve-hostnames yes"
  echo "sentinel announce-hostnames yes"
  echo "sentinel announce-ip $ME"
  echo "sentinel announce-port 26379"
  echo "sentinel monitor $MASTER $now $PORT 2"
  echo "sentinel auth-pass $MASTER \"$password\""
  echo "sentinel down-after-milliseconds $MASTER 5000"
  echo "sentinel failover-timeout $MASTER 60000"
  echo "sentinel parallel-syncs $MASTER 1"
  grep -E "^sentinel (myid|current-epoch|config-epoch|leader-epoch|known-replica|known-sentinel) " "$STATE" 2>/dev/null |
    grep -v "^sentinel known-replica $MASTER $now " || true
} >"$STATE.new"
mv "$STATE.new" "$STATE"
exec redis-server "$STATE" --sentinel
